"""What can be pasted works: commands parse, TOML is accepted, Python compiles."""

import contextlib
import io
import re
import shlex
import tomllib

import pytest

from forebay.settings import ConfigSource, PriceTable, parse_gateway_toml
from forebay_cli.connection import check_options
from forebay_cli.main import build_parser
from tests.docs.pages import ROOT, Block, blocks, pages, spans

SHELLS = ("sh", "bash", "console")
PRICES = ROOT / "layers/core/python/forebay/data/prices.json"
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
NAMED_IN_PROSE = re.compile(r"[a-z ]+")  # `forebay keys`: a name, not a command to run


def commands(block: Block) -> list[str]:
    """Return the command lines of a block, joined where a backslash splits them.

    A `console` block has them behind a `$`, beside what they print.
    """
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return lines


def words_of(command: str) -> list[str]:
    """Split a command as a shell does, without a comment and the variables set in front."""
    words = shlex.split(command, comments=True)
    while words and ASSIGNMENT.match(words[0]):
        del words[0]
    return words


def calls_of(program: str) -> list[tuple[str, list[str]]]:
    """Return the arguments of each call of a program on all pages, with the place."""
    pasted = [(str(block), line) for block in blocks(*SHELLS) for line in commands(block)]
    named = [(page, span) for page in pages() for span in spans(page)]
    found = []
    for place, command in pasted + [each for each in named if program in each[1].split()]:
        words = words_of(command)
        if words and words[0].rpartition("/")[2] == program:
            found.append((place, words[1:]))
    return found


FOREBAY = calls_of("forebay")
MAKE = calls_of("make")


def parsed(words: list[str]) -> tuple[int, str]:
    """Parse a command line without running it; return the exit status and the complaint."""
    complaint = io.StringIO()
    parser = build_parser(words)
    with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
        try:
            check_options(parser, parser.parse_args(words))
        except SystemExit as left:
            return int(left.code or 0), complaint.getvalue()
    return 0, ""


@pytest.mark.parametrize(("place", "words"), FOREBAY, ids=[" ".join(call[1]) for call in FOREBAY])
def test_a_forebay_command_is_one(place: str, words: list[str]) -> None:
    only_named = not words or NAMED_IN_PROSE.fullmatch(" ".join(words))
    numbers = ["1" if word == "N" else word for word in words]
    status, complaint = parsed([*words, "--help"] if only_named else numbers)
    assert status == 0, f"{place}: {complaint}"


def test_a_forebay_command_that_is_none_would_be_noticed() -> None:
    assert parsed(["keys", "create", "--nmae", "web"])[0] == 2
    assert parsed(["nothing", "--help"])[0] == 2


@pytest.mark.parametrize(("place", "words"), MAKE, ids=[" ".join(call[1]) for call in MAKE])
def test_a_make_target_exists(place: str, words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    asked = [word for word in words if not ASSIGNMENT.match(word)]
    assert set(asked) <= targets, place


def test_commands_were_found() -> None:
    assert len(FOREBAY) >= 10
    assert len(MAKE) >= 8


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_toml_example_parses(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize(
    "block", [block for block in blocks("toml") if block.page == "README.md"], ids=str
)
def test_a_gateway_toml_in_the_readme_is_accepted(block: Block) -> None:
    prices = PriceTable.from_json(PRICES.read_bytes())
    config = parse_gateway_toml([ConfigSource("README.md", block.text.encode())], {}, prices)
    assert set(config.available_models()) == set(config.models) != set()


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_python_example_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


def test_the_readme_has_examples_of_each_kind() -> None:
    languages = {b.language for b in blocks("toml", "python", *SHELLS) if b.page == "README.md"}
    assert {"toml", "python", "console", "sh"} <= languages


def test_the_readme_names_the_models_of_gateway_toml() -> None:
    config = tomllib.loads((ROOT / "gateway.toml").read_text())
    assert set(config["models"]) <= set(spans("README.md"))

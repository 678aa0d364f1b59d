"""The program as a whole: its options are documented, and it starts lightly."""

import argparse
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.service.keys import NewKey
from forebay_cli.main import build_parser
from tests.support.admin_api import AdminServer
from tests.unit.cli.conftest import Forebay

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def commands(
    parser: argparse.ArgumentParser, name: str = "forebay"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Walk the program and its commands."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from commands(below, f"{name} {word}")


def option_table() -> list[tuple[str, str]]:
    return [
        (name, option)
        for name, parser in commands(build_parser())
        for action in parser._actions
        for option in action.option_strings
        if option not in {"-h", "--help"}
    ]


def section_of(name: str) -> str:
    """Return what the reference says of a command: from its heading to the next of its rank."""
    text = REFERENCE.read_text(encoding="utf-8")
    heading = re.search(rf"^(#+) `?{name}`?$", text, re.MULTILINE)
    assert heading, f"docs/reference/cli.md has no section `{name}`"
    rest = text[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


@pytest.mark.parametrize(("name", "option"), option_table())
def test_every_option_is_documented_under_its_command(name: str, option: str) -> None:
    # What all commands have stands once, under the program itself; what some have, under Limits.
    documented = section_of(name) + section_of("forebay") + section_of("Limits")
    assert re.search(rf"`{option}[ `]", documented)


def test_every_option_in_the_reference_exists() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    offered = {option for _, option in option_table()} | {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) <= offered


def test_version_is_that_of_the_package(run: Forebay) -> None:
    printed = run("--version")
    assert (printed.status, printed.out) == (
        0,
        f"forebay {importlib.metadata.version('forebay')}\n",
    )


def test_no_command_is_wrong_usage(run: Forebay) -> None:
    assert run().status == 2


def test_an_unknown_command_is_wrong_usage(run: Forebay) -> None:
    assert run("budget").status == 2


@pytest.mark.parametrize("heavy", ["httpx2", "botocore", "asyncio"])
def test_a_light_command_is_read_without_importing_what_others_need(heavy: str) -> None:
    script = (
        "import sys; from forebay_cli.main import build_parser; build_parser(['keys', 'list']); "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 0


def test_a_command_is_found_behind_options_and_beside_words_that_name_another(
    run: Forebay, server: AdminServer
) -> None:
    server.api.desk.create(NewKey("usage"))
    assert run("--url", server.url, "keys", "show", "usage").status == 0

"""Whatever a file holds: a configuration, or faults that name file, line and key."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from forebay.errors import ConfigurationError
from forebay.settings import ConfigSource, GatewayConfig, PriceTable, parse_gateway_toml
from forebay.settings.positions import KeyPath, key_lines

FAULT = re.compile(r"gateway\.toml:[1-9][0-9]*: \S.*")

KEYS = st.sampled_from(
    [
        *[
            "providers",
            "models",
            "openai",
            "fast",
            "smart",
            "kind",
            "base_url",
            "api_key",
            "timeouts",
        ],
        *["scripted", "connect_s", "tokens", "faults", "cut", "targets", "fallbacks"],
        *["price", "input", "output", "provider", "model", "weight"],
    ]
) | st.text(max_size=5)
SCALARS: st.SearchStrategy[Any] = (
    st.sampled_from(["openai", "scripted", "fast", "free", "env:A", "gpt-5", "http://h/v1", "cut"])
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
NAMED = st.dictionaries(KEYS, TABLES, max_size=3)
FILES = st.fixed_dictionaries({}, optional={"providers": NAMED, "models": NAMED, "x": VALUES})
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *[
                "a",
                "b.c",
                "'d'",
                r'"e\""',
                " = ",
                "\n",
                "\r\n",
                "[",
                "]",
                "[[",
                "]]",
                "{",
                "}",
                ",",
                "#",
            ],
            *[
                "'''",
                '"""',
                "\\",
                "1",
                "-inf",
                "nan",
                "1e9",
                "2020-01-01",
                "price=1e9999999999999999999",
            ],
            *[
                "[models.fast]\n",
                "[[models.fast.targets]]\n",
                "provider='x'\n",
                "f = [\n1,\n{b=1}]\n",
            ],
            *["g = '''\n[x]\n'''\n", 'h = """\n[x]\n\\"""""\n', "[[p.q]]\nr.s = 1\n", "[p.q.t]\n"],
        ]
    ),
    max_size=20,
).map("".join)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(k)}={inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(inline(each) for each in value) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower()


def as_tables(document: Mapping[str, Any]) -> str:
    """Write each table of tables under headers, the rest inline."""
    lines = []
    for key, value in document.items():
        if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
            for name, table in value.items():
                lines.append(f"[{quoted(key)}.{quoted(name)}]")
                lines += [f"{quoted(k)} = {inline(v)}" for k, v in table.items()]
        else:
            lines.insert(0, f"{quoted(key)} = {inline(value)}")
    return "\n".join(lines)


def outcome(data: bytes) -> GatewayConfig | ConfigurationError:
    try:
        return parse_gateway_toml([ConfigSource("gateway.toml", data)], {}, PriceTable())
    except ConfigurationError as error:
        return error


def well_formed(result: GatewayConfig | ConfigurationError) -> bool:
    if isinstance(result, GatewayConfig):
        return bool(result.models)
    lines = result.message.splitlines()
    return lines == list(result.faults) and all(FAULT.fullmatch(line) for line in lines)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_configuration_or_faults_with_lines(data: bytes) -> None:
    assert well_formed(outcome(data))


@given(st.text(max_size=300) | FRAGMENTS)
@example("a = " + "9" * 5000)
@example("a = 0x" + "f" * 9000)
@example("[models.a]\nprice = { input = 1e999999999999999999999, output = 0x" + "f" * 9000 + " }")
@example("[models.a]\nprice = { input = 1e9999999, output = 0e-9999999 }")
@example("a = " + "[" * 20000)
@example("a = " + "{a=" * 90 + "1" + "}" * 90)
@example("a." * 100 + "b = 1")
def test_any_text_is_a_configuration_or_faults_with_lines(text: str) -> None:
    assert well_formed(outcome(text.encode("utf-8", "surrogatepass")))


@given(FILES)
def test_any_toml_is_a_configuration_or_faults_with_lines(document: dict[str, Any]) -> None:
    assert well_formed(outcome(as_tables(document).encode()))


def paths(value: object, path: KeyPath = ()) -> set[KeyPath]:
    """All key paths of a parsed document."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return {path, *(p for key, each in inner for p in paths(each, (*path, key)))}


@given(FILES)
def test_positions_know_exactly_the_keys_that_tomllib_sees(document: dict[str, Any]) -> None:
    text = as_tables(document)
    expected = {path for path in paths(tomllib.loads(text)) if 0 < len(path) <= 8}
    assert {path for path in key_lines(text) if len(path) <= 8} == expected


@given(FRAGMENTS)
def test_positions_of_any_valid_toml_are_lines_of_the_text(text: str) -> None:
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except ValueError:
        return
    lines = key_lines(text)
    assert set(lines) == paths(document) - {()}
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())

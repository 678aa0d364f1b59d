"""The walk over a TOML text that tells on which line each key stands."""

import textwrap

import pytest

from forebay.settings.positions import KeyPath, key_lines, line_of

DEEP: dict[KeyPath, int] = {("a", *([0] * depth)): 1 for depth in range(8)}
CASES: dict[str, tuple[str, dict[KeyPath, int]]] = {
    "empty": ("", {}),
    "comments only": ("# a = 1\n\n  # [b]\n", {}),
    "plain keys": ("a = 1\n\nb = 2\n", {("a",): 1, ("b",): 3}),
    "dotted key": ("a . b.c = 1", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1}),
    "quoted keys": (
        "'a.b' = 1\n\"c\\u0041\" = 2\n'' = 3",
        {("a.b",): 1, ("cA",): 2, ("",): 3},
    ),
    "table": ("\n[a.b]\nc = 1", {("a",): 2, ("a", "b"): 2, ("a", "b", "c"): 3}),
    "table with spaces and comment": ("[ a . 'b' ] # c\n", {("a",): 1, ("a", "b"): 1}),
    "array of tables": (
        "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1",
        {
            ("a",): 1,
            ("a", 0): 1,
            ("a", 0, "b"): 2,
            ("a", 1): 3,
            ("a", 1, "b"): 4,
            ("a", 1, "c"): 5,
            ("a", 1, "c", "d"): 6,
        },
    ),
    "array of tables within one": (
        "[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]",
        {
            ("a",): 1,
            ("a", 0): 1,
            ("a", 0, "b"): 2,
            ("a", 0, "b", 0): 2,
            ("a", 1): 3,
            ("a", 1, "b"): 4,
            ("a", 1, "b", 0): 4,
        },
    ),
    "array over several lines": (
        "a = [ # one\n  1, # ]\n\n  'x,y',\n]\nb = 1",
        {("a",): 1, ("a", 0): 2, ("a", 1): 4, ("b",): 6},
    ),
    "inline tables in an array": (
        'a = [\n{ b = 1, c.d = "}" },\n{ b = 2 }]',
        {
            ("a",): 1,
            ("a", 0): 2,
            ("a", 0, "b"): 2,
            ("a", 0, "c"): 2,
            ("a", 0, "c", "d"): 2,
            ("a", 1): 3,
            ("a", 1, "b"): 3,
        },
    ),
    "multi-line basic string": (
        'a = """\nb = 1\n[c]\n\\"""\n"" """""\nd = 1',
        {("a",): 1, ("d",): 6},
    ),
    "multi-line literal string": ("a = '''\nb = 1 \\\n''\n'''''\nd = 1", {("a",): 1, ("d",): 5}),
    "strings with marks": ('a = "#\\"]"\nb = \'\\\'\nc = 1', {("a",): 1, ("b",): 2, ("c",): 3}),
    "dates and numbers": (
        "a = 1979-05-27 07:32:00Z\nb = -1_000.5e-3 # x\nc = inf",
        {("a",): 1, ("b",): 2, ("c",): 3},
    ),
    "deep values are stepped over": (
        "a = [[[[[[[[[ {x = ']'}, [1, \"]\"] ]]]]]]]]]\nb = 1",
        DEEP | {("b",): 2},
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_each_key_has_the_line_where_it_first_stands(
    text: str, expected: dict[KeyPath, int]
) -> None:
    assert dict(key_lines(text)) == expected


def test_a_missing_key_is_looked_for_at_its_table() -> None:
    lines = key_lines(
        textwrap.dedent("""\

        [models.fast]
        targets = [{ model = "x" }]
        """)
    )
    assert line_of(lines, ("models", "fast", "targets", 0, "provider")) == 3
    assert line_of(lines, ("models", "fast", "price", "input")) == 2
    assert line_of(lines, ("providers",)) == 1


@pytest.mark.parametrize(
    "text", ["a = ~", "= 1", "]", "[a\nb = 1", "a = [1 2 3", "a = {b", "a = [[[[[[[[["]
)
def test_what_is_no_toml_ends_the_walk(text: str) -> None:
    assert isinstance(key_lines(text), dict)

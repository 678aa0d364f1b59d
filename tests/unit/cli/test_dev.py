"""`forebay dev`'s command line; what it runs is tested in tests/e2e."""

import pytest

from forebay_cli.local.chaos import Chaos
from forebay_cli.main import build_parser
from tests.unit.cli.conftest import Forebay

CHAOS = {
    (): Chaos(),
    ("--chaos",): Chaos(kill_seed=0),
    ("--chaos", "--no-model"): Chaos(kill_seed=0),
    ("--chaos", "7"): Chaos(kill_seed=7),
    ("--chaos", "a:cut=1"): Chaos(faults={"a": {"cut": 1}}),
    ("--chaos", "a:cut=1", "--chaos", "--chaos=b:html=1"): Chaos(
        0, {"a": {"cut": 1}, "b": {"html": 1}}
    ),
}


@pytest.mark.parametrize(("words", "chaos"), CHAOS.items())
def test_chaos_is_what_was_asked_for(words: tuple[str, ...], chaos: Chaos) -> None:
    assert build_parser(["dev"]).parse_args(["dev", *words]).chaos == chaos


@pytest.mark.parametrize("spec", ["cut", "a:cut=7", "a:explode=1", "a:cut=1,stall=1"])
def test_chaos_that_is_wrong_is_wrong_usage(run: Forebay, spec: str) -> None:
    printed = run("dev", "--chaos", spec)

    assert printed.status == 2
    assert "forebay dev: error: argument --chaos: " in printed.err.splitlines()[-1]
    assert "expected" in printed.err.splitlines()[-1]

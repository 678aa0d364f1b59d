"""What the guide tells people to run does what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev_stack import DevStack, dev_stack

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "docs" / "guide" / "examples"


@contextmanager
def stack_for(example: str, folder: Path) -> Iterator[DevStack]:
    """Start a stack with the configuration beside an example."""
    config = (EXAMPLES / f"{example}.toml").read_text()
    with dev_stack(folder, "--no-model", config=config) as stack:
        yield stack


def run(example: str, stack: DevStack, key: str) -> str:
    """Run an example with a key; return what it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{example}.py")],
        env={**os.environ, "FOREBAY_URL": stack.base_url, "FOREBAY_KEY": key},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(stack: DevStack, *words: str) -> Any:
    """Run a command with `--json`; return what it prints."""
    done = stack.forebay(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_resilience_every_answer_is_whole_while_the_primary_cuts_all_streams(
    tmp_path: Path,
) -> None:
    with stack_for("2_resilience", tmp_path) as stack:
        printed = run("2_resilience", stack, stack.key)

    head, resilient, alone = printed.splitlines()
    assert head.split()[:4] == ["model", "asked", "whole", "errors"]
    assert re.match(r"resilient +10 +10 +0  primary/script \d+", resilient)
    assert re.match(r"alone +10 +0 +10  primary/script-alone 10$", alone)


def test_cost_a_key_that_asks_for_more_than_its_budget_is_stopped_and_the_ledger_agrees(
    tmp_path: Path,
) -> None:
    budget = ("--budget-usd", "0.01", "--period", "day")
    with stack_for("5_cost", tmp_path) as stack:
        key = told(stack, "keys", "create", "--name", "spender", *budget)
        printed = run("5_cost", stack, key["secret"])
        usage = told(stack, "usage", "--key", "spender", "--by", "model")

    _, *rounds, spent, refused = printed.splitlines()
    figures = [re.fullmatch(r"(.+?) +(\d+) +(\d+) +(\d+) +([\d.]+)", line) for line in rounds]
    asked, answered, turned_away = (
        [int(found[group]) for found in figures if found] for group in (2, 3, 4)
    )
    assert asked == [40, 20]
    assert 5 <= answered[0] < 40
    assert answered[1] < 20
    assert [a + r for a, r in zip(answered, turned_away, strict=True)] == asked
    assert refused == "refused as: insufficient_quota"
    told_spent = re.fullmatch(r"spent ([\d.]+) of 0.01 USD: the budget was kept", spent)
    assert told_spent is not None
    assert Decimal("0.008") < Decimal(told_spent[1]) <= Decimal("0.01")
    (row,) = usage["rows"]
    assert row["cost_nano_usd"] == int(Decimal(told_spent[1]).scaleb(9))
    assert row["requests"] == sum(answered)

"""What was asked is what the roll-ups say, to the nano-dollar."""

from __future__ import annotations

import csv
import json
import time
from typing import Any

import pytest
from openai import OpenAI

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
REQUESTS = 12


def forebay(stack: DevStack, *words: str) -> Any:
    done = stack.forebay(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def today(stack: DevStack) -> str:
    day: str = forebay(stack, "usage")["to"]
    return day


def ask(stack: DevStack, name: str) -> int:
    """Ask some questions with a key of this name; return their cost in nano-dollars."""
    secret = forebay(stack, "keys", "create", "--name", name)["secret"]
    cost = 0
    with OpenAI(base_url=stack.base_url, api_key=secret) as client:
        for _ in range(REQUESTS):
            answer = client.chat.completions.create(
                model="good", messages=[{"role": "user", "content": "hello"}]
            )
            assert answer.usage is not None
            cost += answer.usage.prompt_tokens * 1_000 + answer.usage.completion_tokens * 2_000
    return cost


def checked(stack: DevStack) -> Any:
    """Compare until nothing is on its way any more."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = forebay(stack, "usage", "--check", "--from", today(stack))
        if not found["pending_requests"]:
            return found
        assert time.monotonic() < end, found


def by(stack: DevStack, dimension: str, name: str) -> dict[str, int]:
    report = forebay(stack, "usage", "--by", dimension, "--from", today(stack))
    (found,) = [row for row in report["rows"] if row[dimension] == name]
    return dict(found)


def test_inv2_roll_ups_of_requests_are_equal_to_their_rows_and_to_what_was_answered(
    stack: DevStack,
) -> None:
    cost = ask(stack, "rolled up")

    found = checked(stack)

    assert found["differences"] == []
    row = by(stack, "key", "rolled up")
    assert (row["requests"], row["cost_nano_usd"]) == (REQUESTS, cost)
    report = forebay(stack, "usage", "--by", "model", "--from", today(stack))
    assert sum(row["cost_nano_usd"] for row in report["rows"]) == report["total"]["cost_nano_usd"]
    assert by(stack, "model", "good")["requests"] >= REQUESTS


def test_an_export_has_each_request_with_its_cost(stack: DevStack) -> None:
    cost = ask(stack, "exported")
    checked(stack)
    done = stack.forebay("usage", "export", "--from", today(stack))
    rows = [
        row for row in csv.DictReader(done.stdout.splitlines()) if row["ResourceName"] == "exported"
    ]
    assert len({row["x_RequestId"] for row in rows}) == len(rows) == REQUESTS
    assert sum(int(row["x_CostNanoUsd"]) for row in rows) == cost

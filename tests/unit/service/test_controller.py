"""The controller's duties do not hinder each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.errors import StoreUnavailable
from forebay.service.controller import Controller, Duty


def duty(done: list[str], name: str) -> Duty:
    async def run() -> None:
        done.append(name)

    return Duty(name, run)


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        raise error

    return run


def test_duties_are_done_in_their_order() -> None:
    done: list[str] = []
    controller = Controller(
        [duty(done, "one"), duty(done, "two")], JsonLines(print, ManualClock(), "n")
    )
    assert asyncio.run(controller.run()) == []
    assert done == ["one", "two"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoreUnavailable("no reply"), "store_unavailable"),
        (ZeroDivisionError("bug"), "ZeroDivisionError"),
    ],
    ids=["store", "bug"],
)
def test_a_duty_that_fails_is_told_of_and_the_next_is_done(error: Exception, cause: str) -> None:
    done: list[str] = []
    lines: list[bytes] = []
    controller = Controller(
        [Duty("broken", failing(error)), duty(done, "next")],
        JsonLines(lines.append, ManualClock(), "n"),
    )
    assert asyncio.run(controller.run()) == ["broken"]
    assert done == ["next"]
    (line,) = map(json.loads, lines)
    assert (line["error.type"], line["cause"]) == ("duty_failed", cause)
    assert line["message"] == f"broken: {error}"

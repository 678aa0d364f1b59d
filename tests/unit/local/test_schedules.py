"""A schedule invokes its function soon, then each period, whatever the function does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from forebay_cli.local.event_sources import Schedule
from forebay_cli.local.invoke import InvokeError
from forebay_cli.local.schedules import ScheduleParts, run_schedule, scheduled_event
from tests.support.virtual_time import run_virtual

MINUTELY = Schedule("EveryMinute", "F", 60)


def _times(seconds: float, *, takes_s: float = 0, fails: bool = False) -> tuple[list[float], Any]:
    """Run a schedule for so long; return when it invoked, and what it logged."""
    at: list[float] = []
    lines: list[str] = []

    async def invoke(_: Mapping[str, Any]) -> None:
        at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(takes_s)
        if fails:
            raise InvokeError("it crashed")

    parts = ScheduleParts(invoke, lambda: 0.0, asyncio.sleep, lines.append)
    with pytest.raises(TimeoutError):
        run_virtual(asyncio.wait_for(run_schedule(MINUTELY, parts), seconds))
    return at, lines


def test_the_first_time_is_soon_and_then_it_is_each_period() -> None:
    assert _times(130) == ([1, 61, 121], [])


def test_a_failure_is_logged_and_the_next_time_comes() -> None:
    assert _times(70, fails=True) == ([1, 61], ["EveryMinute: it crashed"] * 2)


def test_two_never_run_at_once() -> None:
    assert _times(200, takes_s=90)[0] == [1, 151]


def test_the_event_is_eventbridges() -> None:
    event = scheduled_event(MINUTELY, 1_800_000_000.0)
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["time"] == "2027-01-15T08:00:00Z"
    assert event["resources"] == ["arn:aws:events:us-east-1:000000000000:rule/EveryMinute"]

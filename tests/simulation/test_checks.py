"""The simulation's own checks see what they are there for, and equal seeds give equal worlds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from forebay.adapters.memory.clock import EPOCH_S
from forebay.model import AttemptResult
from forebay.resilience.breaker import Breaker, BreakerState
from tests.support.ledger_rows import attempt, row
from tests.support.loop_clock import LoopClock
from tests.support.simulation.answers import CHAT, MESSAGES, RESPONSES, AnswerCheck
from tests.support.simulation.instances import Mode
from tests.support.simulation.journal import OLD_STATE_S, Journal
from tests.support.simulation.providers import ANSWER
from tests.support.simulation.scenarios import SCENARIOS
from tests.support.simulation.world import play
from tests.support.virtual_time import run_virtual

TARGETS = ("primary/x", "second/x")


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def chunk(text: str, reason: str | None = None) -> bytes:
    return event(choices=[{"delta": {"content": text}, "finish_reason": reason}])


DONE = b"data: [DONE]\n\n"
ERROR = event(error={"message": "cut"})
HALF = ANSWER[: len(ANSWER) // 2]


def found(path: str, *parts: bytes, ended: bool) -> list[str]:
    """What the checks say of a stream."""

    async def main() -> list[str]:
        journal = Journal(TARGETS)
        request = journal.begins(path, stream=True)
        request.status = 200
        check = AnswerCheck(request, journal)
        for part in parts:
            check.part(part)
        check.ended = ended
        check.close()
        return journal.violations

    return run_virtual(main())


@pytest.mark.parametrize(
    ("parts", "ended"),
    [
        pytest.param([chunk(ANSWER), chunk("", "stop"), DONE], True, id="whole"),
        pytest.param([chunk(HALF), ERROR], False, id="honest"),
        pytest.param([b": keep-alive\n\n", ERROR], False, id="never begun"),
    ],
)
def test_good_streams_are_let_pass(parts: list[bytes], ended: bool) -> None:  # noqa: FBT001 - a table
    assert found(CHAT, *parts, ended=ended) == []


@pytest.mark.parametrize(
    ("path", "parts", "ended"),
    [
        pytest.param(CHAT, [chunk(HALF), DONE], True, id="done too early"),
        pytest.param(CHAT, [chunk(HALF, "stop"), ERROR], False, id="an invented end"),
        pytest.param(CHAT, [chunk(HALF)], True, id="a cut that says nothing"),
        pytest.param(CHAT, [chunk(HALF), ERROR, DONE], True, id="done after an error"),
        pytest.param(CHAT, [chunk(HALF), ERROR], True, id="an error and a good end"),
        pytest.param(CHAT, [chunk(HALF), chunk(HALF), ERROR], False, id="words twice"),
        pytest.param(CHAT, [chunk(HALF), chunk("?"), ERROR], False, id="other words"),
        pytest.param(CHAT, [chunk(HALF), ERROR[:-1]], False, id="half an event"),
        pytest.param(
            MESSAGES,
            [event(type="content_block_delta", delta={"text": HALF}), event(type="message_stop")],
            True,
            id="message_stop too early",
        ),
        pytest.param(
            RESPONSES,
            [
                event(type="response.output_text.delta", delta=HALF),
                event(type="response.completed"),
            ],
            True,
            id="response.completed too early",
        ),
    ],
)
def test_streams_that_deceive_are_found(path: str, parts: list[bytes], ended: bool) -> None:  # noqa: FBT001 - a table
    assert found(path, *parts, ended=ended)


def watched(scene: Callable[[Journal], None]) -> list[str]:
    """What the journal says of a scene, played once its clock shows some seconds."""

    async def main() -> list[str]:
        journal = Journal(TARGETS)
        await asyncio.sleep(10)
        scene(journal)
        return journal.violations

    return run_virtual(main())


def test_a_fifth_upstream_call_is_found() -> None:
    def scene(journal: Journal) -> None:
        journal.begins(CHAT, stream=True)
        for target in (*TARGETS, *TARGETS, TARGETS[0]):
            journal.asks(target).is_over = True

    (found_one,) = watched(scene)
    assert "5 upstream calls" in found_one


def test_retries_beyond_the_credit_are_found() -> None:
    def scene(journal: Journal) -> None:
        for _ in range(11):  # with 10 to spend
            journal.begins(CHAT, stream=True)
            for target in (TARGETS[0], TARGETS[0]):
                journal.asks(target).is_over = True

    (found_one,) = watched(scene)
    assert "11 retries" in found_one


def test_hedges_beyond_the_budget_are_found() -> None:
    def scene(journal: Journal) -> None:
        journal.begins(CHAT, stream=True)
        for target in TARGETS:
            journal.asks(target)

    (found_one,) = watched(scene)
    assert "hedge 1" in found_one


def test_a_request_that_goes_to_an_open_target_is_found() -> None:
    async def main() -> list[str]:
        journal = Journal(TARGETS)
        journal.begins(CHAT, stream=True)
        await asyncio.sleep(10)
        journal.breaker_changed(TARGETS[0], Breaker(BreakerState.OPEN))
        journal.asks(TARGETS[0])  # it began before
        await asyncio.sleep(OLD_STATE_S)
        probe = journal.begins(CHAT, stream=True)
        journal.breaker_changed(TARGETS[0], Breaker(BreakerState.HALF_OPEN))
        journal.asks(TARGETS[0])  # with the lease
        assert not journal.violations
        probe.asked[0].is_over = True
        journal.begins(CHAT, stream=True)
        journal.asks(TARGETS[0])
        return journal.violations

    (found_one,) = run_virtual(main())
    assert "open since" in found_one


def test_a_second_row_and_a_missing_one_are_found() -> None:
    def scene(journal: Journal) -> None:
        first = row(attempt(AttemptResult.FAILED))
        journal.row_put(first)
        journal.row_put(row())
        request = journal.begins(CHAT, stream=True)
        request.ended_at, request.honest = journal.now, True
        journal.close(unsettled=0)

    assert [each.partition("invariant ")[2][:1] for each in watched(scene)] == ["2", "2"]


def test_a_frozen_process_does_not_see_time_pass() -> None:
    async def main() -> tuple[float, float, float]:
        clock = LoopClock(started_at=100.0)
        sleeper = asyncio.ensure_future(clock.sleep(5))
        await asyncio.sleep(1)
        clock.freeze()
        await asyncio.sleep(60)
        still = clock.monotonic()
        clock.thaw()
        await sleeper
        return still, clock.monotonic(), clock.now() - EPOCH_S

    assert run_virtual(main()) == (101.0, 105.0, 65.0)


@pytest.mark.parametrize("mode", list(Mode))
def test_equal_seeds_give_equal_worlds(mode: Mode) -> None:
    scenario = next(each for each in SCENARIOS if each.name == "primary-cuts-3-of-10")
    first, again = (play(scenario.setting, scenario.steps, mode, 7).journal for _ in range(2))

    assert first.rows == again.rows

"""One process's part in the fleet: what it reads, what it counts, what it tells."""

from __future__ import annotations

import asyncio

import pytest

from forebay.model import AttemptResult
from forebay.resilience.breaker import BreakerState
from forebay.resilience.window import Counts
from forebay.service.fleet import FRESH_S
from tests.support.fleet import (
    OTHER,
    SETTINGS,
    Stage,
    attempt,
    end_attempts,
    play,
    request,
)

# --- what a healthy fleet costs


def test_requests_that_come_together_share_one_read() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        assert all(await asyncio.gather(*(request(fleet) for _ in range(50))))
        assert stage.store.reads == 1

    play(scene)


def test_a_copy_is_read_again_when_it_is_two_seconds_old_and_not_before() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        await request(fleet)
        stage.clock.advance(FRESH_S - 0.001)
        await request(fleet)
        assert stage.store.reads == 1
        stage.clock.advance(0.001)
        await request(fleet)
        assert stage.store.reads == 2

    play(scene)


def test_time_in_a_frozen_sandbox_counts() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        await request(fleet)
        stage.clock.freeze(FRESH_S)
        await request(fleet)
        assert stage.store.reads == 2

    play(scene)


def test_a_clock_that_was_set_back_makes_no_copy_young() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        await request(fleet)
        stage.clock.freeze(-3600)
        await request(fleet)
        assert stage.store.reads == 2

    play(scene)


def test_while_all_goes_well_nothing_is_written() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(100):
            assert await request(fleet)
            await end_attempts(fleet, AttemptResult.COMPLETE)
            stage.clock.advance(0.5)
        assert stage.store.writes == []

    play(scene)


@pytest.mark.parametrize(
    "result", [AttemptResult.LIMITED, AttemptResult.REFUSED, AttemptResult.ABANDONED]
)
def test_what_is_not_the_target_s_fault_is_not_held_against_it(result: AttemptResult) -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        await end_attempts(fleet, result, times=100)
        assert await request(fleet)
        assert stage.store.writes == []

    play(scene)


# --- opening


def test_a_process_acts_on_its_own_faults_at_once() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(SETTINGS.min_calls):
            assert await request(fleet)
            fleet.attempt_ended(attempt(AttemptResult.FAILED))
        assert not await request(fleet)

    play(scene)


def test_no_request_that_starts_2_s_after_a_transition_elsewhere_is_decided_on_the_old_state() -> (
    None
):
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        assert await request(fleet)  # the copy is made now, a moment before the transition
        await stage.open_elsewhere()
        stage.clock.advance(FRESH_S)
        assert not await request(fleet)

    play(scene)


def test_a_request_waits_for_the_read_that_is_under_way() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        fleet = stage.process()
        stage.store.gate.clear()
        asked = asyncio.create_task(request(fleet))
        await asyncio.sleep(0)
        stage.store.gate.set()
        assert not await asked

    play(scene)


def test_processes_that_see_too_little_alone_open_it_together() -> None:
    async def scene(stage: Stage) -> None:
        processes = [stage.process() for _ in range(SETTINGS.min_calls)]
        for fleet in processes:
            await end_attempts(fleet, AttemptResult.FAILED)
        assert (await stage.breaker()).state is BreakerState.OPEN
        assert not await request(stage.process())

    play(scene)


def test_the_fleet_s_record_overrules_what_one_process_saw() -> None:
    async def scene(stage: Stage) -> None:
        busy, unlucky = stage.process(), stage.process()
        for _ in range(50):
            busy.attempt_ended(attempt(AttemptResult.COMPLETE))
        await end_attempts(busy, AttemptResult.FAILED)
        await end_attempts(unlucky, AttemptResult.FAILED, times=5)
        stage.clock.advance(1)
        await unlucky.flush()
        assert (await stage.breaker()).state is BreakerState.CLOSED
        assert await request(unlucky)

    play(scene)


def test_a_fault_is_told_before_its_request_is_settled() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        fleet.attempt_ended(attempt(AttemptResult.FAILED))
        await stage.store.began["report"].wait()

    play(scene)


def test_slow_first_tokens_open_it_as_well() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(SETTINGS.min_calls):
            fleet.attempt_ended(attempt(first_token_ms=15_001))
        await fleet.flush()
        stage.clock.advance(1)
        await fleet.flush()
        assert (await stage.breaker()).state is BreakerState.OPEN

    play(scene)


def test_another_target_is_not_affected() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        assert await request(stage.process(), OTHER)

    play(scene)


# --- reports


def test_a_process_reports_on_a_target_once_a_second_and_tells_all_in_the_end() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(40):
            fleet.attempt_ended(attempt(AttemptResult.COMPLETE))
            await end_attempts(fleet, AttemptResult.CUT)
            stage.clock.advance(0.1)
        assert stage.store.writes.count("report") == 4
        stage.clock.advance(1)
        await fleet.flush()
        assert await stage.told() == Counts(80, 40)

    play(scene)


def test_targets_do_not_wait_for_each_other() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        await end_attempts(fleet, AttemptResult.FAILED)
        await end_attempts(fleet, AttemptResult.FAILED, target=OTHER)
        assert stage.store.writes == ["report", "report"]

    play(scene)


def test_faults_during_a_write_are_told_by_the_next() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        stage.store.gate.clear()
        fleet.attempt_ended(attempt(AttemptResult.FAILED))
        await asyncio.sleep(0)
        fleet.attempt_ended(attempt(AttemptResult.FAILED))
        stage.clock.advance(1)
        stage.store.gate.set()
        await fleet.flush()
        assert await stage.told() == Counts(2, 2)

    play(scene)


def test_a_report_that_may_have_arrived_is_not_sent_again() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        stage.goes_down()
        await end_attempts(fleet, AttemptResult.FAILED, times=3)
        stage.comes_back()
        stage.clock.advance(1)
        await end_attempts(fleet, AttemptResult.FAILED)
        assert (await stage.told()).faults <= 3

    play(scene)

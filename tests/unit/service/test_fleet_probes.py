"""A target that is left alone is tried again, by one caller of the fleet at a time."""

from __future__ import annotations

import asyncio

from forebay.model import AttemptResult
from forebay.resilience.breaker import BreakerState
from forebay.service.fleet import FRESH_S, REPAIR_AFTER_S, Fleet
from tests.support.fleet import (
    SETTINGS,
    TARGET,
    Stage,
    attempt,
    end_attempts,
    play,
    request,
)


def test_when_a_probe_is_due_one_caller_of_the_fleet_may_try() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        processes = [stage.process() for _ in range(8)]
        asked = [request(fleet) for fleet in processes for _ in range(4)]
        assert (await asyncio.gather(*asked)).count(True) == 1

    play(scene)


def test_callers_of_one_process_do_not_all_ask_for_the_lease() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        fleet = stage.process()
        stage.store.writes.clear()
        stage.store.hold("replace")
        asked = asyncio.gather(*(request(fleet) for _ in range(10)))
        await stage.store.began["replace"].wait()
        stage.store.gate.set()
        assert (await asked).count(True) == 1
        assert stage.store.writes.count("replace") == 1

    play(scene)


def test_a_good_probe_closes_it_for_all() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        fleet, other = stage.process(), stage.process()
        stage.clock.advance(SETTINGS.open_s)
        assert await request(fleet)
        assert not await request(other)
        await end_attempts(fleet, AttemptResult.COMPLETE)
        assert await request(fleet)
        stage.clock.advance(FRESH_S)
        assert await request(other)

    play(scene)


def test_a_failed_probe_opens_it_for_longer() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        fleet = stage.process()
        stage.clock.advance(SETTINGS.open_s)
        assert await request(fleet)
        await end_attempts(fleet, AttemptResult.FAILED)
        stage.clock.advance(SETTINGS.open_s)
        assert not await request(fleet)
        stage.clock.advance(SETTINGS.open_s)
        assert await request(fleet)

    play(scene)


def test_a_prober_that_dies_blocks_the_others_for_its_lease_only() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        assert await request(stage.process())
        fleet = stage.process()
        stage.clock.advance(9.999)
        assert not await request(fleet)
        stage.clock.advance(0.001)
        assert await request(fleet)

    play(scene)


def test_a_lease_is_published_so_that_others_need_not_ask_for_it() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        prober = stage.process()
        assert await request(prober)
        await prober.flush()
        stage.store.writes.clear()
        assert not await request(stage.process())
        assert stage.store.writes == []

    play(scene)


def test_a_lease_that_is_taken_during_another_publication_is_published_after_it() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        stage.store.hold("publish")
        await end_attempts(fleet, AttemptResult.FAILED, times=4)
        stage.clock.advance(1)
        settled = asyncio.create_task(end_attempts(fleet, AttemptResult.FAILED))
        await stage.store.began["publish"].wait()
        stage.clock.advance(SETTINGS.open_s)
        assert await request(fleet)
        stage.store.gate.set()
        await settled
        await fleet.flush()
        assert (await stage.store.snapshot()).breakers == {TARGET: await stage.breaker()}

    play(scene)


def test_a_probe_s_end_is_written_although_a_report_was_just_sent() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        fleet = stage.process()
        assert await request(fleet)
        await fleet.flush()
        await end_attempts(fleet, AttemptResult.COMPLETE)
        assert (await stage.breaker()).state is BreakerState.CLOSED

    play(scene)


def test_a_probe_whose_lease_ran_out_changes_nothing() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        slow, quick = stage.process(), stage.process()
        assert await request(slow)
        stage.clock.advance(10)
        assert await request(quick)
        await end_attempts(quick, AttemptResult.COMPLETE)
        await end_attempts(slow, AttemptResult.FAILED)
        assert (await stage.breaker()).state is BreakerState.CLOSED
        assert await request(slow)

    play(scene)


def test_a_provider_that_is_back_is_used_by_all_within_15_s() -> None:
    async def scene(stage: Stage) -> None:
        processes = [stage.process() for _ in range(5)]
        for tenth in range(1200):  # down for a minute, and back for another
            is_down = tenth < 600
            result = AttemptResult.FAILED if is_down else AttemptResult.COMPLETE
            served = await _call_all(processes, result)
            if tenth >= 750:
                assert served == len(processes)
            stage.clock.advance(0.1)

    play(scene)


async def _call_all(processes: list[Fleet], result: AttemptResult) -> int:
    """Let each process serve a request; return how many tried the target."""
    served = 0
    for fleet in processes:
        if await request(fleet):
            served += 1
            fleet.attempt_ended(attempt(result))
        await fleet.flush()
    return served


# --- a writer that died between record and snapshot


def test_who_finds_a_record_ahead_of_the_snapshot_repairs_it() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down("publish")
        await stage.open_elsewhere()
        stage.comes_back()
        assert (await stage.store.snapshot()).breakers == {}
        fleet = stage.process()
        assert await request(fleet)
        stage.clock.advance(REPAIR_AFTER_S + 0.1)
        await end_attempts(fleet, AttemptResult.FAILED)
        assert (await stage.store.snapshot()).breakers == {TARGET: await stage.breaker()}

    play(scene)


def test_while_its_writer_may_be_at_it_nobody_else_publishes() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down("publish")
        await stage.open_elsewhere()
        stage.comes_back()
        stage.store.writes.clear()
        await end_attempts(stage.process(), AttemptResult.FAILED)
        assert stage.store.writes == ["report"]

    play(scene)


def test_a_failed_publication_is_tried_again_at_the_next_settlement() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        stage.goes_down("publish")
        await end_attempts(fleet, AttemptResult.FAILED, times=5)
        stage.clock.advance(1)
        await end_attempts(fleet, AttemptResult.FAILED)
        stage.comes_back()
        stage.clock.advance(1)
        await fleet.flush()
        assert TARGET in (await stage.store.snapshot()).breakers

    play(scene)


def test_a_prober_that_finds_it_closed_goes_on_and_publishes_that() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        stage.clock.advance(SETTINGS.open_s)
        prober = stage.process()
        assert await request(prober)
        await prober.flush()
        stage.goes_down("publish")
        await end_attempts(prober, AttemptResult.COMPLETE)
        stage.comes_back()
        stage.clock.advance(10)
        fleet = stage.process()
        assert await request(fleet)
        await fleet.flush()
        assert (await stage.store.snapshot()).breakers == {TARGET: await stage.breaker()}

    play(scene)

"""Health is advice: what a process does without it; and the credit it shares."""

from __future__ import annotations

import asyncio

from forebay.model import AttemptResult
from forebay.resilience.fleet_view import Figures
from forebay.service.fleet import FRESH_S, USABLE_S
from forebay.service.own_health import ALONE_S
from tests.support.fleet import (
    OTHER,
    SETTINGS,
    TARGET,
    Stage,
    attempt,
    end_attempts,
    play,
    request,
)


def test_a_store_that_is_down_fails_no_request() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down()
        fleet = stage.process()
        assert await request(fleet)
        await end_attempts(fleet, AttemptResult.FAILED, times=2)
        assert await fleet.spend_credit(TARGET)

    play(scene)


def test_a_store_that_is_down_leaves_each_process_its_own_breaker() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down()
        fleet = stage.process()
        await end_attempts(fleet, AttemptResult.FAILED, times=5)
        assert not await request(fleet)
        stage.clock.advance(SETTINGS.open_s)
        stage.store.hold("replace")
        asked = asyncio.gather(*(request(fleet) for _ in range(10)))
        await stage.store.began["replace"].wait()
        stage.store.gate.set()
        assert (await asked).count(True) == 1
        await end_attempts(fleet, AttemptResult.COMPLETE)
        assert await request(fleet)

    play(scene)


def test_what_a_process_decided_alone_ends_when_the_store_is_back() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down()
        fleet = stage.process()
        await end_attempts(fleet, AttemptResult.FAILED, times=5)
        stage.comes_back()
        stage.clock.advance(ALONE_S)
        assert await request(fleet)

    play(scene)


def test_while_the_store_is_down_the_last_copy_holds_for_30_s_and_then_nothing_is_known() -> None:
    async def scene(stage: Stage) -> None:
        stage.store.failure = None
        await stage.store.publish_figures(TARGET, Figures(0.7))
        fleet = stage.process()
        fleet.begin()
        assert (await fleet.view()).p95_first_token_s(TARGET) == 0.7
        stage.goes_down()
        stage.clock.advance(USABLE_S - 0.001)
        fleet.begin()
        assert (await fleet.view()).p95_first_token_s(TARGET) == 0.7
        stage.clock.advance(0.001)
        fleet.begin()
        assert (await fleet.view()).p95_first_token_s(TARGET) is None

    play(scene)


def test_a_read_that_hangs_is_given_up_by_the_next_request_two_seconds_later() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        stage.store.gate.clear()
        fleet.begin()
        await asyncio.sleep(0)
        stage.clock.advance(FRESH_S)
        fleet.begin()
        stage.store.gate.set()
        assert await fleet.may_try(TARGET)
        assert stage.store.reads == 2

    play(scene)


def test_a_request_that_is_cancelled_while_it_waits_takes_nobody_s_read_along() -> None:
    async def scene(stage: Stage) -> None:
        await stage.open_elsewhere()
        fleet = stage.process()
        stage.store.gate.clear()
        gone, stays = (asyncio.create_task(request(fleet)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        stage.store.gate.set()
        assert not await stays
        assert stage.store.reads == 1

    play(scene)


# --- figures and credit


def test_its_own_times_count_once_there_are_enough() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(19):
            fleet.attempt_ended(attempt(first_token_ms=250))
        assert (await fleet.view()).p95_first_token_s(TARGET) is None
        fleet.attempt_ended(attempt(first_token_ms=250))
        assert (await fleet.view()).p95_first_token_s(TARGET) == 0.25

    play(scene)


def test_inv6_credit_is_the_fleet_s() -> None:
    async def scene(stage: Stage) -> None:
        processes = [stage.process() for _ in range(8)]
        spends = [fleet.spend_credit(TARGET) for fleet in processes for _ in range(3)]
        assert (await asyncio.gather(*spends)).count(True) == 10

    play(scene)


def test_where_there_was_no_credit_the_store_is_not_asked_for_a_second() -> None:
    async def scene(stage: Stage) -> None:
        fleet = stage.process()
        for _ in range(11):
            await fleet.spend_credit(TARGET)
        assert not await fleet.spend_credit(TARGET)
        assert len(stage.store.writes) == 11
        assert await fleet.spend_credit(OTHER)
        stage.clock.advance(1)
        await stage.store.add_streamed(TARGET, {}, batch="1", successes=10)
        assert await fleet.spend_credit(TARGET)

    play(scene)


def test_inv6_with_the_store_down_a_process_has_the_same_credit_of_its_own() -> None:
    async def scene(stage: Stage) -> None:
        stage.goes_down()
        fleet = stage.process()
        assert [await fleet.spend_credit(TARGET) for _ in range(12)].count(True) == 10
        await end_attempts(fleet, AttemptResult.COMPLETE, times=10)
        assert await fleet.spend_credit(TARGET)
        assert not await fleet.spend_credit(TARGET)

    play(scene)

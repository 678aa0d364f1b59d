"""Whatever a fleet's processes do, and in whichever order: what holds for their breakers."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from forebay.model import AttemptResult
from forebay.resilience.breaker import PROBE_LEASE_S, Breaker, BreakerState
from forebay.service.fleet import FRESH_S, Fleet
from tests.support.fleet import SETTINGS, TARGET, Stage, attempt, request

PROCESSES = 3

EVENTS = st.lists(
    st.tuples(
        st.integers(0, PROCESSES - 1),
        st.floats(0, 4),  # seconds since the last event
        st.sampled_from([AttemptResult.FAILED, AttemptResult.COMPLETE, AttemptResult.REFUSED]),
        st.booleans(),  # whether the process dies in mid-attempt
    ),
    max_size=80,
)


@given(EVENTS)
def test_an_open_target_is_left_alone_and_probed_by_one_at_a_time(
    events: list[tuple[int, float, AttemptResult, bool]],
) -> None:
    async def main() -> None:
        stage = Stage()
        processes = [stage.process() for _ in range(PROCESSES)]
        for index, after_s, result, dies in events:
            stage.clock.advance(after_s)
            before = await stage.breaker()
            tries = await request(processes[index])
            check(before, await stage.breaker(), stage.clock.now(), tries=tries)
            if dies:
                processes[index] = stage.process()
            elif tries:
                await end(processes[index], result)

    asyncio.run(main())


def check(before: Breaker, after: Breaker, now: float, *, tries: bool) -> None:
    """Compare a decision with the record, as it was before and as it is after the decision."""
    known_to_all = now - before.since >= FRESH_S
    if before.state is BreakerState.CLOSED or not known_to_all:
        return
    if before.blocks(now):
        assert not tries
    if tries:  # it has the only lease: a new one
        assert after.state is BreakerState.HALF_OPEN
        assert after.version == before.version + 1
        assert after.probe_lease_until == now + PROBE_LEASE_S


async def end(fleet: Fleet, result: AttemptResult) -> None:
    fleet.attempt_ended(attempt(result))
    await fleet.flush()


@given(EVENTS)
def test_it_closes_once_the_provider_is_back_whatever_was_before(
    events: list[tuple[int, float, AttemptResult, bool]],
) -> None:
    async def main() -> None:
        stage = Stage()
        processes = [stage.process() for _ in range(PROCESSES)]
        for index, after_s, result, dies in events:
            stage.clock.advance(after_s)
            if await request(processes[index]) and not dies:
                await end(processes[index], result)
        for _ in range(2 * 15):
            stage.clock.advance(0.5)
            for fleet in processes:
                if await request(fleet):
                    await end(fleet, AttemptResult.COMPLETE)
        assert all([await request(fleet) for fleet in processes])
        # Faults that were told late may have opened it, but no more than that once.
        assert (await stage.breaker()).state is BreakerState.CLOSED

    asyncio.run(main())


def test_the_target_of_these_tests_does_open() -> None:
    async def main() -> None:
        stage = Stage()
        fleet = stage.process()
        for _ in range(SETTINGS.min_calls):
            assert await request(fleet, TARGET)
            await end(fleet, AttemptResult.FAILED)
            stage.clock.advance(1)
        assert (await stage.breaker()).state is BreakerState.OPEN

    asyncio.run(main())

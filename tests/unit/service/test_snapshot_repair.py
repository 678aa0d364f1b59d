"""The snapshot is right a minute later, whatever happened."""

from __future__ import annotations

import asyncio

import pytest

from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.resilience.breaker import Breaker, BreakerEvent, BreakerState, step
from forebay.resilience.fleet_view import Figures, FleetSnapshot
from forebay.resilience.window import Counts, bucket_of
from forebay.service.settler import STALE_S
from forebay.service.snapshot_repair import FORGET_AFTER_S, SnapshotRepair
from forebay.settings import BreakerSettings
from tests.support.ledger_rows import NOW, TARGET

SETTINGS = BreakerSettings()


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.fleet = MemoryFleet()
        self.repair = SnapshotRepair(self.fleet, self.fleet, self.clock, SETTINGS)

    async def change(self, *events: BreakerEvent, publish: bool = False) -> Breaker:
        """Put the record of the target through events, and the snapshot too if asked."""
        breaker = Breaker()
        for event in events:
            after = step(breaker, event, SETTINGS, now=self.clock.now())
            assert after is not None
            breaker = after
            record = (await self.fleet.replace(TARGET, breaker)).record
            if publish:
                await self.fleet.publish(record)
            self.clock.advance(6)
        return breaker

    async def call(self) -> None:
        window = {bucket_of(self.clock.now(), SETTINGS): Counts(1)}
        await self.fleet.add_streamed(TARGET, window, batch=str(self.clock.now()), successes=1)

    async def round(self) -> FleetSnapshot:
        await self.repair.republish_breakers()
        await self.repair.drop_stale_figures()
        return await self.fleet.snapshot()


@pytest.fixture
def bench() -> Bench:
    return Bench()


OPENED = (BreakerEvent.TOO_MANY,)
CLOSED_AGAIN = (*OPENED, BreakerEvent.PROBE_LEASED, BreakerEvent.PROBE_PASSED)


def test_an_opening_whose_writer_died_is_published(bench: Bench) -> None:
    async def main() -> None:
        opened = await bench.change(*OPENED)
        assert (await bench.round()).breakers == {TARGET: opened}

    asyncio.run(main())


def test_a_closing_whose_writer_died_is_published(bench: Bench) -> None:
    async def main() -> None:
        await bench.change(*OPENED, publish=True)
        closed = Breaker()
        for event in CLOSED_AGAIN:
            closed = step(closed, event, SETTINGS, now=bench.clock.now()) or closed
            await bench.fleet.replace(TARGET, closed)
            bench.clock.advance(6)
        shown = (await bench.round()).breakers[TARGET]
        assert (shown.state, shown.version) == (BreakerState.CLOSED, 3)

    asyncio.run(main())


def test_a_snapshot_that_is_right_stays_as_it_is(bench: Bench) -> None:
    async def main() -> None:
        await bench.change(*OPENED, publish=True)
        before = await bench.fleet.snapshot()
        assert await bench.round() == before

    asyncio.run(main())


def test_a_breaker_that_closed_long_ago_is_taken_out(bench: Bench) -> None:
    async def main() -> None:
        await bench.change(*CLOSED_AGAIN, publish=True)
        assert TARGET in (await bench.round()).breakers
        bench.clock.advance(FORGET_AFTER_S)
        assert (await bench.round()).breakers == {}
        assert (await bench.round()).breakers == {}

    asyncio.run(main())


def test_a_closing_that_nobody_saw_for_long_is_published_then_taken_out(bench: Bench) -> None:
    async def main() -> None:
        opened = await bench.change(*OPENED, publish=True)
        leased = step(opened, BreakerEvent.PROBE_LEASED, SETTINGS, now=bench.clock.now())
        assert leased is not None
        closed = step(leased, BreakerEvent.PROBE_PASSED, SETTINGS, now=bench.clock.now())
        assert closed is not None
        await bench.fleet.replace(TARGET, leased)
        await bench.fleet.replace(TARGET, closed)
        bench.clock.advance(FORGET_AFTER_S + 1)
        assert (await bench.round()).breakers == {TARGET: closed}
        assert (await bench.round()).breakers == {}

    asyncio.run(main())


def test_an_open_breaker_stays_however_old(bench: Bench) -> None:
    async def main() -> None:
        opened = await bench.change(*OPENED, publish=True)
        bench.clock.advance(86_400)
        assert (await bench.round()).breakers == {TARGET: opened}

    asyncio.run(main())


def test_figures_of_a_target_in_use_stay(bench: Bench) -> None:
    async def main() -> None:
        await bench.call()
        await bench.fleet.publish_figures(TARGET, Figures(0.3, 7.0))
        bench.clock.advance(STALE_S - 5)
        assert (await bench.round()).figures == {TARGET: Figures(0.3, 7.0)}

    asyncio.run(main())


def test_figures_of_a_target_that_nobody_calls_any_more_go(bench: Bench) -> None:
    async def main() -> None:
        await bench.call()
        await bench.fleet.publish_figures(TARGET, Figures(0.3, 7.0))
        bench.clock.advance(STALE_S + 5)
        assert (await bench.round()).figures == {}

    asyncio.run(main())


def test_figures_of_a_target_without_a_record_go(bench: Bench) -> None:
    async def main() -> None:
        await bench.fleet.publish_figures("gone/model", Figures(0.3))
        assert (await bench.round()).figures == {}

    asyncio.run(main())

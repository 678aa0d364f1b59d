"""Rows of the ledger become breakers and figures, each row once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from typing_extensions import override

from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.errors import StoreUnavailable
from forebay.model import AttemptResult, LedgerRow
from forebay.resilience.breaker import BreakerRecord, BreakerState
from forebay.resilience.fleet_view import NO_FIGURES, Figures
from forebay.resilience.window import Counts, Window
from forebay.service.settler import RETELL_S, STALE_S, Settler
from forebay.settings import BreakerSettings
from tests.support.ledger_rows import NOW, TARGET, attempt, row

SETTINGS = BreakerSettings()


class FailingFleet(MemoryFleet):
    """A fleet whose store fails for some targets, as long as they are named here."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()

    @override
    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        if target in self.down:
            raise StoreUnavailable("no reply in time")
        return await super().add_streamed(target, window, batch=batch, successes=successes)


class Bench:
    """A settler, its clock, and what it entered."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.fleet = FailingFleet()
        self.settler = self.another_process()

    def another_process(self) -> Settler:
        return Settler(self.fleet, self.fleet, self.clock, SETTINGS)

    def settle(self, batch: str, rows: Sequence[LedgerRow]) -> None:
        asyncio.run(self.settler.settle(batch, rows))

    def counts(self, target: str = TARGET) -> Counts:
        return sum(self.record(target).streamed.values(), Counts())

    def record(self, target: str = TARGET) -> BreakerRecord:
        async def main() -> BreakerRecord:
            found = [record async for record in self.fleet.records() if record.target == target]
            return found[0] if found else BreakerRecord(target)

        return asyncio.run(main())

    @property
    def figures(self) -> dict[str, Figures]:
        return dict(asyncio.run(self.fleet.snapshot()).figures)

    @property
    def breakers(self) -> dict[str, BreakerState]:
        shown = asyncio.run(self.fleet.snapshot()).breakers
        return {target: breaker.state for target, breaker in shown.items()}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def rows(count: int, result: AttemptResult = AttemptResult.COMPLETE) -> list[LedgerRow]:
    return [row(attempt(result, first_token_ms=100 + number)) for number in range(count)]


def test_rows_are_counted(bench: Bench) -> None:
    bench.settle("a", [*rows(3), *rows(2, AttemptResult.FAILED)])
    assert bench.counts() == Counts(5, 2, 0, 5)


def test_a_batch_that_comes_again_counts_once(bench: Bench) -> None:
    batch = rows(4)
    bench.settle("a", batch)
    bench.settle("a", batch)
    assert bench.counts() == Counts(4, spoke=4)


def test_a_batch_that_comes_again_to_another_process_counts_once(bench: Bench) -> None:
    batch = rows(4)
    bench.settle("a", batch)
    asyncio.run(bench.another_process().settle("a", batch))
    assert bench.counts() == Counts(4, spoke=4)


def test_batches_count_in_whichever_order_they_come(bench: Bench) -> None:
    later, earlier = rows(2), [row(attempt(), ended_at=NOW - 6)]
    bench.settle("b", later)
    bench.settle("a", earlier)
    bench.settle("b", later)
    assert bench.counts() == Counts(3, spoke=3)


def test_an_old_batch_leaves_no_trace(bench: Bench) -> None:
    bench.settle("a", [row(attempt(AttemptResult.FAILED), ended_at=NOW - 3_600)] * 9)
    assert bench.record() == BreakerRecord(TARGET)


def test_too_many_faults_open_the_breaker_for_the_fleet(bench: Bench) -> None:
    bench.settle("a", rows(SETTINGS.min_calls, AttemptResult.FAILED))
    assert bench.record().breaker.state is BreakerState.OPEN
    assert bench.breakers == {TARGET: BreakerState.OPEN}


def test_one_fault_opens_nothing(bench: Bench) -> None:
    bench.settle("a", [*rows(9), *rows(1, AttemptResult.FAILED)])
    assert bench.breakers == {}


def test_an_opening_that_was_interrupted_is_done_when_the_batch_comes_again(bench: Bench) -> None:
    faults = rows(SETTINGS.min_calls, AttemptResult.CUT)

    async def count_and_die() -> None:
        window = {int(NOW // (SETTINGS.window_s / 10)): Counts(5, 5)}
        await bench.fleet.add_streamed(TARGET, window, batch="a", successes=0)

    asyncio.run(count_and_die())
    bench.settle("a", faults)
    assert bench.counts() == Counts(5, 5)
    assert bench.breakers == {TARGET: BreakerState.OPEN}


def test_whole_answers_earn_retry_credit_once(bench: Bench) -> None:
    for _ in range(5):
        asyncio.run(bench.fleet.spend_credit(TARGET))
    batch = rows(20)
    bench.settle("a", batch)
    bench.settle("a", batch)
    assert bench.record().credit == pytest.approx(7.0)


def test_the_95th_percentile_is_published(bench: Bench) -> None:
    bench.settle("a", rows(20))
    assert bench.figures[TARGET].p95_first_token_s == pytest.approx(0.118)


def test_the_95th_percentile_is_of_more_than_one_batch(bench: Bench) -> None:
    for number in range(20):
        bench.settle(str(number), [row(attempt(first_token_ms=100 + number))])
    assert bench.figures[TARGET].p95_first_token_s == pytest.approx(0.118)


def test_times_of_a_batch_that_comes_again_are_taken_once(bench: Bench) -> None:
    batch = rows(19)
    bench.settle("a", batch)
    bench.settle("a", batch)
    assert TARGET not in bench.figures


def test_times_from_before_a_long_silence_are_forgotten(bench: Bench) -> None:
    bench.settle("a", rows(20))
    bench.clock.advance(STALE_S + 1)
    asyncio.run(bench.fleet.publish_figures(TARGET, NO_FIGURES))
    bench.settle("b", [row(attempt(), ended_at=bench.clock.now())])
    assert bench.figures == {}


def test_a_process_that_measured_too_little_leaves_anothers_figures_alone(bench: Bench) -> None:
    bench.settle("a", rows(20))
    asyncio.run(bench.another_process().settle("b", rows(2)))
    assert bench.figures[TARGET].p95_first_token_s == pytest.approx(0.118)


def test_figures_that_hardly_change_are_not_written_with_each_batch(bench: Bench) -> None:
    bench.settle("a", rows(20))
    asyncio.run(bench.fleet.publish_figures(TARGET, Figures(9.0)))
    bench.settle("b", rows(1))
    assert bench.figures[TARGET].p95_first_token_s == 9.0
    bench.clock.advance(RETELL_S)
    bench.settle("c", [row(attempt(), ended_at=bench.clock.now())])
    assert bench.figures[TARGET].p95_first_token_s != 9.0


def test_figures_that_changed_are_written_at_once(bench: Bench) -> None:
    bench.settle("a", rows(20))
    bench.settle("b", [row(attempt(first_token_ms=2_000))] * 20)
    assert bench.figures[TARGET].p95_first_token_s == pytest.approx(2.0)


def test_a_target_whose_write_fails_does_not_keep_others_from_being_counted(bench: Bench) -> None:
    batch = [row(attempt(target="down/m"), attempt()), row(attempt(target="up/m"))]
    bench.fleet.down = {"down/m"}
    with pytest.raises(StoreUnavailable):
        bench.settle("a", batch)
    assert [bench.counts(name) for name in ("down/m", TARGET, "up/m")] == [
        Counts(), Counts(1, spoke=1), Counts(1, spoke=1),
    ]  # fmt: skip


def test_when_the_store_is_back_each_target_has_counted_once(bench: Bench) -> None:
    batch = [row(attempt(target="down/m"), attempt())]
    bench.fleet.down = {"down/m"}
    with pytest.raises(StoreUnavailable):
        bench.settle("a", batch)
    bench.fleet.down = set()
    bench.settle("a", batch)
    assert [bench.counts(name) for name in ("down/m", TARGET)] == [Counts(1, spoke=1)] * 2

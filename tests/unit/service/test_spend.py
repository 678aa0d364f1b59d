"""The spend of the last hour: told with each batch, and counted once."""

import asyncio
from dataclasses import replace

import pytest

from forebay import telemetry as names
from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.spend import MemorySpendBooks
from forebay.money import NANO_PER_USD, NanoUsd
from forebay.rollups import LedgerBatch, NumberedRow
from forebay.service.spend import SpendMeter
from tests.support.ledger_rows import NOW, row


class Told:
    """Port `Gauges`: what was told."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def gauge(self, name: str, value: float) -> None:
        assert name == names.SPEND_LAST_HOUR
        self.values.append(value)


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.told = Told()
        self.books = MemorySpendBooks()
        self.meter = SpendMeter(self.books, self.told, self.clock)

    def enter(self, *numbered: NumberedRow, shard: str = "a") -> float | None:
        """Enter a batch; return what was told of it."""
        before = len(self.told.values)
        asyncio.run(self.meter.enter(LedgerBatch("batch", shard, numbered)))
        return self.told.values[before] if self.told.values[before:] else None


@pytest.fixture
def bench() -> Bench:
    return Bench()


def spent(usd: float, number: int, *, ended_at: float = NOW) -> NumberedRow:
    cost = NanoUsd(round(usd * NANO_PER_USD))
    return NumberedRow(f"{number:040d}", replace(row(ended_at=ended_at), cost_nano_usd=cost))


def test_what_a_batch_cost_is_told(bench: Bench) -> None:
    assert bench.enter(spent(1.25, 1), spent(0.5, 2)) == 1.75


def test_batches_of_all_shards_are_added_up(bench: Bench) -> None:
    bench.enter(spent(1, 1))
    assert bench.enter(spent(2, 1), shard="b") == 3


def test_a_batch_that_comes_again_is_not_added_again(bench: Bench) -> None:
    bench.enter(spent(1, 1), spent(2, 2))
    assert bench.enter(spent(1, 1), spent(2, 2)) is None
    assert bench.enter(spent(4, 3)) == 7


def test_of_a_batch_that_overlaps_only_the_rest_is_added(bench: Bench) -> None:
    bench.enter(spent(1, 1), spent(2, 2))
    assert bench.enter(spent(2, 2), spent(4, 3)) == 7


def test_rows_may_be_in_any_order(bench: Bench) -> None:
    assert bench.enter(spent(2, 2), spent(1, 1)) == 3
    assert bench.enter(spent(4, 3)) == 7


def test_a_minute_leaves_the_window_after_an_hour(bench: Bench) -> None:
    bench.enter(spent(1, 1))
    bench.clock.advance(59 * 60)
    assert bench.enter(spent(2, 2, ended_at=NOW + 59 * 60)) == 3
    bench.clock.advance(60)
    assert bench.enter(spent(4, 3, ended_at=NOW + 60 * 60)) == 6


def test_a_request_that_ended_over_an_hour_ago_is_not_spend_of_this_hour(bench: Bench) -> None:
    assert bench.enter(spent(1, 1, ended_at=NOW - 3600), spent(2, 2)) == 2


def test_a_request_that_ended_in_the_future_by_another_clock_counts_now(bench: Bench) -> None:
    bench.enter(spent(1, 1, ended_at=NOW + 7200))
    bench.clock.advance(60 * 60)
    assert bench.enter(spent(2, 2, ended_at=NOW + 3600)) == 2


def test_a_batch_without_rows_tells_nothing(bench: Bench) -> None:
    assert bench.enter() is None

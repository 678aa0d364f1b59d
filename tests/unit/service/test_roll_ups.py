"""Batches of the ledger's stream, added up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from typing_extensions import override

from forebay.adapters.memory import MemoryUsage
from forebay.errors import StoreUnavailable
from forebay.model import LedgerRow
from forebay.rollups import Dimension, LedgerBatch, NumberedRow, RollUp, Tally, Totals
from forebay.service.roll_ups import RollUps, all_of
from tests.support.admin_api import ledger_row

NOON = 1_795_435_200.0
DAY = "2026-11-23"
ROWS = [ledger_row(str(number), NOON) for number in range(6)]


class CountedUsage(MemoryUsage):
    """Counts writes, and refuses those to some dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.down: set[Dimension] = set()

    @override
    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        self.writes += 1
        if roll_up.dimension in self.down:
            raise StoreUnavailable("throttled")
        return await super().add(roll_up, shard, tally)

    def total(self, dimension: Dimension = Dimension.DAY) -> Totals:
        sums = Totals()
        for _, part in self.roll_ups(dimension, first_day=DAY, last_day=DAY):
            sums.include(part)
        return sums


def batch(*numbers: int, rows: list[LedgerRow] = ROWS, shard: str = "s") -> LedgerBatch:
    return LedgerBatch("b", shard, tuple(NumberedRow(f"{n:03d}", rows[n]) for n in numbers))


def enter(usage: CountedUsage, *batches: LedgerBatch) -> None:
    for each in batches:
        asyncio.run(RollUps(usage).enter(each))


@pytest.fixture
def usage() -> CountedUsage:
    return CountedUsage()


def test_a_batch_takes_one_write_for_each_day_key_team_model_and_tag(usage: CountedUsage) -> None:
    rows = [replace(row, tags=("a", "b")) for row in ROWS]
    enter(usage, batch(0, 1, 2, rows=rows))
    assert usage.writes == 1 + 1 + 1 + 1 + 2
    assert (usage.total().requests, usage.total().cost_nano_usd) == (3, 3 * 1_234)


def test_a_batch_that_comes_again_counts_once(usage: CountedUsage) -> None:
    enter(usage, batch(0, 1, 2), batch(0, 1, 2))
    assert usage.total().requests == 3


def test_the_second_half_of_a_batch_that_was_entered_counts_nothing(usage: CountedUsage) -> None:
    enter(usage, batch(0, 1, 2, 3), batch(2, 3))
    assert usage.total().requests == 4


def test_of_a_batch_that_overlaps_only_what_is_new_counts(usage: CountedUsage) -> None:
    enter(usage, batch(0, 1, 2), batch(1, 2, 3, 4))
    assert usage.total().requests == 5


def test_rows_of_a_batch_count_in_any_order_and_once(usage: CountedUsage) -> None:
    enter(usage, batch(2, 0, 1, 0))
    assert usage.total().requests == 3


def test_after_a_failure_in_the_middle_the_rest_is_added_and_nothing_twice(
    usage: CountedUsage,
) -> None:
    usage.down = {Dimension.KEY, Dimension.DAY}
    with pytest.raises(StoreUnavailable):
        enter(usage, batch(0, 1, 2, 3))
    assert usage.total(Dimension.MODEL).requests == 4  # one that fails does not keep others back
    usage.down = set()
    enter(usage, batch(0, 1), batch(2, 3))
    assert {usage.total(each).requests for each in Dimension} == {4, 0}  # no tags


def test_shards_may_be_ahead_of_each_other(usage: CountedUsage) -> None:
    enter(usage, batch(4, shard="a"), batch(0, shard="b"), batch(5, shard="a"))
    assert usage.total().requests == 3


def test_an_empty_batch_writes_nothing(usage: CountedUsage) -> None:
    enter(usage, batch())
    assert usage.writes == 0


def test_where_one_of_several_fails_the_others_have_had_the_batch() -> None:
    seen: list[str] = []

    async def broken(_: LedgerBatch) -> None:
        raise StoreUnavailable("down")

    async def listening(each: LedgerBatch) -> None:
        seen.append(each.name)

    async def main() -> None:
        await all_of(broken, listening)(batch(0))

    with pytest.raises(StoreUnavailable):
        asyncio.run(main())
    assert seen == ["b"]

"""Ports `UsageBooks` and `UsageReader`: what every store of roll-ups does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from forebay.money import NanoUsd
from forebay.rollups import Dimension, Group, RollUp, Tally, Totals
from tests.contract.stores.conftest import UsageStore

DAY = "2026-11-23"
FAST = RollUp(DAY, Dimension.MODEL, Group("fast", "fast"))


def number(place: int) -> str:
    return f"{place:040d}"


def tally(first: int, last: int, **counters: int) -> Tally:
    requests = last - first + 1
    return Tally(number(first), number(last), totals(requests=requests, **counters))


def totals(**counters: int) -> Totals:
    cost = NanoUsd(counters.pop("cost_nano_usd", 0))
    return Totals(**counters, cost_nano_usd=cost)


def add(
    store: UsageStore, *tallies: Tally, roll_up: RollUp = FAST, shard: str = "s"
) -> list[str | None]:
    """Add at the same time; return what each was told."""

    async def main() -> list[str | None]:
        async with store.hot() as books:
            return await asyncio.gather(*(books.add(roll_up, shard, each) for each in tallies))

    return asyncio.run(main())


def read(
    store: UsageStore,
    dimension: Dimension = Dimension.MODEL,
    days: Sequence[str] = (DAY, DAY),
) -> dict[RollUp, Totals]:
    sums: dict[RollUp, Totals] = {}
    for roll_up, part in store.reader.roll_ups(dimension, first_day=days[0], last_day=days[1]):
        sums.setdefault(roll_up, Totals()).include(part)
    return sums


def test_all_counters_are_added_exactly(usage_store: UsageStore) -> None:
    counters = {
        "input_tokens": 2**40,
        "cached_input_tokens": 3,
        "cache_write_input_tokens": 5,
        "output_tokens": 7,
        "cost_nano_usd": 2**62 + 1,
    }
    add(usage_store, tally(1, 4, **counters))
    add(usage_store, tally(5, 5, cost_nano_usd=1))
    expected = {**counters, "cost_nano_usd": 2**62 + 2, "requests": 5}
    assert read(usage_store) == {FAST: totals(**expected)}


def test_what_was_counted_is_refused_and_told_up_to_where(usage_store: UsageStore) -> None:
    assert add(usage_store, tally(5, 8)) == [None]
    for again in (tally(5, 8), tally(1, 4), tally(8, 12), tally(6, 7)):
        assert add(usage_store, again) == [number(8)]
    assert read(usage_store) == {FAST: totals(requests=4)}


def test_what_is_behind_it_is_added(usage_store: UsageStore) -> None:
    add(usage_store, tally(5, 8))
    assert add(usage_store, tally(10, 11)) == [None]
    assert read(usage_store) == {FAST: totals(requests=6)}


def test_of_many_who_add_the_same_at_once_one_does(usage_store: UsageStore) -> None:
    told = add(usage_store, *[tally(1, 3, cost_nano_usd=7)] * 20)
    assert sorted(told, key=str) == [number(3)] * 19 + [None]
    assert read(usage_store) == {FAST: totals(requests=3, cost_nano_usd=7)}


def test_shards_count_apart_and_are_read_together(usage_store: UsageStore) -> None:
    for shard in ("shardId-1", "shardId-2", "shardId-3"):
        assert add(usage_store, tally(1, 1, cost_nano_usd=1), shard=shard) == [None]
    assert read(usage_store) == {FAST: totals(requests=3, cost_nano_usd=3)}


@pytest.mark.parametrize(
    "roll_up",
    [
        RollUp(DAY, Dimension.DAY, Group(DAY, DAY)),
        RollUp(DAY, Dimension.KEY, Group("web", "a" * 10)),
        RollUp(DAY, Dimension.KEY, Group("web", "b" * 10)),
        RollUp(DAY, Dimension.TEAM, Group("", "acme/")),
        RollUp(DAY, Dimension.TAG, Group("größe#1/x y", "größe#1/x y")),
        RollUp(DAY, Dimension.TAG, Group("", "")),
    ],
    ids=["day", "key", "other key of that name", "no team", "odd tag", "empty tag"],
)
def test_a_roll_up_is_read_as_it_was_named(usage_store: UsageStore, roll_up: RollUp) -> None:
    add(usage_store, tally(1, 1))
    add(usage_store, tally(1, 2), roll_up=roll_up)
    assert read(usage_store, roll_up.dimension) == {roll_up: totals(requests=2)}


def test_days_are_read_from_the_first_to_the_last(usage_store: UsageStore) -> None:
    days = ["2025-12-30", "2025-12-31", "2026-01-01", "2026-02-28", "2026-03-01", "2026-03-02"]
    for day in days:
        add(usage_store, tally(1, 1), roll_up=RollUp(day, Dimension.MODEL, FAST.group))
    found = read(usage_store, days=("2025-12-31", "2026-03-01"))
    assert sorted(each.day for each in found) == days[1:-1]


@pytest.mark.parametrize("day", ["", "today", "2026-11-31"])
def test_what_is_no_day_is_an_error(usage_store: UsageStore, day: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(usage_store.reader.roll_ups(Dimension.DAY, first_day=day, last_day=DAY))

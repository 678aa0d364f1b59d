"""Port `SpendBooks`: minutes add up over shards and processes, and rows count once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import pytest

from forebay.adapters.dynamodb.spend import KEPT_MINUTES, KEPT_SHARD_MINUTES, KEY, DynamoSpendBooks
from forebay.adapters.dynamodb.tables import TableLocation, UsageItem, located
from forebay.adapters.memory.spend import MemorySpendBooks
from forebay.money import NanoUsd
from forebay.ports.background import SpendBooks
from forebay.rollups import MinuteSpend, SpendState
from tests.contract.stores.conftest import BACKENDS, opened

T = TypeVar("T")
Open = Callable[[], AbstractAsyncContextManager[SpendBooks]]
MINUTE = 29_465_521


@pytest.fixture(params=BACKENDS)
def books(request: pytest.FixtureRequest) -> Open:
    """An empty store; each opening is a process of its own."""
    if request.param == "memory":
        memory = MemorySpendBooks()

        @asynccontextmanager
        async def shared() -> AsyncIterator[SpendBooks]:
            yield memory

        return shared
    location: TableLocation = request.getfixturevalue("location")
    located(UsageItem, location).create_table(wait=True)

    @asynccontextmanager
    async def process() -> AsyncIterator[SpendBooks]:
        async with opened(location) as database:
            yield DynamoSpendBooks(database, table=location.name)

    return process


def run(books: Open, use: Callable[[SpendBooks], Awaitable[T]]) -> T:
    async def main() -> T:
        async with books() as process:
            return await use(process)

    return asyncio.run(main())


def entry(
    first: int, last: int, minutes: dict[int, int], *, shard: str = "a", now: int = MINUTE
) -> MinuteSpend:
    cost = {minute: NanoUsd(nano) for minute, nano in minutes.items()}
    return MinuteSpend(shard, f"{first:040d}", f"{last:040d}", cost, now)


def add(books: Open, *entries: MinuteSpend) -> SpendState:
    """Add one after the other; return the last answer."""

    async def use(process: SpendBooks) -> SpendState:
        for each in entries[:-1]:
            await process.add_spend(each)
        return await process.add_spend(entries[-1])

    return run(books, use)


def test_the_answer_is_the_hour_with_what_was_added(books: Open) -> None:
    state = add(books, entry(1, 2, {MINUTE: 5, MINUTE - 1: 7}))
    assert (state.minutes, state.counted_to) == ({MINUTE: 5, MINUTE - 1: 7}, None)


def test_processes_and_shards_add_to_the_same_minutes(books: Open) -> None:
    add(books, entry(1, 2, {MINUTE: 5}))
    assert add(books, entry(1, 2, {MINUTE: 7}, shard="b")).minutes == {MINUTE: 12}


def test_rows_that_are_counted_are_not_added_and_the_answer_says_up_to_where(books: Open) -> None:
    add(books, entry(1, 4, {MINUTE: 5}))
    again = add(books, entry(4, 6, {MINUTE: 7}))
    assert (again.minutes, again.counted_to) == ({MINUTE: 5}, f"{4:040d}")
    assert add(books, entry(5, 6, {MINUTE: 7})).minutes == {MINUTE: 12}


def test_rows_without_a_minute_are_counted_too(books: Open) -> None:
    add(books, entry(1, 4, {}))
    assert add(books, entry(4, 4, {MINUTE: 7})).counted_to == f"{4:040d}"


def test_of_many_at_once_each_counts_once(books: Open) -> None:
    shards = [f"shard-{number}" for number in range(16)]

    async def use(process: SpendBooks) -> None:
        twice = [entry(1, 1, {MINUTE: 3}, shard=shard) for shard in shards] * 2
        await asyncio.gather(*(process.add_spend(each) for each in twice))

    run(books, use)
    assert add(books, entry(1, 1, {}, shard="last")).minutes == {MINUTE: 3 * len(shards)}


@pytest.mark.ministack
def test_what_is_too_old_is_taken_out_of_the_item(location: TableLocation) -> None:
    located(UsageItem, location).create_table(wait=True)

    async def main() -> set[str]:
        async with opened(location) as database:
            process = DynamoSpendBooks(database, table=location.name)
            later = MINUTE + KEPT_SHARD_MINUTES
            await process.add_spend(entry(1, 1, {MINUTE: 3}))
            await process.add_spend(entry(1, 1, {MINUTE + KEPT_MINUTES: 3}, shard="b", now=later))
            await process.add_spend(entry(2, 2, {later: 3}, shard="b", now=later))
            item = (await database.get_item({"TableName": location.name, "Key": KEY}))["Item"]
            return set(item) - KEY.keys()

    assert asyncio.run(main()) == {f"m{MINUTE + KEPT_SHARD_MINUTES}", "sb"}

"""Port `IdempotencyRecords`: one runs, whatever comes at once; what has expired is not there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from forebay.adapters.dynamodb import DynamoDb
from forebay.adapters.dynamodb.idempotency import PART_BYTES, DynamoIdempotencyRecords
from forebay.adapters.dynamodb.tables import JobItem, TableLocation
from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.admission.idempotency import RunRecord
from forebay.errors import ConditionFailed, StoreError, StoreUnavailable
from forebay.ports import IdempotencyRecords
from tests.contract.stores.conftest import BACKENDS, in_dynamo, in_memory, opened
from tests.support.ministack import REGION

T = TypeVar("T")
NOW = 1_800_000_000.0
LEASE_END = NOW + 60
STORED_UNTIL = NOW + 86_400
RUN = RunRecord("idem#acme#k#0", "ab" * 32, "run-1", began_at=NOW + 0.25, expires_at=LEASE_END)
OTHER = replace(RUN, digest="cd" * 32, run_id="run-2")


@dataclass(frozen=True)
class Store:
    """An empty store; opened once for each event loop."""

    opened: Callable[[], AbstractAsyncContextManager[IdempotencyRecords]]

    def run(self, use: Callable[[IdempotencyRecords], Awaitable[T]]) -> T:
        async def main() -> T:
            async with self.opened() as records:
                return await use(records)

        return asyncio.run(main())


def dynamo_store(location: TableLocation) -> Store:
    def adapter(database: DynamoDb, table: str) -> DynamoIdempotencyRecords:
        return DynamoIdempotencyRecords(database, table=table)

    return Store(in_dynamo(location, JobItem, adapter))


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return Store(in_memory(MemoryIdempotencyRecords()))
    return dynamo_store(request.getfixturevalue("location"))


def test_the_first_run_is_stored(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> tuple[RunRecord | None, RunRecord | None]:
        return await records.begin(RUN, now=NOW), await records.begin(OTHER, now=NOW)

    assert store.run(use) == (None, RUN)


def test_a_run_that_is_stored_twice_does_not_meet_itself(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> list[RunRecord | None]:
        return [await records.begin(RUN, now=NOW) for _ in range(2)]

    assert store.run(use) == [None, None]


def test_of_sixteen_at_once_one_wins_and_the_others_meet_it(store: Store) -> None:
    runs = [replace(RUN, run_id=f"run-{number}", digest=f"{number}") for number in range(16)]

    async def use(records: IdempotencyRecords) -> list[RunRecord | None]:
        return await asyncio.gather(*(records.begin(run, now=NOW) for run in runs))

    met = store.run(use)
    winner = runs[met.index(None)]
    assert met.count(None) == 1
    assert [run for run in met if run is not None] == [winner] * 15


def test_of_sixteen_who_find_a_dead_run_one_wins(store: Store) -> None:
    runs = [
        replace(RUN, run_id=f"heir-{number}", expires_at=LEASE_END + 60) for number in range(16)
    ]

    async def use(records: IdempotencyRecords) -> list[RunRecord | None]:
        await records.begin(RUN, now=NOW)
        return await asyncio.gather(*(records.begin(run, now=LEASE_END) for run in runs))

    assert store.run(use).count(None) == 1


def test_two_records_have_nothing_to_do_with_each_other(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> list[RunRecord | None]:
        elsewhere = replace(OTHER, record_id="idem#acme#k#1")
        return [await records.begin(run, now=NOW) for run in (RUN, elsewhere)]

    assert store.run(use) == [None, None]


@pytest.mark.parametrize(
    ("now", "met"),
    [(LEASE_END - 0.1, RUN), (LEASE_END, None), (LEASE_END + 1, None)],
    ids=["runs", "just expired", "expired"],
)
def test_a_run_is_in_the_way_until_it_expires(
    store: Store, now: float, met: RunRecord | None
) -> None:
    async def use(records: IdempotencyRecords) -> RunRecord | None:
        await records.begin(RUN, now=NOW)
        return await records.begin(OTHER, now=now)

    assert store.run(use) == met


@pytest.mark.parametrize(
    ("size", "parts"),
    [(1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2), (4 * 1024 * 1024, 12)],
)
def test_an_answer_is_read_as_it_was_stored(store: Store, size: int, parts: int) -> None:
    content = os.urandom(size)

    async def use(records: IdempotencyRecords) -> tuple[RunRecord, bytes]:
        await records.begin(RUN, now=NOW)
        await records.complete(RUN, content, expires_at=STORED_UNTIL)
        met = await records.begin(OTHER, now=STORED_UNTIL - 1)
        assert met is not None
        return met, await records.content(met)

    met, stored = store.run(use)
    assert stored == content
    assert met == replace(RUN, expires_at=STORED_UNTIL, parts=met.parts)
    assert met.parts in {1, parts}  # memory has no parts


def test_an_answer_that_expired_is_not_in_the_way(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> RunRecord | None:
        await records.begin(RUN, now=NOW)
        await records.complete(RUN, b"answer", expires_at=STORED_UNTIL)
        return await records.begin(OTHER, now=STORED_UNTIL)

    assert store.run(use) is None


def test_an_answer_can_be_stored_twice(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> bytes:
        await records.begin(RUN, now=NOW)
        for _ in range(2):
            await records.complete(RUN, b"answer", expires_at=STORED_UNTIL)
        return await records.content(replace(RUN, parts=1))

    assert store.run(use) == b"answer"


def test_who_was_taken_for_dead_stores_no_answer(store: Store) -> None:
    heir = replace(RUN, run_id="heir", expires_at=LEASE_END + 60)

    async def use(records: IdempotencyRecords) -> tuple[RunRecord, bytes]:
        await records.begin(RUN, now=NOW)
        await records.begin(heir, now=LEASE_END)
        with pytest.raises(ConditionFailed):
            await records.complete(RUN, b"late", expires_at=STORED_UNTIL)
        await records.complete(heir, b"the heir's", expires_at=STORED_UNTIL)
        met = await records.begin(OTHER, now=LEASE_END)
        assert met is not None
        return met, await records.content(met)

    met, content = store.run(use)
    assert (met.run_id, content) == ("heir", b"the heir's")


def test_no_answer_is_stored_without_a_record(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> RunRecord | None:
        with pytest.raises(ConditionFailed):
            await records.complete(RUN, b"answer", expires_at=STORED_UNTIL)
        return await records.begin(OTHER, now=NOW)

    assert store.run(use) is None


def test_a_run_that_is_removed_makes_way(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> RunRecord | None:
        await records.begin(RUN, now=NOW)
        await records.remove(RUN)
        await records.remove(RUN)
        return await records.begin(OTHER, now=NOW)

    assert store.run(use) is None


def test_another_s_run_is_not_removed(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> RunRecord | None:
        await records.begin(RUN, now=NOW)
        await records.remove(OTHER)
        return await records.begin(OTHER, now=NOW)

    assert store.run(use) == RUN


def test_a_stored_answer_is_not_removed(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> bytes:
        await records.begin(RUN, now=NOW)
        await records.complete(RUN, b"answer", expires_at=STORED_UNTIL)
        await records.remove(RUN)
        met = await records.begin(OTHER, now=NOW)
        assert met is not None
        return await records.content(met)

    assert store.run(use) == b"answer"


def test_an_answer_that_is_gone_is_an_error(store: Store) -> None:
    async def use(records: IdempotencyRecords) -> None:
        with pytest.raises(StoreError):
            await records.content(replace(RUN, parts=1))

    store.run(use)


@pytest.mark.ministack
@pytest.mark.parametrize(
    "damage",
    [
        {"run_id": {"NULL": True}},
        {"digest": {"M": {}}},
        {"began_at": {"S": "x"}},
        {"expires_at": {"NULL": True}},
        {"parts": {"NULL": True}},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_an_unreadable_record_is_an_error_that_names_it(
    location: TableLocation, damage: dict[str, Any]
) -> None:
    dynamo_store(location)
    item = {
        "job_id": {"S": RUN.record_id},
        "digest": {"S": RUN.digest},
        "run_id": {"S": RUN.run_id},
        "began_at": {"N": "1"},
        "expires_at": {"N": str(int(LEASE_END))},
        "parts": {"N": "0"},
    }

    async def main() -> None:
        async with opened(location) as database:
            await database.put_item({"TableName": location.name, "Item": {**item, **damage}})
            records = DynamoIdempotencyRecords(database, table=location.name)
            with pytest.raises(StoreError, match=RUN.record_id):
                await records.begin(OTHER, now=NOW)

    asyncio.run(main())


def test_a_store_out_of_reach_is_an_error() -> None:
    async def main() -> None:
        nowhere = TableLocation("jobs", REGION, "http://127.0.0.1:1")  # tcpmux: nothing serves it
        async with opened(nowhere) as database:
            records = DynamoIdempotencyRecords(database, table="jobs")
            for use in (
                records.begin(RUN, now=NOW),
                records.complete(RUN, b"answer", expires_at=STORED_UNTIL),
                records.content(replace(RUN, parts=1)),
                records.remove(RUN),
            ):
                with pytest.raises(StoreUnavailable):
                    await use

    asyncio.run(main())

"""Ports `Ledger` and `LedgerReader`: what every ledger does."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from forebay.adapters.dynamodb.ledger_reader import DynamoLedgerReader
from forebay.adapters.dynamodb.tables import LedgerItem, TableLocation, located
from forebay.errors import StoreError
from forebay.model import AttemptRecord, AttemptResult, LedgerRow, Outcome
from forebay.money import NanoUsd
from tests.contract.stores.conftest import LedgerStore, opened
from tests.contract.stores.records import FAILED_ROW, NOON, ROW

ATTEMPTS = (
    AttemptRecord("größe/model", AttemptResult.FAILED, "upstream_unavailable"),
    AttemptRecord("openai/gpt-5-mini", AttemptResult.COMPLETE, first_token_ms=0),
)
DAY_S = 86_400
TODAY = "2026-11-23"


def put_all(store: LedgerStore, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """Put the rows at the same time and return what each writer was told."""

    async def main() -> list[LedgerRow]:
        async with store.hot() as ledger:
            return await asyncio.gather(*(ledger.put(row) for row in rows))

    return asyncio.run(main())


def read(store: LedgerStore, first_day: str = TODAY, last_day: str = TODAY) -> set[LedgerRow]:
    rows = list(store.reader.rows(first_day=first_day, last_day=last_day))
    assert len(rows) == len(set(rows))
    return set(rows)


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        FAILED_ROW,
        replace(ROW, cost_nano_usd=NanoUsd(2**62 + 1), created_at=NOON + 1e-6),
        replace(ROW, attempts=ATTEMPTS),
        replace(ROW, tags=("größe", "")),
    ],
    ids=["complete", "failed", "exact", "attempts", "tags"],
)
def test_a_row_is_read_as_it_was_put(ledger_store: LedgerStore, row: LedgerRow) -> None:
    assert put_all(ledger_store, [row]) == [row]
    assert read(ledger_store) == {row}


def test_a_second_row_of_a_request_is_refused_and_told_the_first(ledger_store: LedgerStore) -> None:
    other = replace(ROW, outcome=Outcome.CUT, cost_nano_usd=NanoUsd(1))
    put_all(ledger_store, [ROW])
    assert put_all(ledger_store, [other]) == [ROW]
    assert read(ledger_store) == {ROW}


def test_inv2_of_50_who_settle_a_request_one_wins_and_all_are_told_its_row(
    ledger_store: LedgerStore,
) -> None:
    rivals = [replace(ROW, cost_nano_usd=NanoUsd(number)) for number in range(50)]
    told = put_all(ledger_store, rivals)
    assert set(told) == read(ledger_store)
    assert len(set(told)) == 1


def test_rows_of_different_requests_do_not_meet(ledger_store: LedgerStore) -> None:
    rows = [replace(ROW, request_id=f"01KAS{number:021d}") for number in range(100)]
    assert put_all(ledger_store, rows) == rows
    assert read(ledger_store) == set(rows)


def test_days_are_utc_and_both_ends_count(ledger_store: LedgerStore) -> None:
    midnight = NOON - DAY_S / 2
    times = {
        "the day before": midnight - 0.001,
        "first": midnight,
        "last": midnight + 2 * DAY_S - 0.001,
        "the day after": midnight + 2 * DAY_S,
    }
    put_all(
        ledger_store,
        [replace(ROW, request_id=name, created_at=time) for name, time in times.items()],
    )
    read_ids = {row.request_id for row in read(ledger_store, TODAY, "2026-11-24")}
    assert read_ids == {"first", "last"}


def test_days_without_rows_are_empty(ledger_store: LedgerStore) -> None:
    put_all(ledger_store, [ROW])
    assert read(ledger_store, "2026-11-21", "2026-11-22") == set()


def test_days_in_the_wrong_order_are_none(ledger_store: LedgerStore) -> None:
    put_all(ledger_store, [ROW])
    assert read(ledger_store, "2026-11-24", "2026-11-22") == set()


@pytest.mark.parametrize("day", ["", "yesterday", "2026-02-30", "2026-11-23T00:00"])
def test_what_is_no_day_is_refused(ledger_store: LedgerStore, day: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|day is out of range"):
        read(ledger_store, day, TODAY)


@pytest.mark.ministack
def test_a_day_is_read_over_many_pages(dynamo_ledger_store: LedgerStore) -> None:
    rows = [
        replace(ROW, request_id=f"01KAS{number:021d}", request_model="x" * 300_000)
        for number in range(40)
    ]
    put_all(dynamo_ledger_store, rows)
    assert read(dynamo_ledger_store) == set(rows)


@pytest.mark.ministack
def test_a_row_over_400_kb_is_refused_with_the_reason(dynamo_ledger_store: LedgerStore) -> None:
    with pytest.raises(StoreError, match="Item size has exceeded"):
        put_all(dynamo_ledger_store, [replace(ROW, request_model="x" * 410_000)])


@pytest.mark.ministack
def test_a_ledger_that_is_not_there_is_a_store_error(location: TableLocation) -> None:
    with pytest.raises(StoreError, match="ResourceNotFoundException"):
        list(DynamoLedgerReader(location).rows(first_day=TODAY, last_day=TODAY))


@pytest.mark.ministack
def test_a_stored_row_that_cannot_be_read_is_an_error_that_names_it(
    dynamo_ledger_store: LedgerStore, location: TableLocation
) -> None:
    async def put_half_a_row() -> None:
        async with opened(location) as database:
            await database.put_item(
                {"TableName": location.name, "Item": {"request_id": {"S": ROW.request_id}}}
            )

    asyncio.run(put_half_a_row())
    with pytest.raises(StoreError, match=f"ledger: item {ROW.request_id} cannot be read"):
        put_all(dynamo_ledger_store, [ROW])


@pytest.mark.ministack
def test_the_lean_client_and_pynamodb_read_each_other_s_rows(
    dynamo_ledger_store: LedgerStore, location: TableLocation
) -> None:
    put_all(dynamo_ledger_store, [ROW])
    stored = located(LedgerItem, location).get(ROW.request_id)
    assert (stored.cost_nano_usd, stored.expires_at.timestamp()) == (
        ROW.cost_nano_usd,
        int(NOON) + 400 * DAY_S,
    )


def pages(store: LedgerStore, day: str = TODAY) -> list[list[str]]:
    found, after = [], None
    while True:
        rows, after = store.reader.page(day, after=after)
        found.append([row.request_id for row in rows])
        if after is None:
            return found


def test_pages_have_each_row_of_a_day_once(ledger_store: LedgerStore) -> None:
    names = [f"{number:04d}" for number in range(1_100)]
    other_day = replace(ROW, request_id="x", created_at=NOON - DAY_S)
    put_all(ledger_store, [replace(ROW, request_id=name) for name in names] + [other_day])
    first, second = pages(ledger_store)
    assert len(first) == 1_000
    assert sorted(first + second) == names


def test_a_day_without_rows_is_one_empty_page(ledger_store: LedgerStore) -> None:
    assert pages(ledger_store) == [[]]


@pytest.mark.parametrize(
    ("day", "after"),
    [("today", None), (TODAY, "x"), (TODAY, "2026-11-22#0/x")],
    ids=["no day", "no place", "place in another day"],
)
def test_a_page_that_does_not_exist_is_an_error(
    ledger_store: LedgerStore, day: str, after: str | None
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ledger_store.reader.page(day, after=after)

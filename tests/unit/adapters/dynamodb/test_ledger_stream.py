"""Batches of the ledger's stream: again, out of order, malformed, while the store is down."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from forebay.adapters.dynamodb.ledger_stream import LedgerStream
from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.errors import StoreUnavailable
from forebay.model import LedgerRow
from forebay.rollups import LedgerBatch
from tests.support.ledger_rows import attempt, row, stream_record

DONE: dict[str, Any] = {"state": {}, "batchItemFailures": []}
"""A state is in each answer, or Lambda calls it failed."""


class Bench:
    """A handler, what it settled, what it told."""

    def __init__(self) -> None:
        self.settled: list[LedgerBatch] = []
        self.lines: list[bytes] = []
        self.down = False
        self._handler = LedgerStream(
            self._settle, JsonLines(self.lines.append, ManualClock(), "Forebay")
        )

    def handle_event(self, event: dict[str, Any]) -> Any:
        return asyncio.run(self._handler(event, object()))

    def handle(self, *records: dict[str, Any]) -> Any:
        return self.handle_event({"Records": list(records), "shardId": "s"})

    @property
    def incidents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def settled_rows(self) -> list[LedgerRow]:
        return [each.row for batch in self.settled for each in batch.rows]

    async def _settle(self, batch: LedgerBatch) -> None:
        if self.down:
            raise StoreUnavailable("no reply in time")
        self.settled.append(batch)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_new_rows_are_settled_under_the_name_of_their_first_record(bench: Bench) -> None:
    first, second = row(attempt()), row(attempt(), attempt())
    assert bench.handle(stream_record(first, 1), stream_record(second, 2)) == DONE
    assert [batch.name for batch in bench.settled] == ["event-1"]
    assert bench.settled_rows == [first, second]


def test_rows_have_their_shard_and_their_place_in_it(bench: Bench) -> None:
    """Numbers have 21 to 40 digits, and are compared as text."""
    records = [stream_record(row(attempt()), number) for number in (1, 2)]
    for record, number in zip(records, ("9" * 21, "1" + "0" * 39), strict=True):
        record["dynamodb"]["SequenceNumber"] = number
    bench.handle(*records)
    (batch,) = bench.settled
    assert batch.shard == "s"
    assert [each.number for each in batch.rows] == ["0" * 19 + "9" * 21, "1" + "0" * 39]


def test_a_batch_of_no_known_shard_is_a_fault_of_ours(bench: Bench) -> None:
    """The mapping has no tumbling window, and money would be counted twice."""
    with pytest.raises(KeyError, match="shardId"):
        bench.handle_event({"Records": [stream_record(row(), 1)]})


def test_the_end_of_a_window_is_nothing(bench: Bench) -> None:
    final = {"Records": [], "shardId": "s", "state": {}, "isFinalInvokeForWindow": True}
    assert bench.handle_event(final) == DONE
    assert bench.settled == []


def test_a_batch_that_comes_again_has_the_same_name(bench: Bench) -> None:
    records = [stream_record(row(attempt()), number) for number in (1, 2)]
    bench.handle(*records)
    bench.handle(*records)
    assert [batch.name for batch in bench.settled] == ["event-1", "event-1"]


def test_records_may_come_in_any_order(bench: Bench) -> None:
    first, second = row(attempt()), row(attempt())
    bench.handle(stream_record(second, 2), stream_record(first, 1))
    assert bench.settled_rows == [second, first]


@pytest.mark.parametrize(
    "image",
    [None, {}, {"request_id": {"S": "x"}}, {"request_id": {"Q": 1}}, {"attempts": {"L": [{}]}}],
    ids=["missing", "empty", "part", "type", "list"],
)
def test_a_record_that_is_no_row_is_told_of_and_the_others_count(bench: Bench, image: Any) -> None:
    good = row(attempt())
    bad = stream_record(row(), 1)
    del bad["dynamodb"]["NewImage"]
    if image is not None:
        bad["dynamodb"]["NewImage"] = image
    assert bench.handle(bad, stream_record(good, 2)) == DONE
    assert bench.settled_rows == [good]
    (line,) = bench.incidents
    assert (line["error.type"], line["sequence_number"]) == (
        "ledger_record_unreadable",
        f"{1:030d}",
    )


@pytest.mark.parametrize("kind", ["MODIFY", "REMOVE"])
def test_changes_and_expiries_of_rows_count_nothing(bench: Bench, kind: str) -> None:
    bench.handle(stream_record(row(attempt()), 1, kind))
    assert bench.settled_rows == []


def test_while_the_store_is_down_all_records_are_to_come_again(bench: Bench) -> None:
    bench.down = True
    answer = bench.handle(*(stream_record(row(attempt()), number) for number in (1, 2, 3)))
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [
        f"{number:030d}" for number in (1, 2, 3)
    ]
    (line,) = bench.incidents
    assert (line["error.type"], line["cause"]) == ("ledger_batch_failed", "store_unavailable")


def test_an_empty_batch_is_nothing(bench: Bench) -> None:
    assert bench.handle() == DONE
    assert bench.settled == []


def test_a_fault_of_our_own_is_the_invocations(bench: Bench) -> None:
    """Lambda then tries the batch again, and gives it up in the end."""
    with pytest.raises(KeyError):
        bench.handle({"eventName": "INSERT"})

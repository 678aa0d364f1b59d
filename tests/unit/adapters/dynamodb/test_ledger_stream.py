"""Batches of the ledger's stream: again, out of order, malformed, while the store is down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from forebay.adapters.dynamodb.ledger_stream import LedgerStream
from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.errors import StoreUnavailable
from forebay.model import LedgerRow
from tests.support.ledger_rows import attempt, row, stream_record


class Bench:
    """A handler, what it settled, what it told."""

    def __init__(self) -> None:
        self.settled: list[tuple[str, list[LedgerRow]]] = []
        self.lines: list[bytes] = []
        self.down = False
        self._handler = LedgerStream(
            self._settle, JsonLines(self.lines.append, ManualClock(), "Forebay")
        )

    def handle(self, *records: dict[str, Any]) -> Any:
        return asyncio.run(self._handler({"Records": list(records)}, object()))

    @property
    def incidents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    async def _settle(self, batch: str, rows: Sequence[LedgerRow]) -> None:
        if self.down:
            raise StoreUnavailable("no reply in time")
        self.settled.append((batch, list(rows)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_new_rows_are_settled_under_the_name_of_their_first_record(bench: Bench) -> None:
    first, second = row(attempt()), row(attempt(), attempt())
    assert bench.handle(stream_record(first, 1), stream_record(second, 2)) == {
        "batchItemFailures": []
    }
    assert bench.settled == [("event-1", [first, second])]


def test_a_batch_that_comes_again_has_the_same_name(bench: Bench) -> None:
    records = [stream_record(row(attempt()), number) for number in (1, 2)]
    bench.handle(*records)
    bench.handle(*records)
    assert [name for name, _ in bench.settled] == ["event-1", "event-1"]


def test_records_may_come_in_any_order(bench: Bench) -> None:
    first, second = row(attempt()), row(attempt())
    bench.handle(stream_record(second, 2), stream_record(first, 1))
    assert bench.settled == [("event-2", [second, first])]


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
    assert bench.handle(bad, stream_record(good, 2)) == {"batchItemFailures": []}
    assert [rows for _, rows in bench.settled] == [[good]]
    (line,) = bench.incidents
    assert (line["error.type"], line["sequence_number"]) == (
        "ledger_record_unreadable",
        f"{1:030d}",
    )


@pytest.mark.parametrize("kind", ["MODIFY", "REMOVE"])
def test_changes_and_expiries_of_rows_count_nothing(bench: Bench, kind: str) -> None:
    bench.handle(stream_record(row(attempt()), 1, kind))
    assert bench.settled == [("event-1", [])]


def test_while_the_store_is_down_all_records_are_to_come_again(bench: Bench) -> None:
    bench.down = True
    answer = bench.handle(*(stream_record(row(attempt()), number) for number in (1, 2, 3)))
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [
        f"{number:030d}" for number in (1, 2, 3)
    ]
    (line,) = bench.incidents
    assert (line["error.type"], line["cause"]) == ("ledger_batch_failed", "store_unavailable")


def test_an_empty_batch_is_nothing(bench: Bench) -> None:
    assert bench.handle() == {"batchItemFailures": []}
    assert bench.settled == []


def test_a_fault_of_our_own_is_the_invocations(bench: Bench) -> None:
    """Lambda then tries halves of the batch, and so finds the record that it cannot do."""
    with pytest.raises(KeyError):
        bench.handle({"eventName": "INSERT"})

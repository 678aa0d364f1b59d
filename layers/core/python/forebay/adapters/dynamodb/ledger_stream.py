"""The ledger's stream, as Lambda hands it to the settler.

A batch is one unit: it is entered as a whole, and if it cannot be entered, all its records are to
come again, in this batch or in others. Two things tell what was entered before: the name of the
batch, which is its first record's id (decision 0018), and where each row stands in its shard
(decision 0019). That is also why this is not Powertools' batch processor, which asks of each record
whether it came through (and would take twice as long to import as all of the settler).

An event names its shard only where the mapping has a tumbling window. Such a mapping wants a
`state` in each answer, and calls once more, without records, when a window ends: we keep none, and
have nothing to do then.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html and
services-ddb-batchfailurereporting.html beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from forebay.adapters.dynamodb.items import item_to_row
from forebay.errors import StoreError
from forebay.ports import Telemetry
from forebay.rollups import LedgerBatch, NumberedRow

Settle = Callable[[LedgerBatch], Awaitable[None]]
"""Enters a batch; raises `StoreError` if its rows are to come again."""

Answer = dict[str, Any]

NUMBER_DIGITS = 40
"""The longest sequence number. Shorter ones get zeros in front: then text compares like numbers.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""


class LedgerStream:
    """A Lambda handler for batches of new rows.

    Args:
        settle: Is given the rows.
        telemetry: Told of records that are no rows, and of batches that failed.
    """

    def __init__(self, settle: Settle, telemetry: Telemetry) -> None:
        self._settle = settle
        self._telemetry = telemetry

    async def __call__(self, event: Mapping[str, Any], _context: object) -> Answer:
        """Enter a batch; return which records are to come again: none, or all of them.

        A record that cannot be read is told of and passed over: it would not be better next time,
        and until it was given up nothing behind it in its shard would count.
        """
        records = event["Records"]
        if not records:
            return _answer([])
        batch = LedgerBatch(records[0]["eventID"], event["shardId"], self._rows(records))
        try:
            await self._settle(batch)
        except StoreError as error:
            self._telemetry.incident("ledger_batch_failed", error.message, cause=error.code)
            return _answer([record["dynamodb"]["SequenceNumber"] for record in records])
        return _answer([])

    def _rows(self, records: Sequence[Mapping[str, Any]]) -> tuple[NumberedRow, ...]:
        rows = []
        for record in records:
            if record["eventName"] != "INSERT":  # the mapping filters; a hand-made one may not
                continue
            change = record["dynamodb"]
            number = str(change["SequenceNumber"])
            try:
                row = item_to_row(change["NewImage"])
            except (StoreError, KeyError) as error:
                self._telemetry.incident(
                    "ledger_record_unreadable", str(error), sequence_number=number
                )
            else:
                rows.append(NumberedRow(number.zfill(NUMBER_DIGITS), row))
        return tuple(rows)


def _answer(failed: Sequence[str]) -> Answer:
    return {"state": {}, "batchItemFailures": [{"itemIdentifier": number} for number in failed]}

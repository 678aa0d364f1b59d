"""The ledger's stream, as Lambda hands it to the settler.

A batch is one unit: it is entered as a whole, under the name of its first record, so that a second
delivery is recognised. If it cannot be entered, all its records are to come again. That is also why
this is not Powertools' batch processor, which asks of each record whether it came through (and
would take twice as long to import as all of the settler).

If a process dies in mid-batch, Lambda tries the batch's halves, and the second half has another
name: what had been entered of it counts twice. In windows of seconds that changes no rate. A sum
that must be exact needs the stream's shard and sequence numbers, and events name their shard only
where the mapping has a tumbling window.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from forebay.adapters.dynamodb.items import item_to_row
from forebay.errors import StoreError
from forebay.model import LedgerRow
from forebay.ports import Telemetry

Settle = Callable[[str, Sequence[LedgerRow]], Awaitable[None]]
"""Enters rows under the name of their batch; raises `StoreError` if the same is to come again."""

Answer = dict[str, list[dict[str, str]]]


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
            return {"batchItemFailures": []}
        try:
            await self._settle(records[0]["eventID"], self._rows(records))
        except StoreError as error:
            self._telemetry.incident("ledger_batch_failed", error.message, cause=error.code)
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
        return {"batchItemFailures": []}

    def _rows(self, records: Sequence[Mapping[str, Any]]) -> list[LedgerRow]:
        rows = []
        for record in records:
            if record["eventName"] != "INSERT":  # the mapping filters; a hand-made one may not
                continue
            try:
                rows.append(item_to_row(record["dynamodb"]["NewImage"]))
            except (StoreError, KeyError) as error:
                number = record["dynamodb"].get("SequenceNumber")
                self._telemetry.incident(
                    "ledger_record_unreadable", str(error), sequence_number=number
                )
        return rows

"""Port `LedgerReader` on DynamoDB, by PynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from forebay.adapters.dynamodb.items import day_shards, item_to_row
from forebay.adapters.dynamodb.tables import TableLocation, ledger_model
from forebay.adapters.dynamodb.translation import store_errors
from forebay.model import LedgerRow


class DynamoLedgerReader:
    """Read the ledger by day.

    Args:
        location: The ledger table.
    """

    def __init__(self, location: TableLocation) -> None:
        self._model = ledger_model(location)

    def rows(self, *, first_day: str, last_day: str) -> Iterator[LedgerRow]:
        """Rows of the UTC days `first_day` to `last_day` (`2026-11-23`, both included).

        In no order, page by page as they are asked for; the index trails the table by a moment.
        0.5 read units for 4 KB, and at least `DAY_SHARDS` times that for each day.

        Raises:
            ValueError: A day is no date.
            StoreUnavailable: DynamoDB did not answer.
        """
        day, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
        while day <= last:
            for shard in day_shards(day):
                with store_errors("Query"):
                    for row in self._model.by_day.query(shard):
                        yield item_to_row(row.to_dynamodb_dict())
            day += timedelta(days=1)

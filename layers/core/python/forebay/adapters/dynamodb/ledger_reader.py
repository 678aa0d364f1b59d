"""Port `LedgerReader` on DynamoDB, by PynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from forebay.adapters.dynamodb.items import day_shards, item_to_row
from forebay.adapters.dynamodb.tables import ByDay, LedgerItem, TableLocation, located
from forebay.adapters.dynamodb.translation import store_errors
from forebay.model import LedgerRow

PAGE_ROWS = 1_000
"""Of an export. As JSON about 800 bytes each: 0.8 of the 6 MB that a function may answer with."""


class DynamoLedgerReader:
    """Read the ledger by day.

    Args:
        location: The ledger table.
    """

    def __init__(self, location: TableLocation) -> None:
        self._model = located(LedgerItem, location)

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

    def page(self, day: str, *, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """Rows of a UTC day, at most `PAGE_ROWS` at a time.

        Args:
            day: `2026-11-23`.
            after: Where the page before ended, `2026-11-23#3/01KB…`; None: the first page.

        Raises:
            ValueError: `day` is no date, or `after` no place in it.
            StoreUnavailable: DynamoDB did not answer.
        """
        shards = day_shards(date.fromisoformat(day))
        first, _, last_id = (after or f"{shards[0]}/").partition("/")
        rows: list[LedgerRow] = []
        for shard in shards[shards.index(first) :]:
            behind = ByDay.request_id > last_id if shard == first and last_id else None
            with store_errors("Query"):
                found = self._model.by_day.query(shard, behind, limit=PAGE_ROWS - len(rows))
                rows += [item_to_row(row.to_dynamodb_dict()) for row in found]
            if len(rows) == PAGE_ROWS:
                return rows, f"{shard}/{rows[-1].request_id}"
        return rows, None

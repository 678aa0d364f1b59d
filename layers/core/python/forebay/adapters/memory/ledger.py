"""Ports `Ledger` and `LedgerReader` in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from forebay.model import LedgerRow


class MemoryLedger:
    """Rows in a dict, kept for as long as the process."""

    def __init__(self) -> None:
        self._rows: dict[str, LedgerRow] = {}

    async def put(self, row: LedgerRow) -> LedgerRow:
        """Store the row unless its request has one; return the row that is stored."""
        return self._rows.setdefault(row.request_id, row)

    def rows(self, *, first_day: str, last_day: str) -> Iterator[LedgerRow]:
        """Rows of the UTC days `first_day` to `last_day`, both included, in no order.

        Raises:
            ValueError: A day is no date.
        """
        first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
        for row in list(self._rows.values()):
            if first <= datetime.fromtimestamp(row.created_at, UTC).date() <= last:
                yield row

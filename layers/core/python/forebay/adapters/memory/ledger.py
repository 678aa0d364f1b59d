"""Ports `Ledger` and `LedgerReader` in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from forebay.model import LedgerRow

PAGE_ROWS = 1_000


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

    def page(self, day: str, *, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """Rows of a UTC day, some at a time.

        Raises:
            ValueError: `day` is no date, or `after` no place that was returned.
        """
        if after is not None and after not in self._rows:
            raise ValueError(f"no row {after!r}")
        rows = sorted(self.rows(first_day=day, last_day=day), key=_request_id)
        rest = [row for row in rows if after is None or row.request_id > after]
        page = rest[:PAGE_ROWS]
        return page, page[-1].request_id if len(rest) > PAGE_ROWS else None


def _request_id(row: LedgerRow) -> str:
    return row.request_id

"""What was used: the ledger added up for an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from forebay.errors import InvalidRequest, NotFound
from forebay.model import LedgerRow
from forebay.money import NanoUsd
from forebay.ports import Clock, LedgerReader
from forebay.service.keys import KeyDesk, quoted

DEFAULT_DAYS = 30
"""Days of a report that names none, today (UTC) included."""

MAX_DAYS = 366
"""A year. Each day is a query of its own, and the admin function has 29 s."""


_NOTHING = NanoUsd(0)


class GroupBy(StrEnum):
    """What a report has one row for."""

    DAY = "day"
    """UTC day of the request's admission, `2026-11-23`."""
    MODEL = "model"
    """The model that callers named."""
    KEY = "key"


@dataclass(slots=True)
class Totals:
    """What some requests used together."""

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    """Counted within `input_tokens`."""
    output_tokens: int = 0
    cost_nano_usd: NanoUsd = _NOTHING

    def add(self, row: LedgerRow) -> None:
        """Count a request."""
        self.requests += 1
        self.input_tokens += row.usage.input_tokens
        self.cached_input_tokens += row.usage.cached_input_tokens
        self.output_tokens += row.usage.output_tokens
        self.cost_nano_usd = NanoUsd(self.cost_nano_usd + row.cost_nano_usd)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What a row of a report stands for: by key its name and id, else the same text twice."""

    label: str
    id: str


@dataclass(frozen=True, slots=True)
class Report:
    """Usage from `first_day` to `last_day` (UTC, both included)."""

    first_day: date
    last_day: date
    by: GroupBy | None
    rows: tuple[tuple[Group, Totals], ...]
    """Sorted by label, then id. Empty where nothing was used, or where `by` is None."""
    total: Totals


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What an operator asks.

    Args:
        first_day: `2026-11-23`; None: 30 days up to `last_day`.
        last_day: Likewise; None: today (UTC).
        by: What to have one row for; None: the total alone.
        key: Name or id of a key; a name that several keys have means all of them together, so
            that a replaced key and its successor count as one. None: all keys.
    """

    first_day: str | None = None
    last_day: str | None = None
    by: GroupBy | None = None
    key: str | None = None


class UsageReport:
    """Adds the ledger up.

    Args:
        ledger: The rows.
        keys: Tells a key that used nothing from one that does not exist.
        clock: Says which day is today.
    """

    def __init__(self, ledger: LedgerReader, keys: KeyDesk, clock: Clock) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock = clock

    def make(self, query: UsageQuery) -> Report:
        """Add up what a query asks for.

        Rows are read one after the other and only sums are kept: memory grows with the groups,
        time with the rows.

        Raises:
            InvalidRequest: A day is not a day, the first is after the last, or there are more
                than `MAX_DAYS`.
            NotFound: There is no such key, and never was one with usage in these days.
            StoreUnavailable: The store did not answer.
        """
        first, last = _period(query, today=_day(self._clock.now()))
        total = Totals()
        groups: dict[Group, Totals] = {}
        for row in self._matching_rows(first, last, query.key):
            total.add(row)
            if query.by:
                groups.setdefault(_group(row, query.by), Totals()).add(row)
        if query.key is not None and total.requests == 0 and not self._keys.known(query.key):
            raise NotFound(f"No key has the name or id {quoted(query.key)}.")
        return Report(first, last, query.by, tuple(sorted(groups.items(), key=_by_group)), total)

    def _matching_rows(self, first: date, last: date, key: str | None) -> Iterator[LedgerRow]:
        rows = self._ledger.rows(first_day=first.isoformat(), last_day=last.isoformat())
        for row in rows:
            # The rows themselves say which key it was, so the local stage's `dev` key, which has
            # no record, is found as well.
            if key is None or key in (row.key_id, row.key_name):
                yield row


def _by_group(row: tuple[Group, Totals]) -> Group:
    return row[0]


def _group(row: LedgerRow, by: GroupBy) -> Group:
    match by:
        case GroupBy.DAY:
            day = _day(row.created_at).isoformat()
            return Group(label=day, id=day)
        case GroupBy.MODEL:
            return Group(label=row.request_model, id=row.request_model)
        case GroupBy.KEY:
            return Group(label=row.key_name, id=row.key_id)


def _day(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()


def _period(query: UsageQuery, *, today: date) -> tuple[date, date]:
    last = _parse_day("to", query.last_day) if query.last_day is not None else today
    if query.first_day is not None:
        first = _parse_day("from", query.first_day)
    else:
        first = date.fromordinal(max(last.toordinal() - DEFAULT_DAYS + 1, 1))
    if first > last:
        raise InvalidRequest(f"`from` ({first}) is after `to` ({last}).", param="from")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequest(f"A report spans at most {MAX_DAYS} days.", param="from")
    return first, last


def _parse_day(param: str, text: str) -> date:
    """Read `2026-11-23`, and no other form that ISO 8601 allows: one day, one spelling."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InvalidRequest(
            f"`{param}` must be a day such as 2026-11-23, not {quoted(text)}.", param=param
        )
    return day

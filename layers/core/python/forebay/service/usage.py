"""What was used: roll-ups, or where those do not tell, the ledger itself, added up for an operator.

Roll-ups follow the ledger within 1 to 2 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from forebay.errors import InvalidRequest, NotFound
from forebay.ports import Clock
from forebay.ports.administration import LedgerReader, UsageReader
from forebay.rollups import Dimension, Group, RollUp, Totals, groups_of
from forebay.service.keys import KeyDesk, quoted

DEFAULT_DAYS = 30
"""Days of a report that names none, today (UTC) included."""

MAX_DAYS = 366
"""A year. Of the ledger each day is eight queries, and the admin function has 29 s."""


@dataclass(frozen=True, slots=True)
class Report:
    """Usage from `first_day` to `last_day` (UTC, both included)."""

    first_day: date
    last_day: date
    by: Dimension | None
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
    by: Dimension | None = None
    key: str | None = None


class UsageReport:
    """Adds up.

    Args:
        ledger: The rows.
        usage: Their roll-ups.
        keys: Tells a key that used nothing from one that does not exist.
        clock: Says which day is today.
    """

    def __init__(
        self, ledger: LedgerReader, usage: UsageReader, keys: KeyDesk, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._usage = usage
        self._keys = keys
        self._clock = clock

    def make(self, query: UsageQuery) -> Report:
        """Add up what a query asks for.

        What is asked of all keys, or of a key by day, is in the roll-ups. A key's usage by model,
        team or tag is not: for that, its rows are read one after the other. Only sums are kept:
        memory grows with the groups.

        Raises:
            InvalidRequest: A day is not a day, the first is after the last, or there are more
                than `MAX_DAYS`.
            NotFound: There is no such key, and never was one with usage in these days.
            StoreUnavailable: The store did not answer.
        """
        first, last = period(query.first_day, query.last_day, today=_day(self._clock.now()))
        sums = _Sums()
        if query.key is None or query.by in {None, Dimension.DAY, Dimension.KEY}:
            self._add_roll_ups(query, first, last, sums)
        else:
            self._add_rows(query, first, last, sums)
        if query.key is not None and sums.total.requests == 0 and not self._keys.known(query.key):
            raise NotFound(f"No key has the name or id {quoted(query.key)}.")
        return Report(first, last, query.by, sums.sorted(), sums.total)

    def _add_roll_ups(self, query: UsageQuery, first: date, last: date, sums: _Sums) -> None:
        told_by = query.by or Dimension.DAY
        dimension = told_by if query.key is None else Dimension.KEY
        for roll_up, totals in self._read(dimension, first, last):
            # The rows themselves say which key it was, so the local stage's `dev` key, which has
            # no record, is found as well.
            if query.key is None or query.key in (roll_up.group.id, roll_up.group.label):
                sums.add(_group(roll_up, told_by) if query.by else None, totals)
        if query.by is Dimension.TAG:  # a request has any number of them
            sums.total = Totals()
            for _, totals in self._read(Dimension.DAY, first, last):
                sums.total.include(totals)

    def _read(
        self, dimension: Dimension, first: date, last: date
    ) -> Iterator[tuple[RollUp, Totals]]:
        yield from self._usage.roll_ups(
            dimension, first_day=first.isoformat(), last_day=last.isoformat()
        )

    def _add_rows(self, query: UsageQuery, first: date, last: date, sums: _Sums) -> None:
        rows = self._ledger.rows(first_day=first.isoformat(), last_day=last.isoformat())
        for row in rows:
            if query.key in (row.key_id, row.key_name):
                sums.total.add(row)
                for group in groups_of(row, query.by) if query.by else ():
                    sums.groups.setdefault(group, Totals()).add(row)


class _Sums:
    """A report in the making."""

    def __init__(self) -> None:
        self.total = Totals()
        self.groups: dict[Group, Totals] = {}

    def add(self, group: Group | None, totals: Totals) -> None:
        self.total.include(totals)
        if group is not None:
            self.groups.setdefault(group, Totals()).include(totals)

    def sorted(self) -> tuple[tuple[Group, Totals], ...]:
        return tuple(sorted(self.groups.items(), key=_by_group))


def _by_group(row: tuple[Group, Totals]) -> Group:
    return row[0]


def _group(roll_up: RollUp, told_by: Dimension) -> Group:
    """Return where a roll-up belongs; those of a key are also told apart by day."""
    if told_by is Dimension.DAY:
        return Group(roll_up.day, roll_up.day)
    return roll_up.group


def _day(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()


def period(first_day: str | None, last_day: str | None, *, today: date) -> tuple[date, date]:
    """Read the days that a question is about.

    Raises:
        InvalidRequest: One is no day, the first is after the last, or there are over `MAX_DAYS`.
    """
    last = parse_day("to", last_day) if last_day is not None else today
    if first_day is not None:
        first = parse_day("from", first_day)
    else:
        first = date.fromordinal(max(last.toordinal() - DEFAULT_DAYS + 1, 1))
    if first > last:
        raise InvalidRequest(f"`from` ({first}) is after `to` ({last}).", param="from")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequest(f"A report spans at most {MAX_DAYS} days.", param="from")
    return first, last


def parse_day(param: str, text: str) -> date:
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

"""Roll-ups compared with the rows that they are the sums of."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.ports import Clock
from forebay.ports.administration import LedgerReader, UsageReader
from forebay.rollups import Dimension, Group, RollUp, Totals, roll_ups_of

ON_ITS_WAY_S = 60.0
"""A row that is older than this must have been counted; usually it is after 1 to 2 s."""

Sums = dict[RollUp, Totals]


@dataclass(frozen=True, slots=True)
class Difference:
    """A roll-up that is not the sum of its rows."""

    roll_up: RollUp
    in_rows: Totals
    in_roll_up: Totals


@dataclass(frozen=True, slots=True)
class DayCheck:
    """What a comparison of one day found."""

    day: str
    in_rows: Totals
    pending_requests: int
    """Of the last minute, not counted yet. 0: everything is equal, to the nano-dollar."""
    differences: tuple[Difference, ...]


class Reconciliation:
    """Adds up the ledger's rows anew.

    Args:
        ledger: The rows.
        usage: Their roll-ups.
        clock: Tells rows that must have been counted from those that are on their way.
    """

    def __init__(self, ledger: LedgerReader, usage: UsageReader, clock: Clock) -> None:
        self._ledger = ledger
        self._usage = usage
        self._clock = clock

    def check(self, day: str) -> DayCheck:
        """Compare a UTC day. Reads all its rows, and once more if rows came meanwhile.

        While rows come, no two reads show the same ones. So what is asked of a roll-up is that it
        has all rows that ended a minute before, and none that does not exist: it lies between the
        sum of the former, read before it, and the sum of all, read after it.

        Raises:
            StoreError: A store did not answer, or has a row that cannot be read.
        """
        least, most = self._sums_of_rows(day)
        counted = self._sums_of_roll_ups(day)
        if counted != most:
            _, most = self._sums_of_rows(day)
        differences = tuple(
            Difference(roll_up, most.get(roll_up, Totals()), counted.get(roll_up, Totals()))
            for roll_up in sorted(most.keys() | counted.keys(), key=_place)
            if not _is_between(roll_up, least, counted, most)
        )
        whole_day = RollUp(day, Dimension.DAY, Group(day, day))
        total = most.get(whole_day, Totals())
        pending = total.requests - counted.get(whole_day, Totals()).requests
        return DayCheck(day, total, 0 if differences else pending, differences)

    def _sums_of_rows(self, day: str) -> tuple[Sums, Sums]:
        """Return the sums of rows that must have been counted, and of all."""
        settled_before = self._clock.now() - ON_ITS_WAY_S
        least: Sums = {}
        most: Sums = {}
        for row in self._ledger.rows(first_day=day, last_day=day):
            is_settled = row.created_at + row.duration_ms / 1000 <= settled_before
            for roll_up in roll_ups_of(row):
                most.setdefault(roll_up, Totals()).add(row)
                if is_settled:
                    least.setdefault(roll_up, Totals()).add(row)
        return least, most

    def _sums_of_roll_ups(self, day: str) -> Sums:
        sums: Sums = {}
        for dimension in Dimension:
            for roll_up, totals in self._usage.roll_ups(dimension, first_day=day, last_day=day):
                sums.setdefault(roll_up, Totals()).include(totals)
        return sums


def _is_between(roll_up: RollUp, least: Sums, counted: Sums, most: Sums) -> bool:
    low, middle, high = (sums.get(roll_up, Totals()) for sums in (least, counted, most))
    return low.is_within(middle) and middle.is_within(high)


def _place(roll_up: RollUp) -> tuple[str, Group]:
    return roll_up.dimension, roll_up.group

"""The calendar of budgets: which period a moment belongs to, and when that period ends.

A period has a short name that sorts by time within its kind (`20261124`, `202611`, `total`): it is
part of an attribute's name in each leaf, and leaves are to stay below a kilobyte.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from forebay.model import Budget, Period

TOTAL: Final = "total"
"""The one period of a budget that never begins anew."""


def period_of(budget: Budget, at: float) -> str:
    """Name the period that a moment belongs to, in the budget's own calendar.

    Args:
        budget: Its period and zone say how.
        at: Epoch seconds.
    """
    if budget.period == "total":
        return TOTAL
    day = _day(at, budget.zone)
    return f"{day:%Y%m%d}" if budget.period == "day" else f"{day:%Y%m}"


def began_at(budget: Budget, at: float) -> float:
    """Return when the period of a moment began, epoch seconds; 0: with the budget."""
    if budget.period == "total":
        return 0.0
    day = _day(at, budget.zone)
    return _midnight(day if budget.period == "day" else day.replace(day=1), budget.zone)


def renews_at(budget: Budget, at: float) -> float | None:
    """Return when the period of a moment ends, epoch seconds; None: never.

    A day begins at midnight of the zone's own clock, so days of 23 and 25 hours are what they are.
    """
    if budget.period == "total":
        return None
    day = _day(at, budget.zone)
    if budget.period == "day":
        return _midnight(day + timedelta(days=1), budget.zone)
    return _midnight((day.replace(day=1) + timedelta(days=32)).replace(day=1), budget.zone)


def kind_of(period: str) -> Period:
    """Tell from a period's name what kind it is."""
    if period == TOTAL:
        return "total"
    return "day" if len(period) == 8 else "month"


def _day(at: float, zone: str) -> date:
    return datetime.fromtimestamp(at, _zone(zone)).date()


def _midnight(day: date, zone: str) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=_zone(zone)).timestamp()


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - 3 ms of a cold start, for few budgets

    return ZoneInfo(name)

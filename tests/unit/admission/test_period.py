"""The calendar of budgets."""

from datetime import UTC, datetime

import pytest

from forebay.admission.period import began_at, kind_of, period_of, renews_at
from forebay.model import Budget, Period
from forebay.money import NanoUsd


def budget(period: Period, zone: str = "UTC") -> Budget:
    return Budget(NanoUsd(1), period, zone)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("of", "moment", "name", "began", "renews"),
    [
        (budget("day"), "2027-01-15T08:00", "20270115", "2027-01-15", "2027-01-16"),
        (budget("month"), "2027-01-15T08:00", "202701", "2027-01-01", "2027-02-01"),
        (budget("month"), "2027-12-31T23:59", "202712", "2027-12-01", "2028-01-01"),
        (budget("month"), "2028-02-29T00:00", "202802", "2028-02-01", "2028-03-01"),
        (
            budget("day", "Asia/Tokyo"),
            "2027-01-15T15:00",
            "20270116",
            "2027-01-15T15:00",
            "2027-01-16T15:00",
        ),
        (
            budget("month", "America/New_York"),
            "2027-03-01T04:59",
            "202702",
            "2027-02-01T05:00",
            "2027-03-01T05:00",
        ),
        (
            budget("day", "Europe/Berlin"),
            "2027-03-28T12:00",
            "20270328",
            "2027-03-27T23:00",
            "2027-03-28T22:00",
        ),
    ],
    ids=["day", "month", "end of the year", "leap day", "Tokyo", "New York", "23 hours"],
)
def test_a_moment_has_its_period(
    of: Budget, moment: str, name: str, began: str, renews: str
) -> None:
    assert period_of(of, at(moment)) == name
    assert began_at(of, at(moment)) == at(began)
    assert renews_at(of, at(moment)) == at(renews)


def test_a_total_never_renews() -> None:
    assert period_of(budget("total"), 0) == "total"
    assert began_at(budget("total"), 5) == 0
    assert renews_at(budget("total"), 5) is None


@pytest.mark.parametrize("kind", ["day", "month", "total"])
def test_a_name_tells_its_kind(kind: Period) -> None:
    assert kind_of(period_of(budget(kind), 0)) == kind

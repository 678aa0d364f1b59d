"""The ledger added up."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from forebay.adapters.memory import ManualClock, MemoryKeys, MemoryLedger, SeededEntropy
from forebay.errors import InvalidRequest, NotFound
from forebay.model import LedgerRow
from forebay.rollups import Dimension
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.usage import Report, UsageQuery, UsageReport
from tests.support.admin_api import LedgerRollUps, ledger_row

NOON = 1_795_435_200.0
"""2026-11-23 12:00 UTC."""
DAY_S = 86_400.0


class World:
    def __init__(self, *rows: LedgerRow) -> None:
        clock = ManualClock(now=NOON)
        self.ledger = MemoryLedger()
        self.desk = KeyDesk(MemoryKeys(), clock, SeededEntropy())
        self.usage = UsageReport(self.ledger, LedgerRollUps(self.ledger), self.desk, clock)
        for row in rows:
            asyncio.run(self.ledger.put(row))

    def report(self, query: UsageQuery) -> Report:
        return self.usage.make(query)


def labels(report: Report) -> list[str]:
    return [group.label for group, _ in report.rows]


def test_a_report_adds_up_requests_tokens_and_cost() -> None:
    total = World(ledger_row("1", NOON), ledger_row("2", NOON)).report(UsageQuery()).total
    assert (total.requests, total.cost_nano_usd) == (2, 2_468)
    assert (total.input_tokens, total.cached_input_tokens, total.output_tokens) == (200, 80, 20)


def test_a_report_without_rows_is_zero() -> None:
    report = World().report(UsageQuery(by=Dimension.DAY))
    assert report.rows == ()
    assert report.total.requests == 0


def test_a_report_covers_thirty_days_with_today_by_default() -> None:
    rows = [ledger_row(str(days), NOON - days * DAY_S) for days in (0, 29, 30)]
    report = World(*rows).report(UsageQuery())
    assert (str(report.first_day), str(report.last_day)) == ("2026-10-25", "2026-11-23")
    assert report.total.requests == 2


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-11-22", None, ("2026-11-22", "2026-11-23")),
        (None, "2026-03-01", ("2026-01-31", "2026-03-01")),
        ("2024-02-29", "2024-02-29", ("2024-02-29", "2024-02-29")),
        ("2024-01-01", "2024-12-31", ("2024-01-01", "2024-12-31")),
        (None, "0001-01-02", ("0001-01-01", "0001-01-02")),
    ],
    ids=["from", "to", "one day", "leap year", "first of all days"],
)
def test_days_are_taken_as_given(
    first: str | None, last: str | None, expected: tuple[str, str]
) -> None:
    report = World().report(UsageQuery(first_day=first, last_day=last))
    assert (str(report.first_day), str(report.last_day)) == expected


@pytest.mark.parametrize(
    "day",
    ["", "today", "20261123", "2026-W48-1", "2026-11-31", "2026-1-1", " 2026-11-23", "9" * 5000],
)
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        World().report(UsageQuery(last_day=day))
    assert refusal.value.param == "to"
    assert len(refusal.value.message) < 200


@pytest.mark.parametrize(
    ("first", "last"), [("2026-11-24", None), ("2025-01-01", "2026-01-02")], ids=["order", "span"]
)
def test_a_period_that_is_none_or_too_long_is_refused(first: str, last: str | None) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        World().report(UsageQuery(first_day=first, last_day=last))
    assert refusal.value.param == "from"


def test_rows_by_day_are_those_of_the_request_in_utc_in_order() -> None:
    midnight = NOON + 12 * 3600
    rows = [
        ledger_row("1", midnight - DAY_S),
        ledger_row("2", midnight - DAY_S - 0.001),
        ledger_row("3", midnight - 0.001),
    ]
    report = World(*rows).report(UsageQuery(by=Dimension.DAY))
    assert labels(report) == ["2026-11-22", "2026-11-23"]
    assert [totals.requests for _, totals in report.rows] == [1, 2]


def test_rows_by_model_are_those_that_callers_named() -> None:
    row = ledger_row("1", NOON)
    rows = [row, replace(row, request_id="2", request_model="cheap", response_model="x")]
    assert labels(World(*rows).report(UsageQuery(by=Dimension.MODEL))) == ["cheap", "fast"]


def test_two_keys_of_one_name_have_a_row_each() -> None:
    row = ledger_row("1", NOON)
    rows = [row, replace(row, request_id="2", key_id="bbbbbbbbbb")]
    report = World(*rows).report(UsageQuery(by=Dimension.KEY))
    assert [(group.label, group.id) for group, _ in report.rows] == [
        ("web", "aaaaaaaaaa"),
        ("web", "bbbbbbbbbb"),
    ]


@pytest.mark.parametrize(
    ("key", "requests"), [("web", 2), ("aaaaaaaaaa", 1), ("dev", 1)], ids=["name", "id", "dev"]
)
def test_a_report_can_be_of_one_key(key: str, requests: int) -> None:
    row = ledger_row("1", NOON)
    rows = [
        row,
        replace(row, request_id="2", key_id="bbbbbbbbbb"),
        replace(row, request_id="3", key_id="dev", key_name="dev"),
    ]
    assert World(*rows).report(UsageQuery(key=key)).total.requests == requests


def test_a_key_that_used_nothing_has_a_report_of_zero() -> None:
    world = World()
    world.desk.create(NewKey("idle"))
    assert world.report(UsageQuery(key="idle")).total.requests == 0


@pytest.mark.parametrize("key", ["", "wbe", "x" * 100_000], ids=["empty", "typo", "huge"])
def test_a_key_that_does_not_exist_is_not_found(key: str) -> None:
    with pytest.raises(NotFound):
        World(ledger_row("1", NOON)).report(UsageQuery(key=key))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (Dimension.TEAM, [("", "acme/"), ("core", "acme/core"), ("core", "default/core")]),
        (Dimension.TAG, [("a", "a"), ("b", "b")]),
    ],
)
def test_rows_by_team_are_those_of_a_tenant_and_rows_by_tag_overlap(
    by: Dimension, expected: list[tuple[str, str]]
) -> None:
    rows = [
        ledger_row("1", NOON, tenant="acme", tags=("a", "b")),
        ledger_row("2", NOON, tenant="acme", team="core", tags=("b",)),
        ledger_row("3", NOON, team="core"),
    ]
    report = World(*rows).report(UsageQuery(by=by))
    assert [(group.label, group.id) for group, _ in report.rows] == expected
    assert report.total.requests == 3


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (Dimension.DAY, [("2026-11-22", 1), ("2026-11-23", 2)]),
        (Dimension.KEY, [("web", 3)]),
        (Dimension.MODEL, [("cheap", 1), ("fast", 2)]),
        (Dimension.TEAM, [("", 3)]),
        (Dimension.TAG, [("a", 2)]),
    ],
)
def test_a_keys_usage_is_told_apart_by_anything(
    by: Dimension, expected: list[tuple[str, int]]
) -> None:
    rows = [
        ledger_row("1", NOON, tags=("a",)),
        ledger_row("2", NOON, request_model="cheap"),
        ledger_row("3", NOON - DAY_S, tags=("a",)),
        ledger_row("4", NOON, key_id="bbbbbbbbbb", key_name="other", tags=("a",)),
    ]
    report = World(*rows).report(UsageQuery(by=by, key="web"))
    assert [(group.label, totals.requests) for group, totals in report.rows] == expected
    assert report.total.requests == 3


def test_rows_are_read_only_for_what_the_roll_ups_do_not_tell() -> None:
    world = World(ledger_row("1", NOON))

    class Unreadable(MemoryLedger):
        @override
        def rows(self, *, first_day: str, last_day: str) -> Iterator[LedgerRow]:
            raise AssertionError(first_day, last_day)

    clock = ManualClock(now=NOON)
    usage = UsageReport(Unreadable(), LedgerRollUps(world.ledger), world.desk, clock)
    for key in (None, "web"):
        for by in (None, Dimension.DAY, Dimension.KEY):
            assert usage.make(UsageQuery(by=by, key=key)).total.requests == 1
    with pytest.raises(AssertionError):
        usage.make(UsageQuery(by=Dimension.MODEL, key="web"))


def test_rows_are_added_as_they_come_and_none_is_kept() -> None:
    template = ledger_row("1", NOON)

    class EndlessLedger:
        alive = 0
        most_alive = 0

        def rows(self, *, first_day: str, last_day: str) -> Iterable[LedgerRow]:
            del first_day, last_day
            return self._each()

        def page(self, day: str, *, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
            raise AssertionError(day, after)

        def _each(self) -> Iterator[LedgerRow]:
            for number in range(1_000):
                yield CountedRow(**{**fields(template), "request_id": str(number)})

    class CountedRow(LedgerRow):
        def __init__(self, **values: object) -> None:
            super().__init__(**values)  # type: ignore[arg-type]  # the fields of another row
            ledger.alive += 1
            ledger.most_alive = max(ledger.most_alive, ledger.alive)

        def __del__(self) -> None:
            ledger.alive -= 1

    ledger = EndlessLedger()
    clock = ManualClock(now=NOON)
    desk = KeyDesk(MemoryKeys(), clock, SeededEntropy())
    query = UsageQuery(by=Dimension.MODEL, key="web")
    report = UsageReport(ledger, LedgerRollUps(MemoryLedger()), desk, clock).make(query)
    assert report.total.requests == 1_000
    assert ledger.most_alive <= 3


def fields(row: LedgerRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in LedgerRow.__dataclass_fields__}

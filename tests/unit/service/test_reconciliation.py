"""Roll-ups compared with rows: at rest, while rows come, and when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import override

from forebay.adapters.memory import ManualClock, MemoryLedger, MemoryUsage
from forebay.model import LedgerRow
from forebay.rollups import Dimension, LedgerBatch, NumberedRow, RollUp, Totals
from forebay.service.reconciliation import ON_ITS_WAY_S, DayCheck, Reconciliation
from forebay.service.roll_ups import RollUps
from tests.support.admin_api import ledger_row

NOON = 1_795_435_200.0
DAY = "2026-11-23"
LONG_AGO = NOON - 3_600


class World:
    """A ledger, and roll-ups that have what is entered."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.usage = BusyUsage()
        self._number = 0

    def put(self, row: LedgerRow) -> None:
        asyncio.run(self.ledger.put(row))

    def roll_up(self, row: LedgerRow) -> None:
        self._number += 1
        numbered = NumberedRow(f"{self._number:03d}", row)
        asyncio.run(RollUps(self.usage).enter(LedgerBatch("b", "s", (numbered,))))

    def settle(self, name: str, created_at: float = LONG_AGO, **changes: Any) -> None:
        """A row that is in both."""
        row = ledger_row(name, created_at, **changes)
        self.put(row)
        self.roll_up(row)

    def check(self) -> DayCheck:
        return Reconciliation(self.ledger, self.usage, ManualClock(now=NOON)).check(DAY)


class BusyUsage(MemoryUsage):
    """Lets something happen when it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.on_read: list[Any] = []

    @override
    def roll_ups(
        self, dimension: Dimension, *, first_day: str, last_day: str
    ) -> Iterator[tuple[RollUp, Totals]]:
        while self.on_read:
            self.on_read.pop()()
        return super().roll_ups(dimension, first_day=first_day, last_day=last_day)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_equal_has_no_difference(world: World) -> None:
    world.settle("1", team="core", tags=("a", "b"))
    world.settle("2")
    found = world.check()
    assert (found.differences, found.pending_requests) == ((), 0)
    assert (found.in_rows.requests, found.in_rows.cost_nano_usd) == (2, 2_468)


def test_a_day_without_rows_is_equal(world: World) -> None:
    assert world.check() == DayCheck(DAY, Totals(), 0, ())


def test_a_row_of_the_last_minute_may_be_on_its_way(world: World) -> None:
    world.settle("1")
    world.put(ledger_row("2", NOON - ON_ITS_WAY_S))  # it took 0.9 s
    found = world.check()
    assert (found.differences, found.pending_requests) == ((), 1)


def test_a_row_that_is_older_must_have_been_counted(world: World) -> None:
    world.settle("1")
    world.put(ledger_row("2", NOON - ON_ITS_WAY_S - 1))
    found = world.check()
    assert found.pending_requests == 0
    assert [each.roll_up.dimension for each in found.differences] == ["day", "key", "model", "team"]
    assert {(each.in_rows.requests, each.in_roll_up.requests) for each in found.differences} == {
        (2, 1)
    }


def test_what_counted_twice_is_a_difference_of_each_of_its_roll_ups(world: World) -> None:
    world.settle("1")
    world.roll_up(ledger_row("1", LONG_AGO))
    assert len(world.check().differences) == 4


def test_one_nano_dollar_is_a_difference(world: World) -> None:
    world.put(ledger_row("1", LONG_AGO, cost_nano_usd=1_000))
    world.roll_up(ledger_row("1", LONG_AGO, cost_nano_usd=1_001))
    assert {
        each.in_roll_up.cost_nano_usd - each.in_rows.cost_nano_usd
        for each in world.check().differences
    } == {1}


def test_what_is_in_no_row_is_a_difference(world: World) -> None:
    world.roll_up(ledger_row("1", LONG_AGO))
    assert {each.in_rows.requests for each in world.check().differences} == {0}


def test_rows_that_come_while_it_reads_are_no_difference(world: World) -> None:
    world.settle("1")
    world.usage.on_read.append(lambda: world.settle("2", NOON))
    found = world.check()
    assert (found.differences, found.pending_requests) == ((), 0)
    assert found.in_rows.requests == 2

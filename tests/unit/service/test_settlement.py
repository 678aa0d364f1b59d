"""The end of a request: counted where nobody else did, stored once, told once."""

import asyncio
from typing import Any

from typing_extensions import override

from forebay.adapters.memory import MemoryLedger
from forebay.errors import StoreError, StoreUnavailable
from forebay.model import KeyRecord, KeyStatus, LedgerRow, Outcome, Usage, UsageSource
from forebay.service.account import Account, Call
from forebay.service.catalog import Target
from forebay.service.settlement import RETRY_PAUSES_S, Settlement
from forebay.service.target_dialects import OPENAI
from tests.support.gateway import PRICE, HastyClock
from tests.support.told_provider import ToldProvider

KEY = KeyRecord("k", "name", "", "t", None, (), KeyStatus.ACTIVE, 1, 0.0)
TARGET = Target("p", ToldProvider(), "model-x", PRICE, OPENAI)


class Ledger(MemoryLedger):
    """Fails so many times first, and notes when it was asked."""

    def __init__(self, clock: HastyClock, *failures: StoreError) -> None:
        super().__init__()
        self._clock = clock
        self._failures = list(failures)
        self.asked_at: list[float] = []

    @override
    async def put(self, row: LedgerRow) -> LedgerRow:
        self.asked_at.append(round(self._clock.monotonic(), 6))
        if self._failures:
            raise self._failures.pop(0)
        return await super().put(row)


class WordCounter:
    """Counts words, and notes for which model."""

    def __init__(self) -> None:
        self.models: list[str] = []

    async def count(self, text: str, *, model: str) -> int:
        self.models.append(model)
        return len(text.split())


class Notes:
    """Port `Telemetry` that remembers."""

    def __init__(self) -> None:
        self.ended: list[LedgerRow] = []
        self.incidents: list[str] = []

    def request_ended(self, row: LedgerRow) -> None:
        self.ended.append(row)

    def incident(self, code: str, message: str, **_fields: Any) -> None:
        self.incidents.append(f"{code}: {message}")


class Desk:
    """A settlement and all it writes to."""

    def __init__(self, *failures: StoreError) -> None:
        self.clock = HastyClock()
        self.ledger = Ledger(self.clock, *failures)
        self.counter = WordCounter()
        self.notes = Notes()
        self.settlement = Settlement(self.ledger, self.counter, self.notes, self.clock)

    def account(self, **facts: Any) -> Account:
        call = Call("id", KEY, arrived_at=self.clock.now(), started=self.clock.monotonic())
        return Account(call, TARGET, request_model="m", stream=True, **facts)

    def settle(self, account: Account) -> LedgerRow:
        """Settle and return the row that was told."""
        asyncio.run(self.settlement.settle(account, lambda: "one two three"))
        (row,) = self.notes.ended
        return row

    def rows(self) -> list[LedgerRow]:
        return list(self.ledger.rows(first_day="2027-01-01", last_day="2027-12-31"))


DOWN = StoreUnavailable("The ledger did not answer.")
PAUSES = [0.0, RETRY_PAUSES_S[0], round(sum(RETRY_PAUSES_S), 6)]


def test_reported_usage_is_taken_as_it_is() -> None:
    desk = Desk()
    usage = Usage(30, 20, 10, 5)

    row = desk.settle(desk.account(usage=usage, outcome=Outcome.COMPLETE))

    assert row.usage == usage
    assert row.cost_nano_usd == 20 * 250 + 10 * 25 + 20 * 2000
    assert desk.counter.models == []


def test_usage_that_was_not_reported_is_counted_in_the_target_s_vocabulary() -> None:
    desk = Desk()

    row = desk.settle(desk.account(text=["four ", "fi", "ve"], outcome=Outcome.COMPLETE))

    assert row.usage == Usage(3, 2, source=UsageSource.ESTIMATED)
    assert desk.counter.models == ["model-x", "model-x"]


def test_a_request_that_failed_used_nothing() -> None:
    desk = Desk()

    row = desk.settle(desk.account(outcome=Outcome.FAILED))

    assert row.usage == Usage(0, 0, source=UsageSource.ESTIMATED)
    assert (row.cost_nano_usd, desk.counter.models) == (0, [])


def test_a_request_that_failed_although_usage_was_reported_costs_that() -> None:
    desk = Desk()

    row = desk.settle(desk.account(outcome=Outcome.FAILED, usage=Usage(4, 0)))

    assert (row.usage, row.cost_nano_usd) == (Usage(4, 0), 1000)


def test_a_request_has_failed_by_our_fault_until_something_better_is_known() -> None:
    desk = Desk()

    row = desk.settle(desk.account())

    assert (row.outcome, row.status, row.error_code) == (Outcome.FAILED, 0, "internal_error")


def test_the_row_that_is_stored_is_the_row_that_is_told() -> None:
    desk = Desk()

    row = desk.settle(desk.account())

    assert desk.rows() == [row]


def test_inv2_settling_twice_leaves_the_first_row() -> None:
    desk = Desk()
    first = desk.settle(desk.account(outcome=Outcome.COMPLETE))
    desk.notes.ended.clear()

    told = desk.settle(desk.account(outcome=Outcome.FAILED))

    assert desk.rows() == [first]
    assert told == first


def test_a_store_that_fails_is_asked_again_after_a_pause() -> None:
    desk = Desk(DOWN, DOWN)

    row = desk.settle(desk.account())

    assert desk.ledger.asked_at == PAUSES
    assert (desk.rows(), desk.notes.incidents) == ([row], [])


def test_inv2_a_store_that_stays_away_is_an_incident_and_the_row_is_told() -> None:
    desk = Desk(DOWN, DOWN, DOWN)

    row = desk.settle(desk.account(outcome=Outcome.COMPLETE))

    assert desk.ledger.asked_at == PAUSES
    assert row.outcome is Outcome.COMPLETE
    assert desk.notes.incidents == ["ledger_row_not_stored: The ledger did not answer."]


def test_the_time_that_storing_takes_is_not_the_request_s() -> None:
    desk = Desk(DOWN, DOWN)
    account = desk.account()
    desk.clock.advance(1.5)

    assert desk.settle(account).duration_ms == 1500


def test_a_first_token_is_timed_from_the_arrival() -> None:
    desk = Desk()
    account = desk.account()
    desk.clock.advance(0.25)
    account.first_token_at = desk.clock.monotonic()

    assert desk.settle(account).time_to_first_token_ms == 250

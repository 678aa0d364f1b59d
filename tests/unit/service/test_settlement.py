"""The end of a request: counted where nobody else did, stored once, told once."""

import asyncio
from dataclasses import replace
from typing import Any

from typing_extensions import override

from forebay.adapters.memory import MemoryLedger
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.errors import StoreError, StoreUnavailable, UpstreamCut, UpstreamUnavailable
from forebay.model import KeyRecord, KeyStatus, LedgerRow, Outcome, Usage, UsageSource
from forebay.money import Price
from forebay.service.account import Account, Call
from forebay.service.catalog import Target
from forebay.service.fleet import Fleet
from forebay.service.settlement import RETRY_PAUSES_S, UNSEEN_TOKENS, Settlement
from forebay.service.target_dialects import OPENAI
from forebay.settings import BreakerSettings
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
        fleet = Fleet(MemoryFleet(), self.clock, BreakerSettings())
        self.settlement = Settlement(self.ledger, self.counter, self.notes, self.clock, fleet)

    def account(self, **facts: Any) -> Account:
        call = Call("id", KEY, arrived_at=self.clock.now(), started=self.clock.monotonic())
        return Account(call, TARGET, request_model="m", stream=True, **facts)

    def answered(self, *text: str, usage: Usage | None = None) -> Account:
        """An account of one attempt that answered."""
        account = self.account(outcome=Outcome.COMPLETE)
        account.begins(TARGET, list(text), now=self.clock.monotonic()).completed(usage)
        return account

    def broke_off(self, *text: str, usage: Usage | None = None) -> Account:
        """An account of one attempt that broke off in mid-answer."""
        account = self.account(outcome=Outcome.CUT)
        attempt = account.begins(TARGET, list(text), now=self.clock.monotonic())
        attempt.usage, attempt.shown = usage, True
        attempt.failed(UpstreamCut("it broke", target="p/m"))
        return account

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

    row = desk.settle(desk.answered(usage=usage))

    assert row.usage == usage
    assert row.cost_nano_usd == 20 * 250 + 10 * 25 + 20 * 2000
    assert desk.counter.models == []


def test_usage_that_was_not_reported_is_counted_in_the_target_s_vocabulary() -> None:
    desk = Desk()

    row = desk.settle(desk.answered("four ", "fi", "ve"))

    assert row.usage == Usage(3, 2, source=UsageSource.ESTIMATED)
    assert desk.counter.models == ["model-x", "model-x"]


def test_an_attempt_that_was_refused_took_nothing() -> None:
    desk = Desk()
    account = desk.account()
    attempt = account.begins(TARGET, [], now=0.0)
    attempt.failed(UpstreamUnavailable("it is down", target="p/m"))

    row = desk.settle(account)

    assert row.usage == Usage(0, 0, source=UsageSource.ESTIMATED)
    assert (row.cost_nano_usd, desk.counter.models) == (0, [])


def test_a_stream_that_broke_off_is_charged_for_what_came_and_a_little_that_did_not() -> None:
    desk = Desk()

    row = desk.settle(desk.broke_off("one ", "two"))

    assert row.usage == Usage(3, 2 + UNSEEN_TOKENS, source=UsageSource.ESTIMATED)


def test_input_that_was_reported_before_the_break_is_taken_as_it_is() -> None:
    desk = Desk()

    row = desk.settle(desk.broke_off("one ", "two", usage=Usage(30, 1, 10)))

    assert row.usage == Usage(30, 2 + UNSEEN_TOKENS, 10, source=UsageSource.ESTIMATED)


def test_an_answer_that_is_said_to_have_taken_no_output_is_counted() -> None:
    desk = Desk()

    row = desk.settle(desk.answered("one ", "two", usage=Usage(30, 0)))

    assert row.usage == Usage(30, 2, source=UsageSource.ESTIMATED)


def test_usage_that_was_reported_after_the_last_word_is_taken_as_it_is() -> None:
    desk = Desk()

    row = desk.settle(desk.broke_off("one ", "two", usage=Usage(30, 20)))

    assert row.usage == Usage(30, 20)


def test_all_attempts_of_a_request_are_paid_for_at_their_own_price() -> None:
    desk = Desk()
    account = desk.broke_off("one", usage=Usage(30, 20))
    dear = replace(TARGET, price=Price(input=10**9, cached_input=10**9, output=10**9))
    account.begins(dear, [], now=1.0).completed(Usage(5, 6))

    row = desk.settle(account)

    assert row.usage == Usage(35, 26)
    assert row.cost_nano_usd == 30 * 250 + 20 * 2000 + 11 * 1000
    assert [attempt.result for attempt in row.attempts] == ["cut", "complete"]


def test_an_attempt_that_nobody_waited_for_is_charged_too() -> None:
    desk = Desk()
    account = desk.account(outcome=Outcome.CANCELLED)
    account.begins(TARGET, [], now=0.0)

    row = desk.settle(account)

    assert row.usage == Usage(3, UNSEEN_TOKENS, source=UsageSource.ESTIMATED)
    assert [attempt.result for attempt in row.attempts] == ["abandoned"]


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

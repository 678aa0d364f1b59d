"""Requests that nobody waits for any more, and a ledger that is away: nothing is lost."""

import asyncio
import json

import pytest

from forebay.adapters.memory import MemoryLedger
from forebay.errors import StoreUnavailable, UpstreamCut
from forebay.model import LedgerRow, Outcome, Usage, UsageSource
from forebay.service.settlement import UNSEEN_TOKENS
from tests.support.asgi import Reply
from tests.support.gateway import GUARD_S, World, ask, chat
from tests.support.told_provider import JSON, STREAM, ToldProvider, chunk, usage

ANSWER = (chunk("12345678"), chunk("1234"), chunk(finish="stop"))


class FailingLedger:
    """The ledger's edge: refuses so many puts."""

    def __init__(self, ledger: MemoryLedger, failures: int) -> None:
        self._ledger = ledger
        self.failures = failures
        self.puts = 0

    async def put(self, row: LedgerRow) -> LedgerRow:
        self.puts += 1
        if self.puts <= self.failures:
            raise StoreUnavailable("The ledger did not answer.")
        return await self._ledger.put(row)


# --- the way to the caller breaks


@pytest.mark.parametrize(("break_after", "output_tokens"), [(0, 2), (1, 3), (2, 3)])
def test_inv2_a_caller_who_leaves_has_a_row_with_what_was_used(
    break_after: int, output_tokens: int
) -> None:
    world = World()
    provider = ToldProvider(*ANSWER)

    reply = chat(world, world.app(provider), stream=True, break_after=break_after)

    (row,) = world.rows()
    assert (row.outcome, row.status, row.error_code) == (Outcome.CANCELLED, 200, None)
    assert row.usage == Usage(1, output_tokens + UNSEEN_TOKENS, source=UsageSource.ESTIMATED)
    assert len(reply.parts) == break_after


def test_a_caller_who_leaves_is_told_to_the_runtime_and_is_no_fault_of_ours() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*ANSWER)), stream=True, break_after=1)

    assert isinstance(reply.raised, ConnectionResetError)
    assert world.incidents() == []


def test_a_caller_who_leaves_a_whole_answer_has_its_row() -> None:
    world = World()
    body = b'{"choices":[{"index":0}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'

    chat(world, world.app(ToldProvider(body, headers=JSON)), break_after=0)

    (row,) = world.rows()
    assert (row.outcome, row.usage) == (Outcome.CANCELLED, Usage(3, 2))


def test_a_provider_is_left_when_the_caller_leaves() -> None:
    world, never = World(), asyncio.Event()
    provider = ToldProvider(chunk("a"), never)

    chat(world, world.app(provider), stream=True, break_after=0)

    assert (provider.left, provider.waiting.is_set()) == (1, False)


def test_inv2_a_caller_who_leaves_while_the_error_is_told_has_one_row() -> None:
    world = World()
    provider = ToldProvider(chunk("a"), UpstreamCut("it broke", target="p"))

    chat(world, world.app(provider), stream=True, break_after=1)

    assert len(world.rows()) == 1


# --- the request is cancelled


def cancelled_at(*steps: bytes | asyncio.Event, head: bool = False) -> tuple[World, Reply]:
    """Cancel a request while its provider is waiting."""

    async def main() -> tuple[World, Reply]:
        world, reply = World(), Reply()
        provider = ToldProvider(*steps, head=asyncio.Event() if head else None, headers=STREAM)
        task = asyncio.create_task(ask(world, world.app(provider), stream=True, reply=reply))
        await provider.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return world, reply

    return asyncio.run(main())


def test_inv2_a_request_that_is_cancelled_before_its_provider_answers_has_a_row() -> None:
    world, reply = cancelled_at(head=True)

    (row,) = world.rows()
    assert (row.outcome, row.status, reply.status) == (Outcome.CANCELLED, 0, 0)
    assert row.usage == Usage(1, UNSEEN_TOKENS, source=UsageSource.ESTIMATED)


def test_inv2_a_request_that_is_cancelled_in_mid_answer_has_a_row() -> None:
    world, _ = cancelled_at(chunk("12345678"), asyncio.Event())

    (row,) = world.rows()
    assert (row.outcome, row.status) == (Outcome.CANCELLED, 200)
    assert row.usage == Usage(1, 2 + UNSEEN_TOKENS, source=UsageSource.ESTIMATED)


def test_inv3_a_stream_whose_time_is_up_says_so() -> None:
    _, reply = cancelled_at(chunk("a"), asyncio.Event())

    first, last = reply.events()
    assert first["choices"][0]["delta"] == {"content": "a"}
    assert last["error"]["code"] == "upstream_unavailable"
    assert "time was up" in last["error"]["message"]
    assert not reply.ended


def test_inv2_a_second_cancellation_does_not_stop_the_settlement() -> None:
    async def main() -> list[LedgerRow]:
        world, gate = World(), asyncio.Event()
        provider = ToldProvider(chunk("a"), asyncio.Event())
        ledger = SlowLedger(world.ledger, gate)
        app = world.app(provider, ledger=ledger)
        task = asyncio.create_task(ask(world, app, stream=True))
        await provider.waiting.wait()
        task.cancel()
        await ledger.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await asyncio.wait_for(ledger.stored.wait(), GUARD_S)
        return world.rows()

    assert [row.outcome for row in asyncio.run(main())] == [Outcome.CANCELLED]


class SlowLedger:
    """The ledger's edge: waits for a gate."""

    def __init__(self, ledger: MemoryLedger, gate: asyncio.Event) -> None:
        self._ledger = ledger
        self._gate = gate
        self.reached = asyncio.Event()
        self.stored = asyncio.Event()

    async def put(self, row: LedgerRow) -> LedgerRow:
        self.reached.set()
        await self._gate.wait()
        stored = await self._ledger.put(row)
        self.stored.set()
        return stored


# --- the ledger is away


def test_a_ledger_that_is_away_for_a_moment_is_asked_again() -> None:
    world = World()
    ledger = FailingLedger(world.ledger, failures=2)

    reply = chat(world, world.app(ToldProvider(*ANSWER), ledger=ledger), stream=True)

    assert (ledger.puts, len(world.rows()), reply.raised) == (3, 1, None)
    assert world.incidents() == []


def test_without_a_ledger_the_caller_still_has_its_whole_answer() -> None:
    world = World()
    ledger = FailingLedger(world.ledger, failures=9)

    reply = chat(world, world.app(ToldProvider(*ANSWER), ledger=ledger), stream=True)

    assert reply.events()[-1] == "[DONE]"
    assert (reply.ended, reply.raised, ledger.puts) == (True, None, 3)


def test_inv2_a_row_that_could_not_be_stored_is_in_the_log() -> None:
    """`tests/unit/adapters/test_telemetry.py` makes a row of such a line."""
    world = World()
    ledger = FailingLedger(world.ledger, failures=3)

    reply = chat(world, world.app(ToldProvider(*ANSWER, usage(3, 2)), ledger=ledger), stream=True)

    assert world.rows() == []
    assert world.incidents() == ["ledger_row_not_stored"]
    (line,) = world.request_lines()
    assert line["forebay.request.id"] == reply.headers["x-forebay-request-id"]
    assert "12345678" not in json.dumps(world.lines)

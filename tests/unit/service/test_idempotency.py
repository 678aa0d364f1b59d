"""A request with an `Idempotency-Key` runs once; what it answers is answered again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.adapters.telemetry import JsonLines
from forebay.admission.idempotency import LEASE_MARGIN_S, STORED_S, RunRecord
from forebay.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidRequest,
    StoreUnavailable,
    UpstreamCut,
    UpstreamRefused,
)
from forebay.model import KeyRecord, KeyStatus
from forebay.service.account import Call
from forebay.service.gateway import Answer
from forebay.service.idempotency import REPLAY_HEADER, Idempotency

T = TypeVar("T")
KEY = KeyRecord("k", "k", "", "acme", "team", (), KeyStatus.ACTIVE, 1, 0.0)
PATH = "/v1/chat/completions"
BODY = b'{"model":"m"}'
PARTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")
HEADERS = {"x-forebay-target": "p/m", "x-forebay-cost-usd": "0.01"}
CUT = UpstreamCut("cut", target="p/m")
REFUSAL = UpstreamRefused("no", target="p/m", status=429, headers={}, error=None)
RUNS_S = 60.0


class Down(MemoryIdempotencyRecords):
    """Does what it is told and does not say so; `broken` are the methods that fail."""

    def __init__(self, *broken: str) -> None:
        super().__init__()
        self.broken = set(broken)

    def _done(self, method: str) -> None:
        if method in self.broken:
            raise StoreUnavailable("no reply in time")

    @override
    async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
        met = await super().begin(record, now=now)
        self._done("begin")
        return met

    @override
    async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
        self._done("complete")
        await super().complete(record, content, expires_at=expires_at)

    @override
    async def remove(self, record: RunRecord) -> None:
        self._done("remove")
        await super().remove(record)


@dataclass
class Desk:
    """Answers requests; counts how many really ran."""

    records: MemoryIdempotencyRecords = field(default_factory=MemoryIdempotencyRecords)
    clock: ManualClock = field(default_factory=ManualClock)
    incidents: list[str] = field(default_factory=list)
    parts: tuple[bytes, ...] = PARTS
    stream: bool = True
    refusal: Exception | None = None
    """Instead of an answer."""
    end: Exception | None = None
    """After the parts."""
    may_end: asyncio.Event | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0
    settled: int = 0

    def idempotency(self) -> Idempotency:
        lines = JsonLines(lambda line: self.incidents.append(line.decode()), self.clock, "Test")
        return Idempotency(self.records, lines, self.clock)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Answer]:
        self.runs += 1
        self.began.set()
        try:
            if self.refusal:
                raise self.refusal
            async with aclosing(self._rest()) as rest:
                yield Answer(dict(HEADERS), self.stream, self.parts[0], rest)
        finally:
            self.settled += 1

    async def _rest(self) -> AsyncGenerator[bytes]:
        for part in self.parts[1:]:
            yield part
        if self.may_end:
            await self.may_end.wait()
        if self.end:
            raise self.end

    def call(self, key: str | None = "a", *, who: KeyRecord = KEY) -> Call:
        now = self.clock.now()
        headers = {} if key is None else {"idempotency-key": key}
        return Call(
            f"id-{self.runs}-{now}",
            who,
            arrived_at=now,
            started=self.clock.monotonic(),
            headers=headers,
            ends_at=now + RUNS_S,
        )

    async def ask(
        self, key: str | None = "a", *, path: str = PATH, body: bytes = BODY, who: KeyRecord = KEY
    ) -> tuple[Answer, list[bytes]]:
        call = self.call(key, who=who)
        async with self.idempotency().answering(call, path, body, self.run) as answer:
            return answer, [answer.first, *[part async for part in answer.rest]]

    async def ask_and_leave(self) -> None:
        """Read the first part, and no more."""
        async with self.idempotency().answering(self.call(), PATH, BODY, self.run):
            return


def twice(desk: Desk, **second: Any) -> tuple[Answer, list[bytes]]:
    async def main() -> tuple[Answer, list[bytes]]:
        await desk.ask()
        return await desk.ask(**second)

    return asyncio.run(main())


def fails(desk: Desk, kind: type[T], use: Callable[[], Awaitable[object]] | None = None) -> T:
    async def main() -> T:
        with pytest.raises(kind) as caught:  # type: ignore[type-var]
            await (use or desk.ask)()
        return caught.value

    return asyncio.run(main())


def test_a_repeated_request_gets_the_same_parts_and_does_not_run() -> None:
    desk = Desk()
    answer, parts = twice(desk)

    assert (tuple(parts), answer.stream, desk.runs) == (PARTS, True, 1)


def test_a_repeated_answer_has_its_own_headers_and_says_what_it_is() -> None:
    assert twice(Desk())[0].headers == {**HEADERS, REPLAY_HEADER: "true"}


def test_the_first_answer_does_not_say_that_it_is_a_repeated_one() -> None:
    assert asyncio.run(Desk().ask())[0].headers == HEADERS


def test_an_answer_in_one_piece_is_repeated_as_such() -> None:
    answer, parts = twice(Desk(parts=(b"{}",), stream=False))

    assert (answer.stream, parts) == (False, [b"{}"])


def test_a_request_without_a_key_just_runs_and_leaves_nothing() -> None:
    desk = Desk()

    async def main() -> list[bytes]:
        await desk.ask(None)
        return (await desk.ask(None))[1]

    assert (tuple(asyncio.run(main())), desk.runs, len(desk.records)) == (PARTS, 2, 0)


def test_a_malformed_key_is_refused_before_anything_runs() -> None:
    desk = Desk()
    fails(desk, InvalidRequest, lambda: desk.ask(""))

    assert (desk.runs, len(desk.records)) == (0, 0)


def test_the_same_key_with_another_body_is_refused() -> None:
    desk = Desk()
    fails(desk, IdempotencyKeyReused, lambda: _after(desk.ask(), desk.ask(body=b"{}")))

    assert desk.runs == 1


async def _after(first: Awaitable[object], second: Awaitable[T]) -> T:
    await first
    return await second


@pytest.mark.parametrize(
    "second",
    [
        {"key": "b"},
        {"path": "/v1/messages"},
        {"who": replace(KEY, key_id="other")},
        {"who": replace(KEY, tenant="other")},
    ],
    ids=["key", "path", "caller", "tenant"],
)
def test_inv5_a_key_means_nothing_elsewhere(second: dict[str, Any]) -> None:
    desk = Desk()
    answer, _ = twice(desk, **second)

    assert (desk.runs, REPLAY_HEADER in answer.headers) == (2, False)


def test_of_many_at_once_one_runs_and_the_others_are_told_to_wait() -> None:
    desk = Desk()

    async def main() -> list[object]:
        desk.may_end = asyncio.Event()
        asking = [asyncio.create_task(desk.ask()) for _ in range(16)]
        for refused in islice(asyncio.as_completed(asking), 15):
            with suppress(IdempotencyKeyInUse):
                await refused
        desk.may_end.set()
        return await asyncio.gather(*asking, return_exceptions=True)

    told = asyncio.run(main())
    assert sum(isinstance(each, IdempotencyKeyInUse) for each in told) == 15
    assert desk.runs == 1


def test_who_asks_while_it_runs_is_told_how_long_it_has_run() -> None:
    desk = Desk()

    async def main() -> float:
        desk.may_end = asyncio.Event()
        first = asyncio.create_task(desk.ask())
        await desk.began.wait()
        desk.clock.advance(7)
        with pytest.raises(IdempotencyKeyInUse) as caught:
            await desk.ask()
        desk.may_end.set()
        await first
        return caught.value.retry_after_s

    assert asyncio.run(main()) == 7.0


@pytest.mark.parametrize(
    ("passed_s", "runs"), [(STORED_S - 1, 1), (STORED_S + 1, 2)], ids=["within a day", "after"]
)
def test_an_answer_is_given_again_for_a_day(passed_s: float, runs: int) -> None:
    desk = Desk()

    async def main() -> None:
        await desk.ask()
        desk.clock.advance(passed_s)
        await desk.ask()

    asyncio.run(main())
    assert desk.runs == runs


@pytest.mark.parametrize(
    ("passed_s", "runs"),
    [(RUNS_S + LEASE_MARGIN_S - 1, 1), (RUNS_S + LEASE_MARGIN_S, 2)],
    ids=["its invocation may last", "its invocation is over"],
)
def test_a_process_that_died_is_in_the_way_as_long_as_it_might_live(
    passed_s: float, runs: int
) -> None:
    records = Down("complete", "remove")  # as if it were gone from one moment to the next
    desk = Desk(records=records)

    async def main() -> None:
        await desk.ask()
        records.broken.clear()
        desk.clock.advance(passed_s)
        with suppress(IdempotencyKeyInUse):
            await desk.ask()

    asyncio.run(main())
    assert desk.runs == runs


@pytest.mark.parametrize(
    ("fault", "kind"),
    [({"refusal": REFUSAL}, UpstreamRefused), ({"end": CUT}, UpstreamCut)],
    ids=["refused", "cut"],
)
def test_what_failed_leaves_nothing_so_a_repeated_request_runs(
    fault: dict[str, Any], kind: type[Exception]
) -> None:
    desk = Desk(**fault)
    fails(desk, kind)

    assert len(desk.records) == 0


def test_an_answer_that_was_not_read_to_its_end_is_not_stored() -> None:
    desk = Desk()
    asyncio.run(desk.ask_and_leave())

    assert (len(desk.records), desk.settled) == (0, 1)


def test_a_request_that_is_cancelled_leaves_nothing() -> None:
    desk = Desk()

    async def main() -> None:
        desk.may_end = asyncio.Event()
        asking = asyncio.create_task(desk.ask())
        await desk.began.wait()
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})

    asyncio.run(main())
    assert (len(desk.records), desk.settled) == (0, 1)


def test_a_request_that_is_cancelled_while_it_is_put_down_leaves_nothing() -> None:
    stored = asyncio.Event()

    class Slow(MemoryIdempotencyRecords):
        @override
        async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
            met = await super().begin(record, now=now)
            stored.set()
            await asyncio.Event().wait()
            return met

    desk = Desk(records=Slow())

    async def main() -> None:
        asking = asyncio.create_task(desk.ask())
        await stored.wait()
        asking.cancel()
        await asyncio.wait({asking})

    asyncio.run(main())
    assert (len(desk.records), desk.runs) == (0, 0)


def test_an_answer_is_stored_after_it_is_settled() -> None:
    desk = Desk()

    class Watching(MemoryIdempotencyRecords):
        settled_before: int | None = None

        @override
        async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
            self.settled_before = desk.settled

    desk.records = watching = Watching()
    asyncio.run(desk.ask())

    assert watching.settled_before == 1


def test_without_a_store_a_request_with_a_key_does_not_run() -> None:
    desk = Desk(records=Down("begin"))
    fails(desk, StoreUnavailable)

    assert desk.runs == 0


def test_a_record_whose_storing_was_not_confirmed_is_taken_back() -> None:
    desk = Desk(records=Down("begin"))
    fails(desk, StoreUnavailable)

    assert len(desk.records) == 0


def test_without_a_store_a_request_without_a_key_runs() -> None:
    desk = Desk(records=Down("begin", "complete", "remove"))

    assert tuple(asyncio.run(desk.ask(None))[1]) == PARTS


def test_an_answer_that_cannot_be_stored_reaches_its_caller_and_the_operator_is_told() -> None:
    desk = Desk(records=Down("complete"))

    assert tuple(asyncio.run(desk.ask())[1]) == PARTS
    assert ["idempotent_answer_not_stored" in line for line in desk.incidents] == [True]
    assert len(desk.records) == 0


def test_a_record_that_cannot_be_removed_changes_nothing_for_the_caller() -> None:
    desk = Desk(records=Down("remove"), refusal=REFUSAL)
    fails(desk, UpstreamRefused)

    assert ["idempotency_record_not_removed" in line for line in desk.incidents] == [True]


def test_an_answer_too_large_to_store_is_given_and_forgotten() -> None:
    parts = tuple(os.urandom(1024 * 1024) for _ in range(6))
    desk = Desk(parts=parts)

    assert tuple(asyncio.run(desk.ask())[1]) == parts
    assert len(desk.records) == 0

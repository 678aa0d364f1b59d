"""Requests with an `Idempotency-Key`: each runs once, and whoever repeats it gets its answer.

The order of things::

    record put, if there is none      before admission: of many who come at once, one runs
    the request runs                  its answer is recorded as it passes
    answer stored, record completed   if it was whole; else the record is removed, so that a
                                      repeated request runs

Whoever dies in between leaves a record that expires with the invocation. An answer that is too
large to store, or that the store does not take, is not given again: a repeated request runs again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from forebay.admission import idempotency
from forebay.admission.idempotency import RunRecord
from forebay.errors import StoreError
from forebay.ports import Clock, IdempotencyRecords, Telemetry
from forebay.service.account import Call
from forebay.service.gateway import Answer
from forebay.service.recording import Head, Recorder, replay
from forebay.telemetry import REQUEST_ID

REPLAY_HEADER: Final = "x-forebay-idempotent-replay"
"""`true` on an answer that was given before."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Answers repeated requests with the first one's answer."""

    records: IdempotencyRecords
    telemetry: Telemetry
    clock: Clock

    @asynccontextmanager
    async def answering(
        self,
        call: Call,
        path: str,
        body: bytes,
        run: Callable[[], AbstractAsyncContextManager[Answer]],
    ) -> AsyncIterator[Answer]:
        """Answer a request: by running it, or with the answer that it had before.

        Args:
            call: Whose headers may have an `idempotency-key`; without one, it just runs.
            path: Of the request.
            body: Of the request, as it came.
            run: Runs it; leaving the context settles it.

        Raises:
            InvalidRequest: The key is malformed.
            IdempotencyKeyReused: It came with another body before.
            IdempotencyKeyInUse: The first request with it still runs.
            StoreError: Whether it ran before is not to be found out, so it does not run: the
                caller asked for once.
        """
        key = call.headers.get(idempotency.HEADER)
        if key is None:
            async with run() as answer:
                yield answer
            return
        record = self._record(call, path, key, body)
        earlier = await self._begin(record)
        if earlier is None:
            async with self._recorded(record, run) as answer:
                yield answer
        else:
            idempotency.check_repeat(earlier, digest=record.digest, now=self.clock.now())
            yield _again(await self.records.content(earlier))

    def _record(self, call: Call, path: str, key: str, body: bytes) -> RunRecord:
        idempotency.check_key(key)
        now, owner = self.clock.now(), call.key
        return RunRecord(
            idempotency.record_id(tenant=owner.tenant, key_id=owner.key_id, path=path, key=key),
            sha256(body).hexdigest(),
            call.request_id,
            began_at=now,
            expires_at=idempotency.lease_until(now=now, ends_at=call.ends_at),
        )

    async def _begin(self, record: RunRecord) -> RunRecord | None:
        try:
            return await self.records.begin(record, now=record.began_at)
        except (StoreError, asyncio.CancelledError):
            # It may be there all the same, and would be in the way of the next try.
            await self._remove(record)
            raise

    @asynccontextmanager
    async def _recorded(
        self, record: RunRecord, run: Callable[[], AbstractAsyncContextManager[Answer]]
    ) -> AsyncIterator[Answer]:
        """Run a request, and store its answer if that was whole and taken note of to its end."""
        recording: _Recording | None = None
        try:
            async with run() as answer:
                recording = _Recording(answer)
                async with aclosing(recording.rest()) as rest:
                    yield replace(answer, rest=rest)
        finally:
            # In this order: when it is stored, it is settled.
            content = recording.content() if recording is not None else None
            if content is None:
                await self._remove(record)
            else:
                await self._complete(record, content)

    async def _complete(self, record: RunRecord, content: bytes) -> None:
        now = self.clock.now()
        try:
            await self.records.complete(record, content, expires_at=now + idempotency.STORED_S)
        except StoreError as error:
            self._tell("idempotent_answer_not_stored", error, record)
            await self._remove(record)

    async def _remove(self, record: RunRecord) -> None:
        try:
            await self.records.remove(record)
        except StoreError as error:
            # It expires with the invocation; until then a repeated request is told to wait.
            self._tell("idempotency_record_not_removed", error, record)

    def _tell(self, code: str, error: StoreError, record: RunRecord) -> None:
        self.telemetry.incident(code, error.message, **{REQUEST_ID: record.run_id})


class _Recording:
    """Records an answer as its caller reads it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._recorder = Recorder(Head(answer.headers, answer.stream))
        self._whole = False

    async def rest(self) -> AsyncGenerator[bytes]:
        """What follows the first part."""
        self._recorder.add(self._answer.first)
        async for part in self._answer.rest:
            self._recorder.add(part)
            yield part
        self._whole = True

    def content(self) -> bytes | None:
        """Return what to store; None if the answer was not read to its end, or is too large."""
        content = self._recorder.content()
        return content if self._whole else None


def _again(content: bytes) -> Answer:
    head, parts = replay(content)
    headers = {**head.headers, REPLAY_HEADER: "true"}
    return Answer(headers, head.stream, next(parts, b""), _each(parts))


async def _each(parts: Iterator[bytes]) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part

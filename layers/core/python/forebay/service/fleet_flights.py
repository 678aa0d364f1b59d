"""Equal requests that are in flight in several processes share one upstream call.

Processes see each other only in a store, so this is coarser than `single_flight`: one process puts
a record, runs, and stores its answer whole; the others ask the store again and again until it is
there. Asking is trying to put a record of one's own, so a leader that failed (it removed its
record) or died (its record expired) is replaced by whoever asks next.

Sharing saves money and never decides whether there is an answer: without the store, or after
`MAX_LEADERS` that failed, everybody runs alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from forebay.admission.idempotency import RunRecord, lease_until
from forebay.errors import ConditionFailed, StoreError
from forebay.ports import Clock, Entropy, IdempotencyRecords, Telemetry
from forebay.service.recording import Head, Recorder, replay
from forebay.telemetry import REQUEST_ID

STORED_S: Final = 60.0
"""How long an answer can be picked up: by those who asked while it ran, not a cache."""

FIRST_POLL_S: Final = 0.25
MAX_POLL_S: Final = 2.0
"""Pauses between two looks double up to this, each jittered by half; a look is a write unit."""

MAX_LEADERS: Final = 2
"""Whoever has waited for so many runs in vain does not wait for another."""


@dataclass(frozen=True, slots=True)
class FleetRun:
    """One process's wish to share, and its own run if it must."""

    run_id: str
    """The request's id."""
    ends_at: float | None
    """When its invocation ends, epoch seconds; None: it may take as long as any."""
    make: Callable[[], AsyncGenerator[bytes]]
    """Makes its own run. Called once, if it leads or runs alone."""
    head: Callable[[], Head]
    """What to store before its answer; asked for when its first part is there."""
    found: Callable[[Head], None]
    """Told the head of another process's answer, before its first part: nothing is owed then."""


@dataclass(frozen=True, slots=True)
class FleetFlights:
    """Shares answers through a store."""

    records: IdempotencyRecords
    telemetry: Telemetry
    clock: Clock
    entropy: Entropy

    async def share(self, key: str, run: FleetRun) -> AsyncGenerator[bytes]:
        """Run, or wait for the answer of a process that runs already.

        Args:
            key: Names the question and who may share its answer (invariant 5).
            run: See `FleetRun`.

        Raises:
            UpstreamError: Its own run failed.
        """
        record = self._record(key, run)
        theirs = await self._wait(record)
        if theirs is not None:
            head, parts = theirs
            run.found(head)
            for part in parts:
                yield part
            return
        recorder: Recorder | None = None
        whole = False
        try:
            async with aclosing(run.make()) as own:
                async for part in own:
                    recorder = recorder or Recorder(run.head())
                    recorder.add(part)
                    yield part
            whole = True
        finally:
            stored = recorder.content() if recorder is not None and whole else None
            await self._end(record, stored)

    def _record(self, key: str, run: FleetRun) -> RunRecord:
        now = self.clock.now()
        expires_at = lease_until(now=now, ends_at=run.ends_at)
        return RunRecord(f"flight#{key}", key, run.run_id, began_at=now, expires_at=expires_at)

    async def _wait(self, record: RunRecord) -> tuple[Head, Iterator[bytes]] | None:
        """Return another process's answer; None if this one must run."""
        leaders: set[str] = set()
        pause_s = FIRST_POLL_S
        try:
            while (earlier := await self.records.begin(record, now=self.clock.now())) is not None:
                if earlier.completed:
                    return replay(await self.records.content(earlier))
                leaders.add(earlier.run_id)
                if len(leaders) > MAX_LEADERS:
                    return None
                await self.clock.sleep(pause_s * (0.5 + self.entropy.random() / 2))
                pause_s = min(pause_s * 2, MAX_POLL_S)
        except StoreError as error:
            self._tell("flight_not_shared", error, record)
        except asyncio.CancelledError:
            await self._end(record, None)  # it may be there already, and would be in the way
            raise
        return None

    async def _end(self, record: RunRecord, content: bytes | None) -> None:
        """Leave the answer for those who wait, or make way for one of them."""
        try:
            if content is None:
                await self.records.remove(record)
            else:
                expires_at = self.clock.now() + STORED_S
                await self.records.complete(record, content, expires_at=expires_at)
        except ConditionFailed:
            return  # it ran alone, beside the run that is stored
        except StoreError as error:
            self._tell("flight_not_ended", error, record)

    def _tell(self, code: str, error: StoreError, record: RunRecord) -> None:
        self.telemetry.incident(code, error.message, **{REQUEST_ID: record.run_id})

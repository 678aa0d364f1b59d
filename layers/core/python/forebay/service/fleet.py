"""The fleet's health, as the pipeline asks for it: which targets to leave alone.

A request calls `begin` first, `view` and `may_try` before an attempt, `attempt_ended` after it, and
`flush` when it is settled. While all is well that is one shared read every two seconds, beside the
key check, and no write. Health is advice: a store that is down makes nothing fail, and each process
goes by what it sees itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from forebay.errors import StoreError
from forebay.model import AttemptRecord
from forebay.ports import Clock, FleetStore
from forebay.resilience.breaker import (
    Breaker,
    BreakerEvent,
    BreakerRecord,
    BreakerState,
    judged,
    step,
)
from forebay.resilience.fleet_view import NOTHING_KNOWN, FleetSnapshot, FleetView
from forebay.service.own_health import OwnHealth
from forebay.settings import BreakerSettings

FRESH_S = 2.0
"""No request is decided on an older copy of the snapshot, in wall time from its read's start (a
monotonic clock stands still while the sandbox is frozen)."""

USABLE_S = 30.0
"""While the store is down, a copy says something for so long; after that, all count as healthy."""

PATIENCE_S = 0.5
"""How long a request waits for the snapshot at most. It takes 5 ms; a store that takes this long is
in trouble, and the old copy has to do."""

REPAIR_AFTER_S = 3.0
"""Who finds a record ahead of the snapshot for longer than this publishes it: its writer died."""

NO_CREDIT_S = 1.0
"""For so long a process does not ask again for credit where there was none."""


@dataclass(frozen=True, slots=True)
class _Read:
    started_at: float
    task: asyncio.Task[None]


class Fleet:
    """One process's part in the fleet; to be used within one event loop.

    Args:
        store: Where the processes meet.
        clock: Only its wall clock is asked.
        settings: When breakers open, and for how long.
    """

    def __init__(self, store: FleetStore, clock: Clock, settings: BreakerSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._snapshot = NOTHING_KNOWN
        self._read_at = 0.0
        self._read: _Read | None = None
        self._own: dict[str, OwnHealth] = {}
        self._writes: dict[str, asyncio.Task[None]] = {}
        self._leasing: set[str] = set()
        self._broke_until: dict[str, float] = {}

    def begin(self) -> None:
        """Start a read of the snapshot if our copy is `FRESH_S` old; all requests share it.

        To be called first thing in a request, beside what it waits for anyway; and again before
        an attempt that comes much later.
        """
        now = self._clock.now()
        if _age_ok(self._read_at, now, FRESH_S):
            return
        if self._read is not None and not self._read.task.done():
            if _age_ok(self._read.started_at, now, FRESH_S):
                return
            self._read.task.cancel()  # the sandbox was frozen, or the store hangs
        task = asyncio.get_running_loop().create_task(self._refresh(now))
        self._read = _Read(now, task)

    async def view(self) -> FleetView:
        """Return what is known now, after a read that is under way. Never raises."""
        await self._read_ended()
        return FleetView(
            self._usable_snapshot(),
            {name: own.breaker for name, own in self._own.items() if own.breaker is not None},
            {
                name: own.first_tokens.p95_s
                for name, own in self._own.items()
                if own.first_tokens.p95_s is not None
            },
        )

    async def may_try(self, target: str) -> bool:
        """Whether to ask the target: not while its breaker is open.

        When a probe is due, one caller of the fleet gets its lease (one write) and True. No I/O
        otherwise. Never raises: if the store is down, one caller of each process may probe.
        """
        await self._read_ended()
        breaker, now = self._breaker(target), self._clock.now()
        if breaker.state is BreakerState.CLOSED:
            return True
        leased = step(breaker, BreakerEvent.PROBE_LEASED, self._settings, now=now)
        if leased is None or target in self._leasing:
            return False
        self._leasing.add(target)
        try:
            return await self._lease(self._of(target), leased)
        finally:
            self._leasing.discard(target)

    def attempt_ended(self, record: AttemptRecord) -> None:
        """Count an attempt, in this process at once.

        One that speaks against its target is reported to the fleet in the background, at most once
        a second and target; `flush` waits for that and sends what had to wait.
        """
        own = self._of(record.target)
        own.ended(record, self._breaker(record.target), now=self._clock.now())
        self._start_writing(own)

    async def flush(self) -> None:
        """Write what the fleet should know, and wait for it. Never raises.

        To be called when a request is settled: after it the sandbox may be frozen.
        """
        self._start_all()
        while self._writes:
            await asyncio.wait(list(self._writes.values()))
            self._start_all()  # what came up while its target's last write was under way

    async def spend_credit(self, target: str) -> bool:
        """Spend one of the target's retry credit, fleet-wide; whether there was one. One write.

        Never raises: if the store is down, the process has a credit of its own.
        """
        if self._clock.now() < self._broke_until.get(target, 0.0):
            return False
        try:
            spent = await self._store.spend_credit(target) is not None
        except StoreError:
            own = self._of(target)
            left = own.credit.spent()
            own.credit = left or own.credit
            return left is not None
        if not spent:
            self._broke_until[target] = self._clock.now() + NO_CREDIT_S
        return spent

    def _of(self, target: str) -> OwnHealth:
        if target not in self._own:
            self._own[target] = OwnHealth(target, self._settings)
        return self._own[target]

    async def _read_ended(self) -> None:
        if self._read is not None and not self._read.task.done():
            await asyncio.wait([self._read.task], timeout=PATIENCE_S)

    def _breaker(self, target: str) -> Breaker:
        """The target's breaker, as it is known latest."""
        own = self._of(target).breaker
        return FleetView(self._usable_snapshot(), {} if own is None else {target: own}).breaker(
            target
        )

    def _usable_snapshot(self) -> FleetSnapshot:
        usable = _age_ok(self._read_at, self._clock.now(), USABLE_S)
        return self._snapshot if usable else NOTHING_KNOWN

    async def _refresh(self, now: float) -> None:
        with suppress(StoreError):
            snapshot = await self._store.snapshot()
            self._snapshot, self._read_at = snapshot, now
            for target, own in self._own.items():
                own.learn_snapshot(FleetView(snapshot).breaker(target), now=now)

    async def _lease(self, own: OwnHealth, leased: Breaker) -> bool:
        try:
            replaced = await self._store.replace(own.target, leased)
        except StoreError:
            own.lease(leased, stored=False)
            return True
        if not replaced.won:
            self._learn(own, replaced.record)
            return replaced.record.breaker.state is BreakerState.CLOSED
        own.lease(leased, stored=True)
        own.unpublished = replaced.record
        self._start_writing(own)
        return True

    def _start_all(self) -> None:
        for own in self._own.values():
            self._start_writing(own)

    def _start_writing(self, own: OwnHealth) -> None:
        """Write what there is to write about a target, one task at a time."""
        if own.target not in self._writes and own.has_news(self._clock.now()):
            task = asyncio.get_running_loop().create_task(self._write(own))
            self._writes[own.target] = task
            task.add_done_callback(lambda _: self._writes.pop(own.target))

    async def _write(self, own: OwnHealth) -> None:
        with suppress(StoreError):
            news = own.take_news(self._clock.now())
            if news.probed is not None:
                await self._replace(own, news.probed)
            if news.untold:
                # Not sent again when it fails: it may have been counted all the same, and the
                # ledger's stream brings these attempts anyway.
                told = await self._store.report(own.target, news.untold)
                self._learn(own, told)
                opened = judged(told, self._settings, now=self._clock.now())
                if opened is not None:
                    await self._replace(own, opened)
            if (record := own.unpublished) is not None:
                await self._store.publish(record)
                if own.unpublished is record:  # else there is a later one by now
                    own.unpublished = None

    async def _replace(self, own: OwnHealth, breaker: Breaker) -> None:
        replaced = await self._store.replace(own.target, breaker)
        self._learn(own, replaced.record)
        if replaced.won:
            own.unpublished = replaced.record

    def _learn(self, own: OwnHealth, record: BreakerRecord) -> None:
        """Take over a record, and publish it if its own writer seems not to have."""
        own.learn(record.breaker)
        shared = FleetView(self._usable_snapshot()).breaker(own.target)
        overdue_s = self._clock.now() - record.breaker.since
        if record.breaker.version > shared.version and overdue_s > REPAIR_AFTER_S:
            own.unpublished = record


def _age_ok(then: float, now: float, limit_s: float) -> bool:
    """Whether something is young; a negative age is a clock set back, and proves nothing."""
    return 0 <= now - then < limit_s

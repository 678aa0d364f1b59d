"""The stores that all processes share, an I/O away from each, and sometimes out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random

from forebay.adapters.memory import MemoryFleet, MemoryKeys, MemoryLedger
from forebay.errors import StoreUnavailable
from forebay.model import KeyRecord, LedgerRow
from forebay.ports import Clock
from forebay.resilience.breaker import Breaker, BreakerRecord, Replacement
from forebay.resilience.fleet_view import Figures, FleetSnapshot
from forebay.resilience.window import Window
from forebay.service.settler import Settler
from tests.support.loop_clock import LoopClock
from tests.support.simulation.journal import Journal

FASTEST_S, SLOWEST_S = 0.002, 0.008
"""How long a message takes, there and back: DynamoDB in the same region."""


@dataclass
class Stores:
    """Where processes meet."""

    journal: Journal
    dice: Random
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    fleet: MemoryFleet = field(default_factory=MemoryFleet)
    down: set[str] = field(default_factory=set)
    """Of `ledger` and `fleet`, those out of reach."""
    listeners: list[Callable[[LedgerRow], None]] = field(default_factory=list)
    """Told of each new row of the ledger."""


@dataclass
class Line:
    """One process's line to the stores: while it is frozen, nothing is sent and nothing arrives."""

    stores: Stores
    clock: LoopClock

    async def reach(self, store: str) -> None:
        """Go there. Raises `StoreUnavailable` if it is down."""
        await self.clock.thawed()
        await self._travel()
        if store in self.stores.down:
            raise StoreUnavailable(f"{store} is down")

    async def back(self) -> None:
        """Return with the reply."""
        await self._travel()
        await self.clock.thawed()

    async def _travel(self) -> None:
        await asyncio.sleep(self.stores.dice.uniform(FASTEST_S, SLOWEST_S) / 2)


@dataclass
class FarKeys:
    """Port `Keys`."""

    line: Line

    async def find(self, key_id: str) -> KeyRecord | None:
        await self.line.reach("keys")
        record = await self.line.stores.keys.find(key_id)
        await self.line.back()
        return record


@dataclass
class FarLedger:
    """Port `Ledger`."""

    line: Line

    async def put(self, row: LedgerRow) -> LedgerRow:
        await self.line.reach("ledger")
        stores = self.line.stores
        stores.journal.row_put(row)
        stored = await stores.ledger.put(row)
        if stored is row:
            for listener in stores.listeners:
                listener(row)
        await self.line.back()
        return stored


@dataclass
class FarFleet:
    """Ports `FleetStore` and `FleetBooks`."""

    line: Line

    async def snapshot(self) -> FleetSnapshot:
        await self.line.reach("fleet")
        snapshot = await self._store.snapshot()
        await self.line.back()
        return snapshot

    async def report(self, target: str, told: Window) -> BreakerRecord:
        await self.line.reach("fleet")
        record = await self._store.report(target, told)
        await self.line.back()
        return record

    async def replace(self, target: str, breaker: Breaker) -> Replacement:
        await self.line.reach("fleet")
        replaced = await self._store.replace(target, breaker)
        if replaced.won:
            self.line.stores.journal.breaker_changed(target, breaker)
        await self.line.back()
        return replaced

    async def publish(self, record: BreakerRecord) -> None:
        await self.line.reach("fleet")
        await self._store.publish(record)
        await self.line.back()

    async def spend_credit(self, target: str) -> float | None:
        await self.line.reach("fleet")
        left = await self._store.spend_credit(target)
        await self.line.back()
        return left

    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        await self.line.reach("fleet")
        record = await self._store.add_streamed(target, window, batch=batch, successes=successes)
        await self.line.back()
        return record

    async def publish_figures(self, target: str, figures: Figures) -> None:
        await self.line.reach("fleet")
        await self._store.publish_figures(target, figures)
        await self.line.back()

    async def records(self) -> AsyncIterator[BreakerRecord]:
        await self.line.reach("fleet")
        async for record in self._store.records():
            yield record

    async def forget(self, record: BreakerRecord) -> None:
        await self.line.reach("fleet")
        await self._store.forget(record)
        await self.line.back()

    @property
    def _store(self) -> MemoryFleet:
        return self.line.stores.fleet


class LedgerStream:
    """Carries the ledger's new rows to the settler, a second or two later, some of them twice.

    Args:
        settler: Gets them in batches; one that it does not take comes again.
        clock: Of the world.
        dice: Seeded.
    """

    EVERY_S = 0.5
    DELAY_S = 1.0
    AGAIN = 0.1

    def __init__(self, settler: Settler, clock: Clock, dice: Random) -> None:
        self._settler = settler
        self._clock = clock
        self._dice = dice
        self._waiting: list[tuple[float, LedgerRow]] = []
        self._batches = 0

    def put(self, row: LedgerRow) -> None:
        """Take a new row."""
        self._waiting.append((self._clock.monotonic(), row))

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            await self._clock.sleep(self.EVERY_S)
            due = self._clock.monotonic() - self.DELAY_S
            batch = [row for put_at, row in self._waiting if put_at <= due]
            if batch:
                del self._waiting[: len(batch)]
                await self._deliver(batch)

    async def _deliver(self, rows: list[LedgerRow]) -> None:
        self._batches += 1
        again = True
        while again:
            try:
                await self._settler.settle(f"batch-{self._batches}", rows)
            except StoreUnavailable:
                await self._clock.sleep(self.EVERY_S)
            else:
                again = self._dice.random() < self.AGAIN

"""A fleet of processes with one store and one clock."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

from typing_extensions import override

from forebay.adapters.memory import ManualClock, MemoryFleet
from forebay.errors import StoreError, StoreUnavailable
from forebay.model import AttemptRecord, AttemptResult
from forebay.resilience.breaker import Breaker, BreakerRecord, Replacement
from forebay.resilience.fleet_view import FleetSnapshot
from forebay.resilience.window import Counts, Window
from forebay.service.fleet import Fleet
from forebay.settings import BreakerSettings

TARGET, OTHER = "openai/gpt-5-mini", "anthropic/claude"
SETTINGS = BreakerSettings()
GUARD_S = 20.0


class ObservedStore(MemoryFleet):
    """Counts what it is asked, can be down, and can keep its readers waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.writes: list[str] = []
        self.failure: StoreError | None = None
        self.loses: set[str] = set()
        """Operations that fail when it is; empty: all."""
        self.began: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        """Set when an operation is asked for the first time, or again after `hold`."""
        self.gate = asyncio.Event()
        self.gate.set()
        self._held: set[str] = set()

    def hold(self, operation: str) -> None:
        """Keep those waiting who ask for this alone, until the gate is open."""
        self._held = {operation}
        self.began.clear()
        self.gate.clear()

    @override
    async def snapshot(self) -> FleetSnapshot:
        self.reads += 1
        await self._pass("snapshot")
        return await super().snapshot()

    @override
    async def report(self, target: str, told: Window) -> BreakerRecord:
        await self._write("report")
        return await super().report(target, told)

    @override
    async def replace(self, target: str, breaker: Breaker) -> Replacement:
        await self._write("replace")
        return await super().replace(target, breaker)

    @override
    async def publish(self, record: BreakerRecord) -> None:
        await self._write("publish")
        await super().publish(record)

    @override
    async def spend_credit(self, target: str) -> float | None:
        await self._write("spend_credit")
        return await super().spend_credit(target)

    async def _write(self, operation: str) -> None:
        self.writes.append(operation)
        self.began[operation].set()
        await self._pass(operation)

    async def _pass(self, operation: str) -> None:
        if not self._held or operation in self._held:
            await self.gate.wait()
        if self.failure is not None and (not self.loses or operation in self.loses):
            raise self.failure


class Stage:
    """A fleet of processes with one store and one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = ObservedStore()

    def process(self) -> Fleet:
        return Fleet(self.store, self.clock, SETTINGS)

    def goes_down(self, *operations: str) -> None:
        self.store.failure = StoreUnavailable("it is down")
        self.store.loses = set(operations)

    def comes_back(self) -> None:
        self.store.failure = None

    async def open_elsewhere(self, target: str = TARGET) -> None:
        """Let another process see faults enough."""
        await end_attempts(self.process(), AttemptResult.FAILED, times=5, target=target)

    async def breaker(self, target: str = TARGET) -> Breaker:
        """The fleet's record."""
        async for record in self.store.records():
            if record.target == target:
                return record.breaker
        return Breaker()

    async def told(self) -> Counts:
        """All that was reported on the target."""
        total = Counts()
        async for record in self.store.records():
            for counts in record.told.values():
                total += counts
        return total


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    """Run a scene on a fresh stage."""

    async def main() -> None:
        await asyncio.wait_for(scene(Stage()), GUARD_S)

    asyncio.run(main())


def attempt(
    result: AttemptResult = AttemptResult.COMPLETE,
    *,
    target: str = TARGET,
    first_token_ms: int | None = None,
) -> AttemptRecord:
    return AttemptRecord(target, result, first_token_ms=first_token_ms)


async def end_attempts(
    fleet: Fleet, result: AttemptResult, *, times: int = 1, target: str = TARGET
) -> None:
    """Let attempts end, and the request that made them."""
    for _ in range(times):
        fleet.attempt_ended(attempt(result, target=target))
    await fleet.flush()


async def request(fleet: Fleet, target: str = TARGET) -> bool:
    """A request arrives and asks whether it may try a target."""
    fleet.begin()
    return await fleet.may_try(target)

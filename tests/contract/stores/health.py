"""Targets' health to store, and a look at what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from forebay.resilience.breaker import Breaker, BreakerRecord, BreakerState
from forebay.resilience.fleet_view import FleetSnapshot
from forebay.resilience.window import Counts
from tests.contract.stores.conftest import FleetTable, OpenFleet

TARGET, OTHER = "openai/gpt-5-mini", "anthropic/claude.haiku-4-5 (größe)"
NOW = 1_800_000_000.125
BUCKET = 900_000_000
OPEN = Breaker(BreakerState.OPEN, since=NOW, until=NOW + 5, version=1)
LEASED = Breaker(
    BreakerState.HALF_OPEN,
    since=NOW + 5,
    until=NOW + 5,
    probe_lease_until=NOW + 15,
    reopenings=2,
    version=2,
)
CLOSED = Breaker(BreakerState.CLOSED, since=NOW + 6, version=3)
ONE_FAULT = {BUCKET: Counts(1, 1)}

Result = TypeVar("Result")


def on(store: OpenFleet, use: Callable[[FleetTable], Awaitable[Result]]) -> Result:
    """Open the store and use it."""

    async def main() -> Result:
        async with store() as fleet:
            return await use(fleet)

    return asyncio.run(main())


def records(store: OpenFleet) -> dict[str, BreakerRecord]:
    async def read(fleet: FleetTable) -> dict[str, BreakerRecord]:
        return {record.target: record async for record in fleet.records()}

    return on(store, read)


def snapshot(store: OpenFleet) -> FleetSnapshot:
    return on(store, lambda fleet: fleet.snapshot())

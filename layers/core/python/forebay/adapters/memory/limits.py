"""Ports `Limits` and `OpenHolds` in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from forebay.adapters.memory.capacity import Capacity, leaf_bytes
from forebay.admission import leaf as leaves
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.ports import Clock


class MemoryLimits:
    """Leaves in a dict, shared by all who are given it.

    A write gives way to others before it is done and again before its reply is there, as a network
    does. An item has DynamoDB's capacity, and a write beyond it is throttled.

    Args:
        clock: Of the capacity.
    """

    def __init__(self, clock: Clock) -> None:
        self._leaves: dict[str, Leaf] = {}
        self.capacity = Capacity(clock)

    async def create(self, leaf: Leaf) -> LeafWrite:
        """Store a new leaf, unless there is one of its scope."""
        await asyncio.sleep(0)
        met = self._leaves.get(leaf.scope)
        return await self._written(leaf.scope, met, leaf if met is None else None)

    async def admit(self, scope: str, entry: Entry) -> LeafWrite:
        """Take a hold and charge the rates."""
        await asyncio.sleep(0)
        met = self._leaves.get(scope)
        return await self._written(scope, met, met and leaves.admit(met, entry))

    async def top_up(self, scope: str, change: TopUp) -> LeafWrite:
        """Enlarge a hold."""
        await asyncio.sleep(0)
        met = self._leaves.get(scope)
        return await self._written(scope, met, met and leaves.top_up(met, change))

    async def settle(self, scope: str, change: Settlement) -> LeafWrite:
        """End a hold."""
        await asyncio.sleep(0)
        met = self._leaves.get(scope)
        return await self._written(scope, met, met and leaves.settle(met, change))

    async def renew(self, change: Renewal) -> LeafWrite:
        """Change a leaf's terms."""
        await asyncio.sleep(0)
        scope = change.before.scope
        met = self._leaves.get(scope)
        return await self._written(scope, met, met and leaves.renew(met, change))

    async def due(self, *, now: float) -> AsyncIterator[str]:
        """Scopes of leaves that are to be swept."""
        for leaf in list(self._leaves.values()):
            if leaf.sweep_at is not None and leaf.sweep_at <= now:
                yield leaf.scope

    async def read(self, scope: str) -> Leaf | None:
        """Read a leaf."""
        await asyncio.sleep(0)
        return self._leaves.get(scope)

    async def sweep_at(self, leaf: Leaf, at: int | None) -> None:
        """Say when a leaf is to be swept next; None: not before its next hold."""
        await asyncio.sleep(0)
        met = self._leaves.get(leaf.scope)
        stays = met is None or met.sweep_at != leaf.sweep_at or (at is None and met.holds)
        after = None if met is None or stays else replace(met, sweep_at=at)
        await self._written(leaf.scope, met, after)

    def peek(self, scope: str) -> Leaf | None:
        """Return a leaf, for `MemoryEscrow`, whose writes take their time themselves."""
        return self._leaves.get(scope)

    def keep(self, leaf: Leaf) -> None:
        """Store what `MemoryEscrow` made of a leaf that it has just peeked at."""
        self._leaves[leaf.scope] = leaf

    async def _written(self, scope: str, met: Leaf | None, after: Leaf | None) -> LeafWrite:
        """Charge a write, do it if its condition held, and let its reply take its time."""
        larger = max((leaf_bytes(leaf) for leaf in (met, after) if leaf is not None), default=0)
        self.capacity.spend(scope, larger)
        if after is not None:
            self._leaves[scope] = after
        await asyncio.sleep(0)
        return LeafWrite(done=after is not None, leaf=after or met)

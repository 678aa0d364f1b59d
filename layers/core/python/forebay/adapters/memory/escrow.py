"""Port `Escrow` in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from forebay.adapters.memory.capacity import leaf_bytes, parent_bytes
from forebay.adapters.memory.limits import MemoryLimits
from forebay.admission.escrow import AtLeaf, AtParent, LeafPool, Parent, Pool, Step
from forebay.admission.leaf import Leaf


class MemoryEscrow:
    """Parents in a dict; leaves where requests are admitted.

    A write gives way to others before it is done and again before its reply is there, and costs
    capacity, as in `MemoryLimits`.

    Args:
        limits: Where the leaves are.
    """

    def __init__(self, limits: MemoryLimits) -> None:
        self._limits = limits
        self._parents: dict[str, Parent] = {}

    async def parent(self, pool: Pool) -> Parent | None:
        """Read a pool's parent."""
        await asyncio.sleep(0)
        return self._parents.get(pool.parent)

    async def leaves(self, pool: Pool, leaves: Iterable[str]) -> Mapping[str, LeafPool]:
        """Read what leaves keep of a pool."""
        found = {}
        for name in leaves:
            await asyncio.sleep(0)  # a batch is no snapshot: others write while it is read
            leaf = self._limits.peek(name)
            if leaf is not None:
                found[name] = leaf.pools.get(pool.slot, LeafPool())
        return found

    async def step_parent(self, step: Step) -> AtParent:
        """Do a step's half at the parent."""
        await asyncio.sleep(0)
        met = self._parents.get(step.pool.parent)
        moved = None if met is None else met.after(step)
        parent = self._put(step.pool, met, moved)
        await asyncio.sleep(0)
        return AtParent(done=moved is not None, parent=parent)

    async def step_leaf(self, step: Step) -> AtLeaf:
        """Do a step's half at the leaf."""
        await asyncio.sleep(0)
        leaf = self._limits.peek(step.leaf)
        if leaf is None:
            return AtLeaf(done=False, held=None)
        self._limits.capacity.spend(leaf.scope, leaf_bytes(leaf))
        moved = _moved(leaf, step)
        if moved is not None:
            self._limits.keep(replace(leaf, pools={**leaf.pools, step.pool.slot: moved}))
        await asyncio.sleep(0)
        met = leaf.pools.get(step.pool.slot, LeafPool())
        return AtLeaf(done=moved is not None, held=moved or met)

    async def set_budget(self, pool: Pool) -> Parent:
        """Make a pool's parent, or give it a later limit."""
        await asyncio.sleep(0)
        met = self._parents.get(pool.parent)
        if met is None:
            moved = Parent(pool.limit, pool.version, pool.period)
        elif met.version < pool.version:
            moved = replace(met, budget=pool.limit, version=pool.version)
        else:
            moved = met
        self._put(pool, met, moved)
        await asyncio.sleep(0)
        return moved

    def _put(self, pool: Pool, met: Parent | None, moved: Parent | None) -> Parent | None:
        """Charge a write, and do it if its condition held."""
        sizes = [parent_bytes(pool, parent) for parent in (met, moved) if parent is not None]
        self._limits.capacity.spend(pool.parent, max(sizes, default=0))
        if moved is not None:
            self._parents[pool.parent] = moved
        return moved or met


def _moved(leaf: Leaf, step: Step) -> LeafPool | None:
    held = leaf.pools.get(step.pool.slot)
    if held is None and leaf.since >= step.pool.ends_at:
        return None  # it has forgotten the period, and its draws
    return (held or LeafPool()).after(step)

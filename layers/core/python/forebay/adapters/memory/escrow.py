"""Port `Escrow` in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from forebay.admission.escrow import AtLeaf, AtParent, LeafPool, Parent, Pool, Step


class LeafPools(Protocol):
    """Where the leaves are: the store of limits, which admits from the same rooms."""

    def pools(self, leaf: str) -> dict[str, LeafPool] | None:
        """What a leaf keeps of its pools, by slot, to be read and changed; None: no such leaf."""
        ...


class MemoryEscrow:
    """Parents in a dict; leaves where requests are admitted.

    Args:
        leaves: The store that admits from them.
    """

    def __init__(self, leaves: LeafPools) -> None:
        self._leaves = leaves
        self._parents: dict[str, Parent] = {}

    async def parent(self, pool: Pool) -> Parent | None:
        """Read a pool's parent."""
        return self._parents.get(pool.parent)

    async def leaves(self, pool: Pool, leaves: Iterable[str]) -> Mapping[str, LeafPool]:
        """Read what leaves keep of a pool."""
        return {
            leaf: pools.get(pool.slot, LeafPool())
            for leaf in leaves
            if (pools := self._leaves.pools(leaf)) is not None
        }

    async def step_parent(self, step: Step) -> AtParent:
        """Do a step's half at the parent."""
        parent = self._parents.get(step.pool.parent)
        moved = None if parent is None else parent.after(step)
        if moved is None:
            return AtParent(done=False, parent=parent)
        self._parents[step.pool.parent] = moved
        return AtParent(done=True, parent=moved)

    async def step_leaf(self, step: Step) -> AtLeaf:
        """Do a step's half at the leaf."""
        pools = self._leaves.pools(step.leaf)
        if pools is None:
            return AtLeaf(done=False, held=None)
        held = pools.get(step.pool.slot, LeafPool())
        moved = held.after(step)
        if moved is None:
            return AtLeaf(done=False, held=held)
        pools[step.pool.slot] = moved
        return AtLeaf(done=True, held=moved)

    async def set_budget(self, pool: Pool) -> Parent:
        """Make a pool's parent, or give it a later limit."""
        parent = self._parents.get(pool.parent)
        if parent is None:
            parent = Parent(pool.limit, pool.version)
        elif parent.version < pool.version:
            parent = replace(parent, budget=pool.limit, version=pool.version)
        self._parents[pool.parent] = parent
        return parent

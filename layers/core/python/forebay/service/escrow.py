"""Allowances: a leaf draws from a parent, and what is idle elsewhere is brought back first.

The steps and what holds of them are in `forebay.admission.escrow`; here is who does which, when::

    draw     a request found no room      parent, leaf                       2 round trips
             the parent is dry            parent and leaves are read, then for each leaf that has
                                          to give: leaf, parent; then the draw
    ahead    after a reply                parent, leaf; nobody waits for it

A step that somebody began and did not end is ended by whoever meets it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from weakref import WeakValueDictionary

from forebay.admission import escrow as steps
from forebay.admission.escrow import LeafPool, Parent, Pool, Step, StepKind
from forebay.ports import Clock
from forebay.ports.background import Escrow

TRIES: Final = 8
"""Writes of one draw that others may get ahead of; each time somebody has drawn or given."""

DRY_S: Final = 0.25
"""For so long a process believes that there is nothing to bring back: a spent budget that is
hammered costs one pass in this time. Money that is settled meanwhile waits for the next pass."""

REMEMBERED: Final = 512
"""Parents as last seen; one with a thousand leaves takes 200 KB."""


class _Found(Enum):
    """Where a pass found what a leaf needs."""

    AT_PARENT = auto()
    AT_LEAF = auto()
    """It came to the leaf itself since that refused."""
    NOWHERE = auto()
    """All that is idle anywhere is not enough."""


@dataclass(frozen=True, slots=True)
class _Dry:
    period: str
    left: int
    until: float
    """Monotonic."""


class Allowances:
    """One process's way to the parents; to be used within one event loop.

    Each method raises `StoreUnavailable` when the store does not answer in time: what was begun is
    ended by the next who needs it.

    Args:
        escrow: Where allowances are.
        clock: Dates the draws.
    """

    def __init__(self, escrow: Escrow, clock: Clock) -> None:
        self._escrow = escrow
        self._clock = clock
        self._seen: OrderedDict[str, Parent] = OrderedDict()
        self._dry: OrderedDict[str, _Dry] = OrderedDict()
        self._passes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def draw(self, pool: Pool, leaf: str, held: LeafPool, *, need: int) -> bool:
        """Get a leaf more room; False: all that is left anywhere is less than it needs.

        Args:
            pool: To draw from.
            leaf: For whom.
            held: What it keeps of the pool, as it was when it refused.
            need: What it has too little.
        """
        for _ in range(TRIES):
            parent = await self._parent(pool)
            if parent.grant_in(pool.period, leaf).drawn > held.drawn:
                await self._end_draw(parent, pool, leaf, held)
                return True  # it has more than it had when it refused
            now = self._clock.now()
            amount = steps.slice_size(parent, pool, leaf, need=need, now=now)
            if amount:
                if await self._move(steps.draw(pool, leaf, held, amount, now=now)):
                    return True
                continue
            found = await self._bring_back(pool, leaf, held, need=need)
            if found is not _Found.AT_PARENT:
                return found is _Found.AT_LEAF
        return True  # it went to others so often that the leaf itself knows better

    async def ahead(self, pool: Pool, leaf: str, held: LeafPool, *, hold: int) -> None:
        """Draw before there is need, so that no request waits; never the last of a budget.

        Args:
            pool: To draw from.
            leaf: For whom.
            held: What it keeps of the pool.
            hold: What a request takes of it.
        """
        seen = self._seen.get(pool.parent)
        last = 0 if seen is None else seen.grant_in(pool.period, leaf).amount
        if held.room >= max(hold, last // 4):
            return
        parent = await self._parent(pool)
        if parent.grant_in(pool.period, leaf).drawn > held.drawn:
            await self._end_draw(parent, pool, leaf, held)
            return
        now = self._clock.now()
        amount = steps.slice_ahead(parent, pool, leaf, hold=hold, now=now)
        if amount:
            await self._move(steps.draw(pool, leaf, held, amount, now=now))

    async def set_limit(self, pool: Pool) -> int:
        """Give a parent a new limit, and bring back what is granted above it.

        Returns:
            What could not be brought back, since it is committed: so far the new limit is already
            overdrawn.
        """
        parent = self._note(pool, await self._escrow.set_budget(pool))
        for _ in range(TRIES):
            missing = -parent.left_in(pool.period)
            if missing <= 0:
                return 0
            parent, leaves = await self._survey(pool)
            for step in steps.returns(pool, leaves, missing=-parent.left_in(pool.period)):
                await self._move(step)
            parent = self._seen[pool.parent]
            if steps.idle(leaves.values()) <= 0:
                break
        return max(0, -parent.left_in(pool.period))

    def left(self, pool: Pool) -> int:
        """What was left of a pool when this process last looked, in other leaves, too."""
        dry = self._dry.get(pool.parent)
        if dry is not None and dry.period == pool.period:
            return dry.left
        seen = self._seen.get(pool.parent)
        return pool.limit if seen is None else max(0, seen.left_in(pool.period))

    async def _parent(self, pool: Pool) -> Parent:
        """Return a parent as last seen; make it, or give it its new budget, if need be."""
        parent = self._seen.get(pool.parent)
        if parent is None:
            parent = await self._escrow.parent(pool)
        if parent is None or parent.version < pool.version:
            parent = await self._escrow.set_budget(pool)
        return self._note(pool, parent)

    async def _move(self, step: Step) -> bool:
        """Do both halves of a step; False if the first could not be done.

        Where the second cannot, somebody else has done it.
        """
        if step.kind is StepKind.DRAW:
            if not await self._at_parent(step):
                return False
            await self._escrow.step_leaf(step)
            return True
        if not (await self._escrow.step_leaf(step)).done:
            return False
        await self._at_parent(step)
        return True

    async def _at_parent(self, step: Step) -> bool:
        moved = await self._escrow.step_parent(step)
        if moved.parent is None:
            self._seen.pop(step.pool.parent, None)
        else:
            self._note(step.pool, moved.parent)
        return moved.done

    async def _end_draw(self, parent: Parent, pool: Pool, leaf: str, held: LeafPool) -> None:
        begun = steps.unfinished_draw(parent, pool, leaf, held)
        if begun is not None:
            await self._escrow.step_leaf(begun)

    async def _bring_back(self, pool: Pool, leaf: str, held: LeafPool, *, need: int) -> _Found:
        """Return idle allowance to the parent, as much as it lacks.

        One pass at a time in a process: who waited for one finds what it brought.
        """
        lock = self._passes.setdefault(pool.parent, asyncio.Lock())
        async with lock:
            seen = self._seen.get(pool.parent)
            if seen is not None and seen.left_in(pool.period) >= need:
                return _Found.AT_PARENT
            if self._is_dry(pool, need):
                return _Found.NOWHERE
            parent, leaves = await self._survey(pool)
            others = {name: held for name, held in leaves.items() if name != leaf}
            need -= leaves.get(leaf, held).room - held.room
            left = parent.left_in(pool.period)
            if need <= 0:
                return _Found.AT_LEAF
            if left + steps.idle(others.values()) < need:
                self._note_dry(pool, max(0, left) + steps.idle(others.values()))
                return _Found.NOWHERE
            self._dry.pop(pool.parent, None)
            for step in steps.returns(pool, others, missing=need - left):
                await self._move(step)
            return _Found.AT_PARENT

    async def _survey(self, pool: Pool) -> tuple[Parent, Mapping[str, LeafPool]]:
        """Read a parent and its leaves, and end the steps that somebody began."""
        parent = await self._escrow.parent(pool)
        if parent is None or parent.version < pool.version:
            parent = await self._escrow.set_budget(pool)
        self._note(pool, parent)
        grants = parent.grants if parent.period == pool.period else {}
        leaves = dict(await self._escrow.leaves(pool, grants))
        for leaf, held in list(leaves.items()):
            begun = steps.unfinished_return(parent, pool, leaf, held)
            if begun is not None:
                await self._at_parent(begun)
            begun = steps.unfinished_draw(parent, pool, leaf, held)
            if begun is not None:
                leaves[leaf] = (await self._escrow.step_leaf(begun)).held or held
        return self._seen.get(pool.parent, parent), leaves

    def _note(self, pool: Pool, parent: Parent) -> Parent:
        self._seen[pool.parent] = parent
        self._seen.move_to_end(pool.parent)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return parent

    def _note_dry(self, pool: Pool, left: int) -> None:
        until = self._clock.monotonic() + DRY_S
        self._dry[pool.parent] = _Dry(pool.period, left, until)
        self._dry.move_to_end(pool.parent)
        if len(self._dry) > REMEMBERED:
            self._dry.popitem(last=False)

    def _is_dry(self, pool: Pool, need: int) -> bool:
        dry = self._dry.get(pool.parent)
        if dry is None or dry.period != pool.period:
            return False
        return self._clock.monotonic() < dry.until and dry.left < need

"""Escrow: how a limit above a leaf is shared out among leaves, without a write to it per request.

A *pool* is one limit of one scope: a team's budget of a month, a tenant's calls in flight. Its
*parent* is an item that says how much of it is granted; a *leaf* is the item that a request writes.
A leaf draws an allowance from each pool above it, in slices, and admits as long as it has room::

    parent   period, budget, granted, grants {leaf: drawn, amount, returned}
    leaf     for each pool and period: room, committed, drawn, returned, gave

Two kinds of steps move an allowance, each in two halves, each numbered by itself in its period:

    draw     the parent first (`granted + a`), then the leaf (`room + a`)
    return   the leaf first (`room - a`), then the parent (`granted - a`)

A half is done only if its side stands at the number before, and leaves its number behind. So a half
is done once, whoever does it, and whoever finds the second half undone can do it: `repairs` says
which. Whatever crashes where, what the leaves hold is never more than what is granted, and that
never more than the budget; a crash strands a slice until the next draw of its leaf or the next
reclaim.

The two kinds have counters of their own, since they begin on different sides: with one for both, a
draw and a return that are begun at once get the same number, each then takes the other for its own
second half, and both amounts are lost until the period ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final

from forebay.admission.period import kind_of

SLICE_SHARE = 20
"""A slice is at most a 20th (5 %) of what its parent has left: 20 leaves never leave it dry."""

BURN_S = 60
"""A slice lasts about a minute, so a busy leaf writes to its parent once a minute."""

SHORTEST_S = 1.0
"""Two draws within less are taken as this far apart: a slice grows 60 times at most."""

PARALLEL: Final = "parallel"
"""The one period of a limit on calls in flight."""


class StepKind(StrEnum):
    """Which way an allowance moves."""

    DRAW = "draw"
    """From the parent to the leaf."""
    RETURN = "return"
    """Back."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One limit of one scope, in one period."""

    scope: str
    """`account`, `tenant#acme`, `team#acme#search`, `key#Ab3…`."""
    period: str
    """In which the limit holds, as `forebay.admission.period` names it; or `PARALLEL`."""
    limit: int
    """Nano-dollars; of `PARALLEL`, calls."""
    version: int = 1
    """Of the policy that says so; a later one replaces the parent's budget."""
    ends_at: float = inf
    """Epoch seconds when the period ends."""

    @property
    def parent(self) -> str:
        """Name of its parent's item. One item a limit: a write costs its whole item."""
        kind = PARALLEL if self.period == PARALLEL else kind_of(self.period)
        return f"{self.scope}|{kind}"

    @property
    def slot(self) -> str:
        """Name of what a leaf keeps of it: `team.202611`. A new period has a new one."""
        return f"{self.scope.partition('#')[0]}.{self.period}"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a parent knows of a leaf."""

    drawn: int = 0
    """Number of the last draw."""
    amount: int = 0
    """Of that draw."""
    drawn_at: float = 0.0
    """Epoch seconds, of that draw."""
    returned: int = 0
    """Number of the last return."""


@dataclass(frozen=True, slots=True)
class LeafPool:
    """What a leaf keeps of a pool in a period."""

    room: int = 0
    """Its allowance - committed."""
    committed: int = 0
    """Settled + held."""
    drawn: int = 0
    """Number of the last draw."""
    returned: int = 0
    """Number of the last return."""
    gave: int = 0
    """Amount of that return."""

    def after(self, step: Step) -> LeafPool | None:
        """Do a step's half on this side; None if it is not the next one, or there is no room."""
        if step.kind is StepKind.DRAW:
            if self.drawn != step.number - 1:
                return None
            return replace(self, room=self.room + step.amount, drawn=step.number)
        if self.returned != step.number - 1 or self.room < step.amount:
            return None
        room = self.room - step.amount
        return replace(self, room=room, returned=step.number, gave=step.amount)


@dataclass(frozen=True, slots=True)
class Parent:
    """A pool's parent."""

    budget: int
    version: int = 1
    """Of the policy that the budget is from."""
    period: str = ""
    granted: int = 0
    """Sum of the allowances, and of what is on its way from or to a leaf."""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """By leaf."""

    def left_in(self, period: str) -> int:
        """What can be granted; below zero while more is granted than a lowered budget has."""
        if self.period > period:
            return 0
        return self.budget - (self.granted if self.period == period else 0)

    def grant_in(self, period: str, leaf: str) -> Grant:
        """What it knows of a leaf in a period."""
        return self.grants.get(leaf, Grant()) if self.period == period else Grant()

    def after(self, step: Step) -> Parent | None:
        """Do a step's half on this side; None if it is not the next one, or nothing is left.

        The first draw of a period forgets the one before.
        """
        period = step.pool.period
        grant = self.grant_in(period, step.leaf)
        if step.kind is StepKind.DRAW:
            if grant.drawn != step.number - 1 or self.left_in(period) < step.amount:
                return None
            moved = replace(grant, drawn=step.number, amount=step.amount, drawn_at=step.at)
            granted = self.budget - self.left_in(period) + step.amount
        else:
            if not grant.drawn or grant.returned != step.number - 1:
                return None
            moved, granted = replace(grant, returned=step.number), self.granted - step.amount
        others = self.grants if self.period == period else {}
        return replace(self, period=period, granted=granted, grants={**others, step.leaf: moved})


@dataclass(frozen=True, slots=True)
class Step:
    """One move of an allowance; the same for both of its halves."""

    pool: Pool
    leaf: str
    kind: StepKind
    number: int
    """In its period, by leaf and kind, from 1."""
    amount: int
    at: float = 0.0
    """Epoch seconds; of draws."""


@dataclass(frozen=True, slots=True)
class AtParent:
    """What became of a step's half at the parent."""

    done: bool
    parent: Parent | None
    """As it is now; None if there is none."""


@dataclass(frozen=True, slots=True)
class AtLeaf:
    """What became of a step's half at the leaf."""

    done: bool
    held: LeafPool | None
    """As it is now; None if there is no such leaf."""


def slice_size(parent: Parent, pool: Pool, leaf: str, *, need: int, now: float) -> int:
    """How much a leaf draws that needs `need`; 0 if the parent is dry.

    min(5 % of what the parent has left, what the leaf burns in a minute), at least `need`. The leaf
    burnt its last slice since it drew that; one that never drew burns `need`.
    """
    left = parent.left_in(pool.period)
    if left < need:
        return 0
    return max(need, min(left // SLICE_SHARE, _burn(parent, pool, leaf, need=need, now=now)))


def slice_ahead(parent: Parent, pool: Pool, leaf: str, *, hold: int, now: float) -> int:
    """How much a leaf draws before it needs it, with requests of about `hold`; 0: nothing.

    Never the last of the money: that is for whom needs it now. At least two holds, so that a slow
    leaf, whose burn is next to nothing, need not draw before each request.
    """
    left = parent.left_in(pool.period)
    burn = _burn(parent, pool, leaf, need=hold, now=now)
    amount = min(left // SLICE_SHARE, max(burn, 2 * hold))
    return amount if amount >= hold else 0


def draw(pool: Pool, leaf: str, held: LeafPool, amount: int, *, now: float) -> Step:
    """Return the next draw of a leaf that is in step."""
    return Step(pool, leaf, StepKind.DRAW, held.drawn + 1, amount, round(now, 3))


def unfinished_draw(parent: Parent, pool: Pool, leaf: str, held: LeafPool) -> Step | None:
    """Return the draw whose half at the leaf is undone."""
    grant = parent.grant_in(pool.period, leaf)
    if grant.drawn != held.drawn + 1:
        return None
    return Step(pool, leaf, StepKind.DRAW, grant.drawn, grant.amount, grant.drawn_at)


def unfinished_return(parent: Parent, pool: Pool, leaf: str, held: LeafPool) -> Step | None:
    """Return the return whose half at the parent is undone."""
    grant = parent.grant_in(pool.period, leaf)
    if not grant.drawn or held.returned != grant.returned + 1:
        return None
    return Step(pool, leaf, StepKind.RETURN, held.returned, held.gave)


def returns(pool: Pool, leaves: Mapping[str, LeafPool], *, missing: int) -> tuple[Step, ...]:
    """Return the steps that bring back `missing` from leaves that are in step.

    From those with the most room first, so that few are asked; less if there is less.
    """
    steps = []
    for leaf, held in sorted(leaves.items(), key=lambda each: -each[1].room):
        amount = min(held.room, missing)
        if amount > 0:
            steps.append(Step(pool, leaf, StepKind.RETURN, held.returned + 1, amount))
            missing -= amount
    return tuple(steps)


def idle(leaves: Iterable[LeafPool]) -> int:
    """What can be brought back from leaves."""
    return sum(held.room for held in leaves)


def _burn(parent: Parent, pool: Pool, leaf: str, *, need: int, now: float) -> int:
    last = parent.grant_in(pool.period, leaf)
    if not last.drawn:
        return need
    return int(last.amount * BURN_S / max(now - last.drawn_at, SHORTEST_S))

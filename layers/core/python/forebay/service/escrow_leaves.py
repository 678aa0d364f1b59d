"""Leaves that draw from parents: a key has as many as its load asks for.

A leaf takes 30 open holds, with which it stays below a kilobyte. A process that finds its leaf full
goes on to another one, chosen among twice as many as before; so a key's load spreads over leaves
without anybody counting them, and they are made by whoever first comes to them. A key with a rate
of its own keeps one leaf, since a rate is a number in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from forebay.admission.escrow import PARALLEL, LeafPool, Pool
from forebay.admission.gcra import Rate
from forebay.admission.leaf import HOLDS_A_LEAF, Leaf
from forebay.admission.limited import Limited, limited
from forebay.admission.renewal import first_leaf, renewal
from forebay.admission.terms import Cap, Terms
from forebay.model import KeyPolicy, KeyRecord, ScopePolicy
from forebay.ports import Entropy, Limits
from forebay.service.escrow import Allowances
from forebay.service.leaves import HOLDS_OF_ONE_LEAF, is_limited

MOST_LEAVES: Final = 64
"""Of a key: 1,920 calls in flight, twice what an account's functions may run at once."""

SPREAD_S: Final = 60.0
"""A process that met no full leaf for so long goes back to the first."""

REMEMBERED: Final = 2048
"""Keys whose load is spread in this process."""

ScopesOf = Callable[[KeyRecord], Awaitable[Iterable[ScopePolicy]]]
"""What is set for a key's team, its tenant and the account. Asked for each request, so from
memory; a copy may be as old as a changed limit may take to be kept."""


@dataclass(frozen=True, slots=True)
class _Spread:
    """Over how many leaves a process spreads a key, and on which it is."""

    leaves: int = 1
    current: int = 0
    full_at: float = 0.0


class EscrowLeaves:
    """Chooses a leaf, and draws for it from every limit above it.

    Args:
        limits: Where leaves are.
        allowances: Draws from parents.
        scopes: Finds the limits above a key.
        entropy: Chooses leaves.
    """

    def __init__(
        self, limits: Limits, allowances: Allowances, scopes: ScopesOf, entropy: Entropy
    ) -> None:
        self._limits = limits
        self._allowances = allowances
        self._scopes = scopes
        self._entropy = entropy
        self._spreads: OrderedDict[str, _Spread] = OrderedDict()

    async def terms(self, key: KeyRecord, *, now: float) -> Terms | None:
        """Choose a leaf and say what holds for it now; None: nothing limits the key."""
        policy = key.policy
        above = limited(key, await self._scopes(key))
        if not above and not is_limited(policy):
            return None
        alone = _has_one_leaf(policy)
        if alone:
            above = _without_own_parallel(above)
        most_holds = (policy.parallel or HOLDS_OF_ONE_LEAF) if alone else HOLDS_A_LEAF
        return Terms(
            scope=f"leaf#{key.key_id}#{0 if alone else self._current(key.key_id, now)}",
            version=key.version,
            now=now,
            most_holds=most_holds,
            caps=tuple(Cap(each.kind, budget) for each in above for budget in each.policy.budgets),
            shared=tuple(
                f"{each.kind}.{PARALLEL}" for each in above if each.policy.parallel is not None
            ),
            requests=_rate(policy.requests_per_minute),
            tokens=_rate(policy.tokens_per_minute),
            above=above,
        )

    async def open(self, terms: Terms) -> None:
        """Make a leaf, with nothing to spend. One write."""
        await self._limits.create(first_leaf(terms))

    async def follow(self, terms: Terms, leaf: Leaf) -> None:
        """Bring a leaf to a later version or period; its rooms are its parents' business."""
        await self._limits.renew(renewal(leaf, terms))

    async def relieve(self, terms: Terms, leaf: Leaf, shortage: Mapping[str, int]) -> bool:
        """Draw what is short, from the inside out; go to another leaf where too much is open."""
        if not shortage:
            return terms.most_holds == HOLDS_A_LEAF and self._spread(terms)
        pools = _pools(terms, leaf)
        for slot, need in shortage.items():
            held = leaf.pools.get(slot, LeafPool())
            if slot not in pools:
                return False  # of a hold whose period is over: nobody can draw from it any more
            # A leaf that never drew has no such slot: it needs one even if it needs no money.
            if not await self._allowances.draw(pools[slot], leaf.scope, held, need=max(need, 1)):
                return False
        return True

    async def ahead(self, terms: Terms, leaf: Leaf, *, hold_nano_usd: int) -> None:
        """Draw where less is left than the next such request takes."""
        for slot, pool in _pools(terms, leaf).items():
            hold = 1 if pool.period == PARALLEL else hold_nano_usd
            if hold and slot in leaf.pools:
                await self._allowances.ahead(pool, leaf.scope, leaf.pools[slot], hold=hold)

    def left(self, terms: Terms, leaf: Leaf, slot: str) -> int:
        """What is left of a limit, as this process last saw it."""
        room = leaf.pools[slot].room if slot in leaf.pools else 0
        pool = _pools(terms, leaf).get(slot)
        return room if pool is None else room + self._allowances.left(pool)

    def _current(self, key_id: str, now: float) -> int:
        spread = self._spreads.get(key_id, _Spread())
        if now - spread.full_at > SPREAD_S:
            self._spreads.pop(key_id, None)
            return 0
        return spread.current

    def _spread(self, terms: Terms) -> bool:
        """Go to another leaf, unless somebody in this process has gone on already."""
        _, key_id, number = terms.scope.split("#")
        spread = self._spreads.get(key_id, _Spread())
        if spread.current == int(number):
            leaves = min(2 * spread.leaves, MOST_LEAVES)
            further = 1 + int(self._entropy.random() * (leaves - 1))
            current = (spread.current + further) % leaves
            self._spreads[key_id] = _Spread(leaves, current, terms.now)
            self._spreads.move_to_end(key_id)
            if len(self._spreads) > REMEMBERED:
                self._spreads.popitem(last=False)
        return True


def leaf_names(key_id: str) -> tuple[str, ...]:
    """Return the names that a key's leaves can have, for whoever must tell them all."""
    return tuple(f"leaf#{key_id}#{number}" for number in range(MOST_LEAVES))


def _has_one_leaf(policy: KeyPolicy) -> bool:
    """Whether a key keeps one leaf: it has rates, which are numbers in it, or few calls at once."""
    if policy.requests_per_minute is not None or policy.tokens_per_minute is not None:
        return True
    return policy.parallel is not None and policy.parallel <= HOLDS_A_LEAF


def _without_own_parallel(above: tuple[Limited, ...]) -> tuple[Limited, ...]:
    """A key's only leaf counts its calls by its holds, and shares their limit with nobody."""
    changed = (
        replace(each, policy=replace(each.policy, parallel=None)) if each.kind == "key" else each
        for each in above
    )
    return tuple(each for each in changed if each.policy.budgets or each.policy.parallel)


def _pools(terms: Terms, leaf: Leaf) -> dict[str, Pool]:
    at = terms.moment(leaf)
    return {pool.slot: pool for each in terms.above for pool in each.pools(at)}


def _rate(per_minute: int | None) -> Rate | None:
    return None if per_minute is None else Rate(per_minute)

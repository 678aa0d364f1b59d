"""Which leaf a key's requests write, and where its room comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from forebay.admission.gcra import Rate
from forebay.admission.leaf import Leaf
from forebay.admission.renewal import first_leaf, renewal
from forebay.admission.terms import Cap, Terms
from forebay.model import KeyPolicy, KeyRecord
from forebay.ports import Limits

HOLDS_OF_ONE_LEAF: Final = 1000
"""A key's only leaf takes all its requests. Beyond 30 each write costs more than one unit, and at a
thousand open holds of 28 bytes a leaf takes about 35 writes a second."""


class Leaves(Protocol):
    """Where admission finds a leaf, and more room for it. All may be called at once and again."""

    async def terms(self, key: KeyRecord, *, now: float) -> Terms | None:
        """Choose a leaf and say what holds for it now; None: nothing limits the key.

        On the path of every request: to be answered from memory.
        """
        ...

    async def open(self, terms: Terms) -> None:
        """Make a leaf that does not exist."""
        ...

    async def follow(self, terms: Terms, leaf: Leaf) -> None:
        """Bring a leaf to a later version of the policy, or to periods that began."""
        ...

    async def relieve(self, terms: Terms, leaf: Leaf, shortage: Mapping[str, int]) -> bool:
        """Get more room; whether another try may be admitted.

        Args:
            terms: The leaf's.
            leaf: As it refused.
            shortage: What it has too little, by slot; empty: too many holds are open in it.
        """
        ...

    async def ahead(self, terms: Terms, leaf: Leaf, *, hold_nano_usd: int) -> None:
        """Get more room before there is need, after a request that held so much was settled."""
        ...

    def left(self, terms: Terms, leaf: Leaf, slot: str) -> int:
        """What there is left of a slot's limit, as far as is known: here and wherever idle."""
        ...


class SoleLeaf:
    """One leaf a key, which has the whole of the key's budgets.

    Args:
        limits: Where leaves are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def terms(self, key: KeyRecord, *, now: float) -> Terms | None:
        """Say what holds for the key's leaf. No I/O."""
        policy = key.policy
        if not is_limited(policy):
            return None
        return Terms(
            scope=f"leaf#{key.key_id}#0",
            version=key.version,
            now=now,
            most_holds=HOLDS_OF_ONE_LEAF if policy.parallel is None else policy.parallel,
            caps=tuple(Cap("key", budget) for budget in policy.budgets),
            requests=_rate(policy.requests_per_minute),
            tokens=_rate(policy.tokens_per_minute),
        )

    async def open(self, terms: Terms) -> None:
        """Make the leaf. One write."""
        await self._limits.create(first_leaf(terms, _whole(terms, None)))

    async def follow(self, terms: Terms, leaf: Leaf) -> None:
        """Give the leaf what the policy says now. One write."""
        await self._limits.renew(renewal(leaf, terms, _whole(terms, leaf)))

    async def relieve(self, terms: Terms, leaf: Leaf, shortage: Mapping[str, int]) -> bool:
        """There is no more than the leaf has."""
        del terms, leaf, shortage
        return False

    async def ahead(self, terms: Terms, leaf: Leaf, *, hold_nano_usd: int) -> None:
        """Nothing can be had."""

    def left(self, terms: Terms, leaf: Leaf, slot: str) -> int:
        """What the leaf has."""
        del terms
        return leaf.pools[slot].room if slot in leaf.pools else 0


def is_limited(policy: KeyPolicy) -> bool:
    """Whether a policy has limits that need a leaf."""
    rates = (policy.requests_per_minute, policy.tokens_per_minute, policy.parallel)
    return bool(policy.budgets) or any(limit is not None for limit in rates)


def _whole(terms: Terms, leaf: Leaf | None) -> dict[str, int]:
    return {slot: cap.budget.amount_nano_usd for slot, cap in terms.slots(leaf).items()}


def _rate(per_minute: int | None) -> Rate | None:
    return None if per_minute is None else Rate(per_minute)

"""How a leaf comes to be, and how it follows its policy and the calendar."""

from __future__ import annotations

from collections.abc import Mapping

from forebay.admission.escrow import LeafPool
from forebay.admission.leaf import Leaf, Renewal
from forebay.admission.terms import Terms

NOTHING: Mapping[str, int] = {}
"""For leaves that draw from parents."""


def first_leaf(terms: Terms, allowances: Mapping[str, int] = NOTHING) -> Leaf:
    """Make a leaf that nobody has used.

    Args:
        terms: Its limits now.
        allowances: What it may spend, by slot.
    """
    return Leaf(
        scope=terms.scope,
        version=terms.version,
        since=terms.since(None),
        pools={slot: LeafPool(allowance) for slot, allowance in allowances.items()},
    )


def renewal(leaf: Leaf, terms: Terms, allowances: Mapping[str, int] = NOTHING) -> Renewal:
    """Bring a leaf to these terms, whatever it has committed: its room may become negative.

    Args:
        leaf: As it was read.
        terms: Its limits now.
        allowances: What it may spend, by slot; other slots keep what they have.
    """
    known = leaf.pools.keys() & allowances.keys()
    return Renewal(
        before=leaf,
        version=terms.version,
        since=terms.since(leaf),
        added={
            slot: more
            for slot in sorted(known)
            if (more := allowances[slot] - leaf.pools[slot].room - leaf.pools[slot].committed)
        },
        opened={slot: allowances[slot] for slot in allowances if slot not in known},
        closed=_past(leaf, terms),
    )


def _past(leaf: Leaf, terms: Terms) -> tuple[str, ...]:
    """Slots of periods in which no hold is open, and before those in which one can be taken.

    Holds are taken in periods from `leaf.since` on: that it is still as it was read is a
    renewal's condition, so none can come between.
    """
    if terms.version != leaf.version:
        return ()  # until now its calendar may have been that of another zone
    past = []
    for cap in terms.caps:
        earliest = cap.slot(leaf.since)
        past += [
            slot
            for slot in leaf.pools
            if len(slot) == len(earliest) and slot[: len(cap.scope) + 1] == f"{cap.scope}."
            if slot < earliest and not leaf.counts_in(slot)
        ]
    return tuple(sorted(past))

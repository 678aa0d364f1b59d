"""A leaf: the one item that a request writes to be admitted, and what may be done to it.

Each change is a value (`Entry`, `TopUp`, `Settlement`, `Renewal`) and a function that applies it,
whole or not at all; a store does the same as one conditional write. All of a leaf's money is in
its pools, and at every instant, for each of them::

    allowance = room + committed        committed - open holds = what was settled
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from forebay.admission.escrow import LeafPool
from forebay.admission.gcra import Charge
from forebay.admission.hold import Hold

HOLDS_A_LEAF: Final = 30
"""Open holds with which a leaf stays below a kilobyte, so that a write costs one unit."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The state of one leaf."""

    scope: str
    """`leaf#<key_id>#<n>`."""
    version: int
    """Of the key's policy; an admission that knows another is refused."""
    since: int
    """Epoch seconds when its newest period began, as far as its writers noticed; no admission
    counts in an earlier one."""
    pools: Mapping[str, LeafPool] = field(default_factory=dict)
    """By slot (`key.202611`); those of periods gone by stay for a while."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """By the short id of the request."""
    tat_requests_us: int = 0
    tat_tokens_us: int = 0
    """Theoretical arrival times, epoch microseconds."""
    sweep_at: int | None = None
    """Epoch seconds when the sweep is to look at it; None: no hold was taken since it last did."""

    def counts_in(self, slot: str) -> bool:
        """Whether an open hold counts in a slot."""
        return any(slot in hold.slots for hold in self.holds.values())

    def held_in(self, slot: str) -> int:
        """Sum of the open holds that count in a slot, in nano-dollars."""
        return sum(hold.nano_usd for hold in self.holds.values() if slot in hold.slots)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that asks to be admitted."""

    short_id: str
    hold: Hold
    version: int
    at: int
    """Epoch seconds; the slots of `hold` are those of this moment."""
    most_holds: int
    """So many holds may be open with this one."""
    requests: Charge | None = None
    tokens: Charge | None = None


@dataclass(frozen=True, slots=True)
class TopUp:
    """One hold becomes larger."""

    short_id: str
    held: Hold
    hold: Hold

    @property
    def moves(self) -> dict[str, int]:
        """By slot, what more is committed."""
        return self.held.moves(self.hold.nano_usd - self.held.nano_usd, calls=0)


@dataclass(frozen=True, slots=True)
class Settlement:
    """One hold ends, and its cost stays."""

    short_id: str
    hold: Hold
    cost_nano_usd: int
    refund_us: int = 0
    """Taken off the arrival time of tokens."""

    @property
    def moves(self) -> dict[str, int]:
        """By slot, what more is committed; usually less than nothing."""
        return self.hold.moves(self.cost_nano_usd - self.hold.nano_usd, calls=-1)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A leaf follows its policy, the calendar or, where it has no parents, a new budget."""

    before: Leaf
    """As it was read: `version` and `since` must still be these, and it must lack `opened`."""
    version: int
    since: int
    added: Mapping[str, int] = field(default_factory=dict)
    """More (or less) room in slots that the leaf has."""
    opened: Mapping[str, int] = field(default_factory=dict)
    """Room in slots that are new to it."""
    closed: tuple[str, ...] = ()
    """Slots that it can forget."""


@dataclass(frozen=True, slots=True)
class LeafWrite:
    """What came of a conditional write."""

    done: bool
    leaf: Leaf | None
    """After the write; where it was refused, the leaf that it met, None: there is none."""


def admit(leaf: Leaf, entry: Entry) -> Leaf | None:
    """Admit a request; None where a condition does not hold."""
    if (
        entry.short_id in leaf.holds
        or leaf.version != entry.version
        or leaf.since > entry.at
        or len(leaf.holds) >= entry.most_holds
    ):
        return None
    pools = _committed(leaf, entry.hold.moves(entry.hold.nano_usd, calls=1), checked=True)
    tat_requests_us = _charged(leaf.tat_requests_us, entry.requests)
    tat_tokens_us = _charged(leaf.tat_tokens_us, entry.tokens)
    if pools is None or tat_requests_us is None or tat_tokens_us is None:
        return None
    return replace(
        leaf,
        pools=pools,
        holds={**leaf.holds, entry.short_id: entry.hold},
        tat_requests_us=tat_requests_us,
        tat_tokens_us=tat_tokens_us,
        sweep_at=entry.hold.expires_at if leaf.sweep_at is None else leaf.sweep_at,
    )


def top_up(leaf: Leaf, change: TopUp) -> Leaf | None:
    """Enlarge a hold; None where it is not the one that was known, or there is no room."""
    if leaf.holds.get(change.short_id) != change.held:
        return None
    pools = _committed(leaf, change.moves, checked=True)
    if pools is None:
        return None
    return replace(leaf, pools=pools, holds={**leaf.holds, change.short_id: change.hold})


def settle(leaf: Leaf, change: Settlement) -> Leaf | None:
    """End a hold; None where it is not the one that was known, or gone."""
    if leaf.holds.get(change.short_id) != change.hold:
        return None
    pools = _committed(leaf, change.moves, checked=False)
    if pools is None:
        return None
    left = {short: hold for short, hold in leaf.holds.items() if short != change.short_id}
    return replace(
        leaf, pools=pools, holds=left, tat_tokens_us=leaf.tat_tokens_us - change.refund_us
    )


def renew(leaf: Leaf, change: Renewal) -> Leaf | None:
    """Change a leaf's terms; None where somebody else did."""
    before = change.before
    if (leaf.version, leaf.since) != (before.version, before.since):
        return None
    if leaf.pools.keys() & change.opened.keys():
        return None
    pools = {slot: held for slot, held in leaf.pools.items() if slot not in change.closed}
    for slot, more in change.added.items():
        pools[slot] = replace(pools[slot], room=pools[slot].room + more)
    for slot, room in change.opened.items():
        pools[slot] = LeafPool(room)
    return replace(leaf, version=change.version, since=change.since, pools=pools)


def _committed(
    leaf: Leaf, moves: Mapping[str, int], *, checked: bool
) -> dict[str, LeafPool] | None:
    """Move so much from room to committed; None if a pool lacks it, where that is asked."""
    pools = dict(leaf.pools)
    for slot, more in moves.items():
        held = pools.get(slot)
        if held is None or (checked and held.room < more):
            return None
        pools[slot] = replace(held, room=held.room - more, committed=held.committed + more)
    return pools


def _charged(tat_us: int, charge: Charge | None) -> int | None:
    return tat_us if charge is None else charge.after(tat_us)

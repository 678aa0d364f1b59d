"""What a key's limits mean for its leaf: the entry of a request, and why one was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from forebay.admission.gcra import Charge, Rate
from forebay.admission.hold import MAX_LIFE_S, Hold, made_ms, short_id
from forebay.admission.leaf import Entry, Leaf
from forebay.admission.limited import Limited
from forebay.admission.period import began_at, period_of, renews_at
from forebay.model import Budget

GRACE_S: Final = 60
"""A hold outlasts its request's deadline by so much: the sweep never meets a request that lives."""


class Obstacle(Enum):
    """What stands between a request and its leaf, the first that is met."""

    HELD = auto()
    """None: the hold is there already, by a write whose reply was lost."""
    MISSING = auto()
    """There is no such leaf."""
    VERSION = auto()
    """It knows another version of the policy."""
    CLOCK = auto()
    """It has seen a period begin that our clock has not; the entry must count in that one."""
    PERIOD = auto()
    """It has not noticed that a period began."""
    ROOM = auto()
    """A pool has too little for it, or nothing yet."""
    PARALLEL = auto()
    """Too many holds are open."""
    REQUESTS = auto()
    TOKENS = auto()
    BRANCH = auto()
    """None but the guess where an arrival time is."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request needs."""

    request_id: str
    hold_nano_usd: int
    tokens: int
    ends_at: float
    """Epoch seconds by which it has ended."""


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget, and what it is set for."""

    scope: str
    """One of `forebay.admission.hold.SCOPES`."""
    budget: Budget

    def slot(self, at: float) -> str:
        """Return where a leaf keeps it, in the period of a moment."""
        return f"{self.scope}.{period_of(self.budget, at)}"


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits of a leaf at one moment."""

    scope: str
    """The leaf's."""
    version: int
    """Of the key's policy."""
    now: float
    """Epoch seconds."""
    most_holds: int
    """Holds that it takes at once."""
    caps: tuple[Cap, ...] = ()
    """At most one of each scope and kind of period."""
    shared: tuple[str, ...] = ()
    """Slots that count calls in flight (`team.parallel`)."""
    requests: Rate | None = None
    tokens: Rate | None = None
    above: tuple[Limited, ...] = ()
    """Scopes that the leaf draws from; none: it has its allowances by itself."""

    @property
    def now_us(self) -> int:
        """Epoch microseconds."""
        return int(self.now * 1_000_000)

    def moment(self, leaf: Leaf | None) -> float:
        """Now, but never before the periods that the leaf has seen begin."""
        return self.now if leaf is None else max(self.now, leaf.since)

    def slots(self, leaf: Leaf | None) -> Mapping[str, Cap]:
        """Return the budgets that count now, by slot."""
        at = self.moment(leaf)
        return {cap.slot(at): cap for cap in self.caps}

    def since(self, leaf: Leaf | None) -> int:
        """Return when the newest of its periods began, as this leaf is to know it."""
        at = self.moment(leaf)
        began = max((began_at(cap.budget, at) for cap in self.caps), default=0.0)
        return max(int(began), 0 if leaf is None else leaf.since)

    def entry(self, ask: Ask, seen: Leaf | None) -> Entry:
        """Return the entry of a request, on the branches that fit the leaf as it was last seen.

        Raises:
            ValueError: The request's id is none of ours, or its hold is too large to be packed.
        """
        made = made_ms(ask.request_id)
        longest = made // 1000 + MAX_LIFE_S
        hold = Hold(
            nano_usd=ask.hold_nano_usd,
            made_ms=made,
            expires_at=max(made // 1000, min(int(ask.ends_at) + GRACE_S, longest)),
            slots=(*self.slots(seen), *self.shared),
        )
        return Entry(
            short_id=short_id(ask.request_id),
            hold=Hold.unpack(hold.pack()),  # as it will be read: in its own order, or not at all
            version=self.version,
            at=int(self.moment(seen)),
            most_holds=self.most_holds,
            requests=self._charge(self.requests, 1, seen.tat_requests_us if seen else 0),
            tokens=self._charge(self.tokens, ask.tokens, seen.tat_tokens_us if seen else 0),
        )

    def obstacle(self, entry: Entry, ask: Ask, met: Leaf | None) -> Obstacle:
        """Tell from the leaf that refused it why a request was refused."""
        if met is None:
            return Obstacle.MISSING
        if entry.short_id in met.holds:
            return Obstacle.HELD
        if met.version != self.version:
            return Obstacle.VERSION
        if met.since > entry.at:
            return Obstacle.CLOCK
        if met.since < self.since(met):
            return Obstacle.PERIOD
        return self._limit(entry, ask, met)

    def shortage(self, entry: Entry, met: Leaf) -> dict[str, int]:
        """Return by slot what a leaf has too little to admit a request."""
        return {
            slot: need - room
            for slot, need in entry.hold.moves(entry.hold.nano_usd, calls=1).items()
            if (room := met.pools[slot].room if slot in met.pools else 0) < need
            or slot not in met.pools
        }

    def renews_at(self, slot: str, met: Leaf) -> float | None:
        """When a slot's period ends, epoch seconds; None: never, or it is none of a budget."""
        cap = self.slots(met).get(slot)
        return None if cap is None else renews_at(cap.budget, self.moment(met))

    def _limit(self, entry: Entry, ask: Ask, met: Leaf) -> Obstacle:
        if self.shortage(entry, met):
            return Obstacle.ROOM
        if len(met.holds) >= self.most_holds:
            return Obstacle.PARALLEL
        if self.requests and self.requests.free_in_s(1, met.tat_requests_us, self.now_us):
            return Obstacle.REQUESTS
        if self.tokens and self.tokens.free_in_s(ask.tokens, met.tat_tokens_us, self.now_us):
            return Obstacle.TOKENS
        return Obstacle.BRANCH

    def _charge(self, rate: Rate | None, units: int, tat_us: int) -> Charge | None:
        return None if rate is None else rate.charge(units, tat_us, self.now_us)

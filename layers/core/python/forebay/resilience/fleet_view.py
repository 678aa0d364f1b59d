"""What the fleet knows of its targets, as one small thing that each request looks at.

The **snapshot** is one item, read whole every two seconds by each process. It holds targets that
something is to be said of: a breaker that is not simply closed, or figures. A target that is not in
it is healthy, with full credit. So its size follows the trouble, not the number of targets:
breakers are always in it, figures of at most `MAX_FIGURES` targets; of others a process goes by its
own.

The **view** is the snapshot with what this process knows itself, which may be newer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.resilience.breaker import Breaker
from forebay.resilience.credit import BURST

MAX_FIGURES = 32
"""Targets with figures. With names of 30 characters that is 2 KB; beside it, 25 breakers fit into
the 4 KB that half a read unit pays for. (More breakers than that are kept, and cost more to read.)
"""

HEALTHY = Breaker()


@dataclass(frozen=True, slots=True)
class Figures:
    """What the settler measured of a target."""

    p95_first_token_s: float | None = None
    """None: not known."""
    credit: float = BURST
    """Retry credit that was left."""


NO_FIGURES = Figures()


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """What the fleet's processes tell each other."""

    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    """By target; who is not here is healthy."""
    figures: Mapping[str, Figures] = field(default_factory=dict)
    """By target; of who is not here nothing is known."""


NOTHING_KNOWN = FleetSnapshot()


@dataclass(frozen=True, slots=True)
class FleetView:
    """What is known now; each question has an answer for any target."""

    snapshot: FleetSnapshot = NOTHING_KNOWN
    own_breakers: Mapping[str, Breaker] = field(default_factory=dict)
    """What this process made or saw itself, not yet in the snapshot."""
    own_p95_s: Mapping[str, float] = field(default_factory=dict)
    """What this process measured itself, of enough calls."""

    def breaker(self, target: str) -> Breaker:
        """The target's breaker, as it is known latest."""
        shared = self.snapshot.breakers.get(target, HEALTHY)
        own = self.own_breakers.get(target, shared)
        return own if own.version >= shared.version else shared

    def is_open(self, target: str, now: float) -> bool:
        """Whether the target is left alone: it is open, or somebody else is probing it.

        Args:
            target: `provider/model`.
            now: Epoch seconds.
        """
        return self.breaker(target).blocks(now)

    def probe_is_due(self, target: str, now: float) -> bool:
        """Whether one caller should try the target again: a poor choice for a hedge."""
        return self.breaker(target).probe_is_due(now)

    def p95_first_token_s(self, target: str) -> float | None:
        """95th percentile of recent times to the first token; None if not known.

        Of this process's own calls if they are enough, else of the fleet's.
        """
        own = self.own_p95_s.get(target)
        return own if own is not None else self._figures(target).p95_first_token_s

    def credit(self, target: str) -> float:
        """Retry credit left, at the time of the snapshot. `Fleet.spend_credit` decides."""
        return self._figures(target).credit

    def _figures(self, target: str) -> Figures:
        return self.snapshot.figures.get(target, NO_FIGURES)

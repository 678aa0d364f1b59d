"""Port `Limits` on another, whose replies get lost and whose network is slow."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

from forebay.adapters.memory import ManualClock
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.errors import StoreUnavailable
from forebay.ports import Limits


class Fault(Enum):
    """What goes wrong with one call."""

    NOT_DONE = auto()
    DONE_UNSAID = auto()
    """The write is done, and its reply is lost."""
    SLOW = auto()
    """It takes 11 s."""


class FlakyLimits:
    """Counts calls, and lets those fail that it is told to.

    Args:
        limits: Does the work.
        clock: Passes when a call is slow.
    """

    def __init__(self, limits: Limits, clock: ManualClock) -> None:
        self._limits = limits
        self._clock = clock
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, list[Fault]] = {}
        """By method, what its next calls meet."""

    async def create(self, leaf: Leaf) -> LeafWrite:
        """Store a new leaf, unless there is one of its scope."""
        self._before("create")
        return self._after("create", await self._limits.create(leaf))

    async def admit(self, scope: str, entry: Entry) -> LeafWrite:
        """Take a hold and charge the rates."""
        self._before("admit")
        return self._after("admit", await self._limits.admit(scope, entry))

    async def top_up(self, scope: str, change: TopUp) -> LeafWrite:
        """Enlarge a hold."""
        self._before("top_up")
        return self._after("top_up", await self._limits.top_up(scope, change))

    async def settle(self, scope: str, change: Settlement) -> LeafWrite:
        """End a hold."""
        self._before("settle")
        return self._after("settle", await self._limits.settle(scope, change))

    async def renew(self, change: Renewal) -> LeafWrite:
        """Change a leaf's terms."""
        self._before("renew")
        return self._after("renew", await self._limits.renew(change))

    def _before(self, method: str) -> None:
        self.calls[method] += 1
        if self.faults.get(method, [None])[:1] == [Fault.NOT_DONE]:
            self.faults[method].pop(0)
            raise StoreUnavailable("lost on the way there")

    def _after(self, method: str, write: LeafWrite) -> LeafWrite:
        faults = self.faults.get(method)
        if faults:
            if faults.pop(0) is Fault.DONE_UNSAID:
                raise StoreUnavailable("lost on the way back")
            self._clock.advance(11)
        return write

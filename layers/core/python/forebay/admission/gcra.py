"""The generic cell rate algorithm, cut into branches that a conditional write can carry.

A rate is kept as one number, the theoretical arrival time (TAT): when the allowance used so far
would be earned back. A charge costs the time in which the rate earns it. It is admitted if the TAT
it leads to lies at most `BURST_US` ahead::

    new TAT = max(TAT, now) + cost        admitted if new TAT <= now + burst

A store's conditions know no `max`, so that is two branches, the TAT behind now or ahead of it, and
whoever writes must say which it takes it to be. A third resets a TAT so far ahead that only a
clock that was wrong can have written it.

What is admitted in any time t is at most burst + rate * t.

Source: ITU-T I.371, annex A; https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BURST_US: Final = 60_000_000
"""A minute's allowance may be used at once: 10 a minute means 10 at once, then one every 6 s."""

CLOCKS_APART_US: Final = 4_000_000
"""Two clocks within 2 s of the store's may be so far apart. An honest TAT of the one must not look
to the other like a fault: a reset gives a whole burst away."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One branch: a condition on the TAT that is met, and the TAT that follows.

    All in epoch microseconds.
    """

    cost_us: int
    above: int | None = None
    """The TAT must be later than this."""
    up_to: int | None = None
    """The TAT must not be later than this."""
    start: int | None = None
    """Where the cost is added to; None: to the TAT itself."""

    def after(self, tat_us: int) -> int | None:
        """Return the new TAT; None if this branch does not admit on the one that is there."""
        if self.above is not None and tat_us <= self.above:
            return None
        if self.up_to is not None and tat_us > self.up_to:
            return None
        return self.cost_us + (tat_us if self.start is None else self.start)


@dataclass(frozen=True, slots=True)
class Rate:
    """An allowance per minute."""

    per_minute: int
    """At least 1."""

    def cost_us(self, units: int) -> int:
        """The time in which so many units are earned, rounded up."""
        return -(-units * BURST_US // self.per_minute)

    def charge(self, units: int, tat_us: int, now_us: int) -> Charge:
        """Return the branch that would admit on this TAT, or come nearest to it.

        Args:
            units: What is asked for; at most `per_minute` can ever be admitted.
            tat_us: The TAT as last seen.
            now_us: Epoch microseconds.
        """
        cost = self.cost_us(units)
        if tat_us > self._latest_us(now_us):
            return Charge(cost, above=self._latest_us(now_us), start=now_us)
        if tat_us <= now_us:
            return Charge(cost, up_to=now_us, start=now_us)
        return Charge(cost, above=now_us, up_to=now_us + BURST_US - cost)

    def free_in_s(self, units: int, tat_us: int, now_us: int) -> float:
        """Seconds until so many units are admitted, if nobody else comes; 0: at once."""
        wait_us = self._ahead_us(tat_us, now_us) + self.cost_us(units) - BURST_US
        return max(0, wait_us) / 1e6

    def left(self, tat_us: int, now_us: int) -> int:
        """Units that would be admitted at once."""
        left_us = max(0, BURST_US - self._ahead_us(tat_us, now_us))
        return left_us * self.per_minute // BURST_US

    def full_in_s(self, tat_us: int, now_us: int) -> float:
        """Seconds until all of the allowance is there again."""
        return self._ahead_us(tat_us, now_us) / 1e6

    def refund_us(self, units: int, tat_us: int, now_us: int) -> int:
        """Return what may be taken off the TAT for units that were charged and not used.

        What the charge delayed is given back only as far as it still lies ahead: time gone by has
        earned it back already, and giving it twice would admit more than burst + rate * t.

        Args:
            units: Not used.
            tat_us: What the charge itself made of the TAT.
            now_us: Epoch microseconds.
        """
        return max(0, min(units * BURST_US // self.per_minute, tat_us - now_us))

    def _ahead_us(self, tat_us: int, now_us: int) -> int:
        """How far the TAT lies ahead; one that a wrong clock wrote counts as now."""
        return 0 if tat_us > self._latest_us(now_us) else max(0, tat_us - now_us)

    def _latest_us(self, now_us: int) -> int:
        return now_us + BURST_US + self.cost_us(1) + CLOCKS_APART_US

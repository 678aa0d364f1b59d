"""What the controller tells an operator's alarms, each minute.

Only what is there is told: a series is charged by the hour in which somebody tells it, and alarms
take silence for a good sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from forebay import telemetry as names
from forebay.ports import Clock, FleetStore
from forebay.ports.background import Gauges, OpenHolds
from forebay.resilience.breaker import BreakerState

MOST_LEAVES: Final = 25
"""Leaves that are read for the oldest hold: the index gives the oldest of a shard first."""


@dataclass(frozen=True, slots=True)
class TargetGauges:
    """A duty of the controller's.

    Args:
        store: Where the processes of the fleet meet.
        gauges: Told.
    """

    store: FleetStore
    gauges: Gauges

    async def tell_open_breakers(self) -> None:
        """Tell how many targets are closed off or being tried, if there are any. Half a unit.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        breakers = (await self.store.snapshot()).breakers.values()
        open_ones = sum(breaker.state is not BreakerState.CLOSED for breaker in breakers)
        if open_ones:
            self.gauges.gauge(names.OPEN_BREAKERS, open_ones)


@dataclass(frozen=True, slots=True)
class HoldGauges:
    """A duty of the controller's, to be done behind the sweep: what is found is what that left.

    Args:
        holds: Finds leaves that are due.
        gauges: Told.
        clock: Only its wall clock is asked.
    """

    holds: OpenHolds
    gauges: Gauges
    clock: Clock

    async def tell_oldest_hold(self) -> None:
        """Tell for how long the oldest expired hold has been open, in seconds, if there is one.

        A unit for each leaf that is due, `MOST_LEAVES` at most.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        now = self.clock.now()
        due = [scope async for scope in self.holds.due(now=now)]
        leaves = [await self.holds.read(scope) for scope in due[:MOST_LEAVES]]
        expiries = [hold.expires_at for leaf in leaves if leaf for hold in leaf.holds.values()]
        oldest = min(expiries, default=now)
        if oldest < now:
            self.gauges.gauge(names.OLDEST_HOLD, now - oldest)

"""What the controller tells each minute."""

import asyncio

from forebay import telemetry as names
from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.adapters.memory.limits import MemoryLimits
from forebay.admission.hold import Hold
from forebay.admission.leaf import Leaf
from forebay.resilience.breaker import Breaker, BreakerEvent, step
from forebay.service.gauges import HoldGauges, TargetGauges
from forebay.settings import BreakerSettings
from tests.support.ledger_rows import NOW


class Told:
    """Port `Gauges`: what was told."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def gauge(self, name: str, value: float) -> None:
        self.values[name] = value


def told_with(*opened: str) -> dict[str, float]:
    """Return what is told while the breakers of these targets are open."""
    fleet, told = MemoryFleet(), Told()

    async def main() -> None:
        for target in opened:
            breaker = step(Breaker(), BreakerEvent.TOO_MANY, BreakerSettings(), now=NOW)
            assert breaker is not None
            await fleet.publish((await fleet.replace(target, breaker)).record)
        await TargetGauges(fleet, told).tell_open_breakers()

    asyncio.run(main())
    return told.values


def test_open_breakers_are_counted() -> None:
    assert told_with("a/1", "b/2") == {names.OPEN_BREAKERS: 2}


def test_nothing_is_told_while_none_is_open() -> None:
    assert told_with() == {}


def told_of_holds(*expiries: int, sweep_at: int | None = None) -> dict[str, float]:
    """Return what is told of a leaf with such holds, which is due if `sweep_at` is past."""
    holds = {str(at): Hold(1, 0, at) for at in expiries}
    clock, told = ManualClock(NOW), Told()
    limits = MemoryLimits(clock)

    async def main() -> None:
        await limits.create(Leaf("leaf#k#0", 1, 0, holds=holds, sweep_at=sweep_at))
        await HoldGauges(limits, told, clock).tell_oldest_hold()

    asyncio.run(main())
    return told.values


def test_the_oldest_expired_hold_is_told_by_its_age() -> None:
    past = int(NOW) - 400
    assert told_of_holds(past, past + 100, sweep_at=past) == {names.OLDEST_HOLD: NOW - past}


def test_a_hold_that_has_not_expired_is_none_to_tell_of() -> None:
    assert told_of_holds(int(NOW) + 60, sweep_at=int(NOW) - 400) == {}


def test_a_leaf_that_was_due_and_has_no_hold_is_none_either() -> None:
    assert told_of_holds(sweep_at=int(NOW) - 400) == {}


def test_nothing_is_told_while_no_leaf_is_due() -> None:
    assert told_of_holds() == {}

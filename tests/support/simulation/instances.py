"""Gateway processes: each a whole application of its own, on stores that all share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Protocol

from forebay.adapters.memory import MemoryLimits, SeededEntropy
from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.adapters.tokens import BYTES_PER_TOKEN
from forebay.model import LedgerRow
from forebay.service.admission import Admission
from forebay.service.authentication import Authenticator
from forebay.service.bounding import Bounding
from forebay.service.catalog import Catalog
from forebay.service.dispatch import Dispatch
from forebay.service.fleet import Fleet
from forebay.service.fleet_flights import FleetFlights
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.service.leaves import SoleLeaf
from forebay.service.load import Loads
from forebay.service.settlement import Settlement
from forebay.service.sharing import Sharing
from forebay.service.spending import Spending
from forebay.settings import BreakerSettings
from forebay.web.app import Parts, build_app
from tests.support.loop_clock import LoopClock
from tests.support.simulation.stores import FarFleet, FarKeys, FarLedger, Line, Stores

MAX_SKEW_S = 0.05
"""Wall clocks of different machines."""

RETIRED = 0.01
"""Of a sandbox's freezes, those it does not come back from: Lambda takes it away."""


class Mode(StrEnum):
    """How requests come to processes."""

    MANY = "many"
    """Each process has many at once."""
    PLAIN = "plain"
    """Each has one at a time, and is frozen until the next."""


@dataclass
class Incidents:
    """Port `Telemetry`: counts what is reported apart from requests."""

    codes: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)

    def request_ended(self, row: LedgerRow) -> None:
        """Nothing: the ledger has it."""

    def incident(self, code: str, message: str, **_fields: str | float | None) -> None:
        """Count, and keep what was said last."""
        self.codes[code] += 1
        self.said[code] = message


class RoughCounter:
    """Ports `TokenCounter` and `Tokenizer` without threads: they do not mix with virtual time."""

    async def count(self, text: str, *, model: str) -> int:  # noqa: ARG002 - the port's
        """Estimate by length."""
        return len(text) // BYTES_PER_TOKEN

    async def count_exactly(self, text: str, *, model: str) -> int | None:  # noqa: ARG002 - the port's
        """Know no vocabulary."""
        return None


@dataclass
class Ground:
    """What processes stand on.

    Args:
        stores: Shared by all.
        catalog: Builds what a process with this clock serves.
        dice: Seeded.
        processes: How many there are at the beginning.
    """

    stores: Stores
    catalog: Callable[[LoopClock], Catalog]
    dice: Random
    processes: int
    incidents: Incidents = field(default_factory=Incidents)


class Instance:
    """One process."""

    def __init__(self, ground: Ground) -> None:
        dice = ground.dice
        ground.stores.journal.processes += 1
        self.clock = LoopClock(
            skew_s=dice.uniform(-MAX_SKEW_S, MAX_SKEW_S), started_at=dice.uniform(0, 1e6)
        )
        self.busy: set[asyncio.Task[None]] = set()
        """Requests that it works on."""
        self.crashed = asyncio.Event()
        clock, line, incidents = self.clock, Line(ground.stores, self.clock), ground.incidents
        entropy = SeededEntropy(dice.getrandbits(64))
        counter = RoughCounter()
        records = MemoryIdempotencyRecords()  # nobody asks for it here
        keys, limits = FarKeys(line), MemoryLimits(clock)  # no key here has limits
        admission = Admission(limits, SoleLeaf(limits), keys.find, clock, entropy)
        fleet = Fleet(FarFleet(line), clock, BreakerSettings())
        gateway = Gateway(
            ground.catalog(clock),
            Dispatch(fleet, Loads(clock), entropy),
            Settlement(FarLedger(line), counter, incidents, clock, fleet),
            clock,
            Sharing(FleetFlights(records, incidents, clock, entropy), clock),
            Spending(admission, Bounding(counter), incidents),
        )
        authenticator = Authenticator(keys, clock)
        idempotency = Idempotency(records, incidents, clock)
        self.app = build_app(
            Parts(gateway, authenticator, idempotency, incidents, clock, entropy, counter)
        )

    def crash(self) -> None:
        """Die: nothing that it has begun goes on, nothing more leaves it."""
        self.clock.die()
        self.crashed.set()
        for task in self.busy:
            task.cancel()


class Processes(Protocol):
    """All processes, behind what shares the requests out."""

    def lent(self) -> Iterator[Instance]:
        """Give a request its process, for as long as it takes."""
        ...

    def crash_one(self) -> None:
        """Kill a process that is at work, if one is."""
        ...


class ManyAtOnce:
    """A few processes, each with many requests at once."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._instances = [Instance(ground) for _ in range(ground.processes)]

    def lent(self) -> Iterator[Instance]:
        yield self._ground.dice.choice(self._instances)

    def crash_one(self) -> None:
        crashed = max(self._instances, key=lambda each: len(each.busy))
        self._instances[self._instances.index(crashed)] = Instance(self._ground)
        crashed.crash()


class OneAtATime:
    """Sandboxes: one for each request that runs, frozen in between; any of those that are free."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._free = [Instance(ground) for _ in range(ground.processes)]
        self._working: list[Instance] = []
        for instance in self._free:
            instance.clock.freeze()

    def lent(self) -> Iterator[Instance]:
        instance = self._taken() if self._free else Instance(self._ground)
        self._working.append(instance)
        instance.clock.thaw()
        try:
            yield instance
        finally:
            self._working.remove(instance)
            if not instance.crashed.is_set():
                instance.clock.freeze()
                if self._ground.dice.random() >= RETIRED:
                    self._free.append(instance)

    def _taken(self) -> Instance:
        return self._free.pop(self._ground.dice.randrange(len(self._free)))

    def crash_one(self) -> None:
        if self._working:
            self._ground.dice.choice(self._working).crash()


PROCESSES_OF: Mapping[Mode, Callable[[Ground], Processes]] = {
    Mode.MANY: ManyAtOnce,
    Mode.PLAIN: OneAtATime,
}


@contextmanager
def a_process(processes: Processes) -> Iterator[Instance]:
    """Work on a request with a process of the fleet."""
    yield from processes.lent()

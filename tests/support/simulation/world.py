"""One simulation: a scenario, played in one mode from one seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from forebay.adapters.memory import SeededEntropy
from forebay.errors import ForebayError
from forebay.service.catalog import Catalog, ModelPolicy, Target
from forebay.service.controller import Controller, Duty
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.settler import Settler
from forebay.service.snapshot_repair import SnapshotRepair
from forebay.service.target_dialects import OPENAI
from forebay.settings import BreakerSettings, Continuing, ModelResilience, ScriptedContinuing
from tests.support.gateway import PRICE
from tests.support.loop_clock import LoopClock
from tests.support.simulation.callers import Caller
from tests.support.simulation.instances import PROCESSES_OF, Ground, Mode
from tests.support.simulation.journal import Journal
from tests.support.simulation.providers import Upstream, Wire
from tests.support.simulation.stores import FarFleet, LedgerStream, Line, Stores
from tests.support.virtual_time import run_virtual

CALLERS = 12
CONTROLLER_EVERY_S = 60.0
LONGEST_S = 900.0
"""No invocation lasts longer, so no request may."""


@dataclass(frozen=True)
class Setting:
    """Who asks whom."""

    duration_s: float = 150.0
    per_s: float = 3.0
    """Requests a second, of all callers together."""
    weighted: bool = False
    """Whether the two targets share the traffic 3 : 1; else the second is the first's fallback."""
    hedge: bool = True
    processes: int = 4
    """At the beginning; in plain mode there are as many as requests run at once."""


@dataclass(frozen=True)
class Step:
    """What happens to the world at a time."""

    at_s: float
    do: Callable[[World], None]


class World:
    """What a scenario's steps reach into."""

    def __init__(self, setting: Setting, mode: Mode, seed: int) -> None:
        self.setting = setting
        self._seed = seed
        self.clock = LoopClock()
        self.journal = Journal(("primary/x", "second/x"))
        self.primary, self.second = self._upstream("primary"), self._upstream("second")
        self.second.healthy = replace(self.second.healthy, continues=ScriptedContinuing.ECHO)
        self.second.play()
        self.stores = Stores(self.journal, self.dice("stores"))
        self.ground = Ground(self.stores, self._catalog, self.dice("processes"), setting.processes)
        self.processes = PROCESSES_OF[mode](self.ground)

    def dice(self, name: str) -> Random:
        """Dice of their own for each part, so that one does not disturb the others."""
        return Random(f"{self._seed}/{name}")  # noqa: S311 - repeatable is the point

    def store_down(self, *names: str) -> None:
        """Put these stores out of reach, and no others."""
        self.stores.down = set(names)
        self.journal.fleet_store(down="fleet" in names)

    async def play(self, steps: Iterable[Step]) -> None:
        """Let callers ask while the steps are taken, until the last answer."""
        background = (self._take(steps), *self._background())
        behind = [asyncio.ensure_future(each) for each in background]
        desk = KeyDesk(self.stores.keys, self.clock, SeededEntropy(self._seed))
        per_s = self.setting.per_s / CALLERS
        callers = [
            Caller(
                desk.create(NewKey(name=f"caller {number}")).secret.text,
                self.processes,
                self.journal,
                self.dice(f"caller {number}"),
            ).run(per_s=per_s, until_s=self.setting.duration_s)
            for number in range(CALLERS)
        ]
        try:
            await asyncio.wait_for(asyncio.gather(*callers), self.setting.duration_s + LONGEST_S)
        except TimeoutError:
            self.journal.violated("invariant 6: a wait has no end")
        codes = self.ground.incidents.codes
        fault = self.ground.incidents.said.get(ForebayError.code)
        self.journal.check(fault is None, f"a fault of our own: {fault}")
        self.journal.close(unsettled=codes["ledger_row_not_stored"])
        for task in behind:
            if not task.cancel():
                task.result()  # the steps have been taken; of the others, none ends but by a fault

    async def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            await asyncio.sleep(step.at_s - self.journal.now)
            step.do(self)

    def _background(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Settler and controller: processes of their own, always awake."""
        clock = LoopClock()
        far = FarFleet(Line(self.stores, clock))
        settler = Settler(far, far, clock, BreakerSettings())
        stream = LedgerStream(settler, clock, self.dice("stream"))
        self.stores.listeners.append(stream.put)
        repair = SnapshotRepair(far, far, clock, BreakerSettings())
        return stream.run(), self._control(repair)

    async def _control(self, repair: SnapshotRepair) -> None:
        duties = [
            Duty("republish breakers", repair.republish_breakers),
            Duty("drop stale figures", repair.drop_stale_figures),
        ]
        controller = Controller(duties, self.ground.incidents)
        while True:
            await self.clock.sleep(CONTROLLER_EVERY_S)
            await controller.run()

    def _upstream(self, name: str) -> Upstream:
        return Upstream(name, self.journal, self.clock, self.dice(name))

    def _catalog(self, clock: LoopClock) -> Catalog:
        """What a process with this clock serves."""
        primary = self._target(self.primary, clock, Continuing.PREFILL)
        second = self._target(self.second, clock, Continuing.ECHO)
        policies = {"m": ModelPolicy(ModelResilience(hedge=self.setting.hedge))}
        if self.setting.weighted:
            return Catalog({"m": (replace(primary, weight=3), second)}, {}, {}, policies)
        return Catalog({"m": (primary,), "f": (second,)}, {}, {"m": ("f",)}, policies)

    def _target(self, upstream: Upstream, clock: LoopClock, how: Continuing) -> Target:
        wire = Wire(upstream, clock)
        return Target(upstream.name, wire, "x", PRICE, OPENAI, continuing=how)


def play(setting: Setting, steps: Iterable[Step], mode: Mode, seed: int) -> World:
    """Play a scenario. Same arguments, same world."""

    async def main() -> World:
        world = World(setting, mode, seed)
        await world.play(steps)
        return world

    return run_virtual(main())

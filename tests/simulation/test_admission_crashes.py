"""Processes die at every await of admission, top-up and settlement; then the sweep comes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from forebay.adapters.memory import (
    ManualClock,
    MemoryKeys,
    MemoryLedger,
    MemoryLimits,
    SeededEntropy,
)
from forebay.errors import BudgetSpent, StoreUnavailable
from forebay.model import KeyPolicy, LedgerRow
from forebay.money import NanoUsd
from forebay.service.admission import Admission
from forebay.service.leaves import SoleLeaf
from forebay.service.sweep import Sweep
from tests.support.crashes import Process, interleave, run
from tests.support.leaves import MONTH, SCOPE, asking, key, month
from tests.support.ledger_rows import row

BUDGET = 100
AFTER_ALL_S = 1000.0
"""Longer than any hold lives."""

SEEDS = range(25 if os.environ.get("FOREBAY_TEST_PROFILE") != "exploring" else 250)
REQUESTS = 14


@dataclass
class World:
    """A key under a budget and all who use it: each request in a process of its own."""

    clock: ManualClock = field(default_factory=ManualClock)
    budget: int = BUDGET

    def __post_init__(self) -> None:
        self.limits = MemoryLimits(self.clock)
        self.ledger = MemoryLedger()
        self.keys = MemoryKeys()
        self.key = key(KeyPolicy(budgets=(month(self.budget),), tokens_per_minute=1000))
        self.keys.create(self.key)

    def process(self) -> Admission:
        """A process that knows nothing yet."""
        leaves = SoleLeaf(self.limits)
        return Admission(self.limits, leaves, self.keys.find, self.clock, SeededEntropy(1))

    async def request(self, number: int, *, hold: int, more: int, cost: int) -> bool:
        """Serve one request as the pipeline does; False: refused."""
        admission = self.process()
        asked = asking(self.key, number, nano_usd=hold, tokens=50)
        try:
            grant = await admission.admit(asked)
        except (BudgetSpent, StoreUnavailable):
            return False
        grant = await admission.top_up(grant, more) or grant
        cost = min(cost, grant.held_nano_usd)
        await asyncio.sleep(0)
        stored = await self.ledger.put(
            replace(row(), request_id=asked.request_id, cost_nano_usd=NanoUsd(cost))
        )
        await asyncio.sleep(0)
        await admission.settle(grant, stored.cost_nano_usd, 20)
        return True

    def check(self) -> None:
        """Invariant 1, at this very instant."""
        leaf = run(self.limits.read(SCOPE))
        if leaf is not None:
            pool = leaf.pools[MONTH]
            assert 0 <= pool.committed <= self.budget
            assert pool.room + pool.committed == self.budget
            assert pool.committed - leaf.held_in(MONTH) <= self.entered()

    def sweep(self, dice: Random) -> int:
        """Sweep once all holds have expired; some sweeps die on their way. Return their steps."""
        self.clock.advance(AFTER_ALL_S)
        steps = 0
        for _ in range(6):
            works = Sweep(self.limits, self.limits, self.ledger, self.keys, self.clock).run()
            process = Process(works, dies_at=dice.randrange(12))
            interleave([process], dice)
            steps += process.died
        run(Sweep(self.limits, self.limits, self.ledger, self.keys, self.clock).run())
        return steps

    def rows(self) -> list[LedgerRow]:
        return list(self.ledger.rows(first_day="2027-01-01", last_day="2027-01-31"))

    def entered(self) -> int:
        return sum(each.cost_nano_usd for each in self.rows())

    def check_settled(self) -> None:
        """Invariant 2, after the sweep: nothing is held, and the ledger adds up."""
        self.check()
        leaf = run(self.limits.read(SCOPE))
        if leaf is not None:
            assert leaf.holds == {}
            assert leaf.sweep_at is None
            assert leaf.pools[MONTH].committed == self.entered()


def awaits(*, warm: bool) -> int:
    """How many awaits a request has."""
    world = World()
    if warm:
        run(world.request(0, hold=1, more=1, cost=1))
    process = Process(world.request(1, hold=20, more=10, cost=25))
    while not process.is_over:
        process.step()
    return process.steps


POINTS = [(warm, point) for warm in (False, True) for point in range(awaits(warm=warm))]


@pytest.mark.parametrize(("warm", "point"), POINTS)
def test_inv2_a_request_that_dies_anywhere_ends_in_one_row(warm: bool, point: int) -> None:  # noqa: FBT001 - parametrized
    world = World()
    if warm:
        run(world.request(0, hold=1, more=1, cost=1))
    process = Process(world.request(1, hold=20, more=10, cost=25), dies_at=point)
    while not process.is_over:
        process.step()
        world.check()
    assert process.died
    world.sweep(Random(point))  # noqa: S311 - repeatable is the point
    world.check_settled()


@pytest.mark.parametrize("seed", SEEDS)
def test_inv1_inv2_whoever_dies_wherever_nothing_is_overspent_or_lost(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - repeatable is the point
    world = World()
    processes = [
        Process(
            world.request(
                number,
                hold=dice.randrange(1, 30),
                more=dice.randrange(10),
                cost=dice.randrange(20),
            ),
            dies_at=dice.choice([None, dice.randrange(12)]),
        )
        for number in range(REQUESTS)
    ]
    alive = list(processes)
    while alive:
        dice.choice(alive).step()
        world.check()
        alive = [each for each in alive if not each.is_over]
    world.sweep(dice)
    world.check_settled()


def test_eight_points_a_seed_at_least_are_died_at() -> None:
    crashes = len(POINTS)
    for seed in SEEDS:
        dice, world = Random(seed), World()  # noqa: S311 - repeatable is the point
        works = [
            Process(world.request(number, hold=5, more=1, cost=3), dies_at=dice.randrange(8))
            for number in range(REQUESTS)
        ]
        interleave(works, dice)
        crashes += sum(work.died for work in works) + world.sweep(dice)
    assert crashes >= 8 * len(SEEDS)  # 200, or 2,000 in the long run

"""Processes die at every await of draws and reclaims; what they began is ended by others."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random

import pytest

from forebay.adapters.memory import ManualClock, MemoryEscrow, MemoryLimits
from forebay.admission.escrow import LeafPool, Parent
from forebay.errors import BudgetSpent, LimitExceeded, StoreUnavailable
from forebay.model import KeyPolicy, ScopePolicy
from forebay.service.escrow import Allowances
from tests.support.crashes import Process, run
from tests.support.escrow import SLOT, admission, check_allowances, member, pool, team
from tests.support.leaves import asking, month

BUDGET = 100
LEAVES = 5
SEEDS = range(60 if os.environ.get("FOREBAY_TEST_PROFILE") != "exploring" else 600)
REQUESTS = 16
OWN_BUDGET = KeyPolicy(budgets=(month(60),))


@dataclass
class World:
    """A team over some keys, and all who use it: each request in a process of its own."""

    team: ScopePolicy = field(default_factory=lambda: team(BUDGET))
    policy: KeyPolicy = field(default_factory=KeyPolicy)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.limits = MemoryLimits(self.clock)
        self.escrow = MemoryEscrow(self.limits)
        self.spent = 0

    async def request(
        self, number: int, leaf: int, *, hold: int, cost: int, settles: bool = True
    ) -> bool:
        """Serve one request as the pipeline does; False: refused."""
        process = admission(self.limits, self.escrow, [self.team], clock=self.clock)
        try:
            asked = asking(member(leaf, self.policy), number, nano_usd=hold)
            grant = await process.admit(asked)
        except (BudgetSpent, LimitExceeded, StoreUnavailable):
            return False
        if settles:
            await process.settle(grant, min(cost, hold), 0)
        return True

    def leaves(self) -> dict[str, LeafPool]:
        found = (self.limits.peek(f"leaf#key{number:07d}#0") for number in range(LEAVES))
        return {leaf.scope: leaf.pools[SLOT] for leaf in found if leaf and SLOT in leaf.pools}

    def parent(self) -> Parent | None:
        return run(self.escrow.parent(pool()))

    def check(self) -> int:
        """Invariant 1, at this very instant; return what is stranded."""
        return check_allowances(self.parent(), self.leaves(), BUDGET)

    def committed(self) -> int:
        return sum(held.committed for held in self.leaves().values())


def filled(*, spread: bool) -> World:
    """A world in which others hold all of the budget, idle."""
    world = World()
    if spread:
        for number in range(1, LEAVES):
            run(world.request(number, number, hold=25, cost=0))
        assert world.parent() is not None
        assert world.committed() == 0
    return world


def awaits(*, spread: bool) -> int:
    world = filled(spread=spread)
    process = Process(world.request(99, 0, hold=60, cost=10))
    while not process.is_over:
        process.step()
    assert process.result
    return process.steps


POINTS = [(spread, point) for spread in (False, True) for point in range(awaits(spread=spread))]


@pytest.mark.parametrize(("spread", "point"), POINTS)
def test_inv1_whoever_dies_while_drawing_strands_a_slice_that_the_next_one_finds(
    spread: bool,  # noqa: FBT001 - parametrized
    point: int,
) -> None:
    world = filled(spread=spread)
    process = Process(world.request(99, 0, hold=60, cost=60, settles=False), dies_at=point)
    while not process.is_over:
        process.step()
        world.check()
    # Whatever was left behind: what is not committed can be had, to the last nano-dollar.
    left = BUDGET - world.committed()
    assert run(world.request(100, 4, hold=left, cost=left, settles=False))
    world.check()
    assert world.committed() == BUDGET


@pytest.mark.parametrize("policy", [KeyPolicy(), OWN_BUDGET], ids=["team", "team-and-key"])
@pytest.mark.parametrize("seed", SEEDS)
def test_inv1_whoever_dies_wherever_allowances_stay_within_the_budget(
    seed: int, policy: KeyPolicy
) -> None:
    dice = Random(seed)  # noqa: S311 - repeatable is the point
    world = World(policy=policy)
    alive = [
        Process(
            world.request(
                number,
                dice.randrange(LEAVES),
                hold=dice.randrange(1, 30),
                cost=dice.randrange(20),
            ),
            dies_at=dice.choice([None, dice.randrange(40)]),
        )
        for number in range(REQUESTS)
    ]
    while alive:
        dice.choice(alive).step()
        world.check()
        alive = [each for each in alive if not each.is_over]
    # Nothing is lost for good: who asks for all that is not committed, gets it.
    left = min(BUDGET - world.committed(), 60)
    if policy == KeyPolicy() and left:
        assert run(world.request(200, LEAVES - 1, hold=left, cost=0, settles=False))
    world.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_inv1_ten_worst_cases_of_twenty_keys_are_exactly_ten(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - repeatable is the point
    world = World()
    alive = [
        Process(world.request(number, number % LEAVES, hold=10, cost=10, settles=False))
        for number in range(30)
    ]
    every = list(alive)
    while alive:
        dice.choice(alive).step()
        world.check()
        alive = [each for each in alive if not each.is_over]
    assert sum(bool(each.result) for each in every) == 10
    assert world.committed() == BUDGET


@pytest.mark.parametrize("seed", SEEDS)
def test_inv1_a_budget_is_lowered_while_leaves_draw(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - repeatable is the point
    world = World()
    lowered = pool(40, version=2)
    admin = Process(Allowances(world.escrow, world.clock).set_limit(lowered))
    works = [
        Process(world.request(number, number % LEAVES, hold=10, cost=10, settles=False))
        for number in range(12)
    ]
    alive: list[Process[bool] | Process[int]] = [*works, admin]
    while alive:
        dice.choice(alive).step()
        world.check()
        alive = [each for each in alive if not each.is_over]
    parent = world.parent()
    assert parent is not None
    assert (parent.budget, parent.version) == (40, 2)
    assert world.committed() <= max(40, 10 * sum(bool(each.result) for each in works))
    # From now on the new limit holds: more than it is never given out.
    assert not run(world.request(300, 0, hold=41, cost=0))


def test_a_crash_point_at_least_for_each_await() -> None:
    assert len(POINTS) > 40

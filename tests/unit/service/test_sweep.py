"""`Sweep`: what dead processes held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from forebay.adapters.memory import (
    ManualClock,
    MemoryKeys,
    MemoryLedger,
    MemoryLimits,
    SeededEntropy,
)
from forebay.admission.escrow import LeafPool
from forebay.model import KeyPolicy, LedgerRow, Outcome
from forebay.money import NanoUsd
from forebay.service.admission import Admission
from forebay.service.grants import Grant
from forebay.service.leaves import SoleLeaf
from forebay.service.sweep import Sweep
from tests.support.crashes import run
from tests.support.leaves import MONTH, SCOPE, asking, key, month, request_id
from tests.support.ledger_rows import row

EXPIRED_S = 961


@dataclass
class World:
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.limits, self.ledger, self.keys = MemoryLimits(self.clock), MemoryLedger(), MemoryKeys()
        self.key = key(KeyPolicy(budgets=(month(100),)))
        self.keys.create(self.key)
        leaves = SoleLeaf(self.limits)
        self.admission = Admission(self.limits, leaves, self.keys.find, self.clock, SeededEntropy())

    def admit(self, number: int) -> Grant:
        return run(self.admission.admit(asking(self.key, number, now=self.clock.now())))

    def sweep(self) -> int:
        return asyncio.run(
            Sweep(self.limits, self.limits, self.ledger, self.keys, self.clock).run()
        )

    def rows(self) -> list[LedgerRow]:
        return list(self.ledger.rows(first_day="2027-01-01", last_day="2027-01-31"))

    def pool(self) -> LeafPool:
        leaf = run(self.limits.read(SCOPE))
        assert leaf is not None
        return leaf.pools[MONTH]


def test_a_hold_without_a_row_is_lost_at_its_worst_case() -> None:
    world = World()
    world.admit(1)
    world.clock.advance(EXPIRED_S)
    assert world.sweep() == 1
    (lost,) = world.rows()
    assert (lost.request_id, lost.outcome, lost.cost_nano_usd) == (request_id(1), Outcome.LOST, 10)
    assert (lost.key_id, lost.key_name, lost.tenant) == (world.key.key_id, "test", "acme")
    assert world.pool() == LeafPool(90, 10)


def test_a_hold_whose_row_was_written_is_settled_for_what_that_says() -> None:
    world = World()
    world.admit(1)
    written = replace(row(), request_id=request_id(1), cost_nano_usd=NanoUsd(3))
    run(world.ledger.put(written))
    world.clock.advance(EXPIRED_S)
    world.sweep()
    assert world.rows() == [written]
    assert world.pool() == LeafPool(97, 3)


@pytest.mark.parametrize("age_s", [0, EXPIRED_S - 2])
def test_a_hold_that_may_live_is_left_alone(age_s: int) -> None:
    world = World()
    world.admit(1)
    world.clock.advance(age_s)
    assert world.sweep() == 0
    assert world.pool() == LeafPool(90, 10)


def test_each_hold_is_swept_when_its_own_time_comes() -> None:
    world = World()
    world.admit(1)
    world.clock.advance(500)
    world.admit(2)
    world.clock.advance(EXPIRED_S - 500)
    assert [world.sweep(), world.sweep()] == [1, 0]
    world.clock.advance(500)
    assert [world.sweep(), world.sweep()] == [1, 0]
    assert world.pool() == LeafPool(80, 20)


def test_a_leaf_whose_requests_all_ended_is_looked_at_once() -> None:
    world = World()
    run(world.admission.settle(world.admit(1), 4, 0))
    world.clock.advance(EXPIRED_S)
    assert world.sweep() == 0
    leaf = run(world.limits.read(SCOPE))
    assert leaf is not None
    assert leaf.sweep_at is None


def test_a_key_that_is_gone_has_its_holds_swept_too() -> None:
    world = World()
    world.admit(1)
    world.keys = MemoryKeys()
    world.clock.advance(EXPIRED_S)
    assert world.sweep() == 1
    assert [(each.key_id, each.tenant) for each in world.rows()] == [(world.key.key_id, "")]

"""`Admission` of many processes at once, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from forebay.adapters.memory import ManualClock, SeededEntropy
from forebay.admission.escrow import LeafPool
from forebay.errors import BudgetSpent, LimitExceeded
from forebay.model import KeyPolicy, KeyRecord
from forebay.service.admission import Admission
from forebay.service.grants import Grant
from forebay.service.leaves import SoleLeaf
from tests.contract.stores.conftest import LimitsTable, OpenLimits
from tests.support.leaves import MONTH, SCOPE, asking, key, month

PROCESSES = 8
Result = TypeVar("Result")


async def unread(key_id: str) -> KeyRecord | None:
    raise AssertionError(f"{key_id} was read: nobody changed it")


def on(
    store: OpenLimits, use: Callable[[LimitsTable, list[Admission], ManualClock], Awaitable[Result]]
) -> Result:
    """Let several processes use a store, at a time that stands still."""

    async def main() -> Result:
        async with store() as limits:
            clock = ManualClock()
            processes = [
                Admission(limits, SoleLeaf(limits), unread, clock, SeededEntropy(seed))
                for seed in range(PROCESSES)
            ]
            return await use(limits, processes, clock)

    return asyncio.run(main())


async def admit_all(
    processes: list[Admission], record: KeyRecord, requests: int, *, tokens: int = 0
) -> list[Grant]:
    """Ask for all at once; return the grants."""
    turns = asyncio.Semaphore(32)

    async def one(number: int) -> Grant | None:
        async with turns:
            try:
                process = processes[number % len(processes)]
                return await process.admit(asking(record, number, tokens=tokens))
            except (BudgetSpent, LimitExceeded):
                return None

    grants = await asyncio.gather(*(one(number) for number in range(requests)))
    return [grant for grant in grants if grant is not None]


def test_inv1_a_thousand_at_once_spend_what_the_budget_pays_for(limits_table: OpenLimits) -> None:
    record = key(KeyPolicy(budgets=(month(100),)))

    async def race(
        limits: LimitsTable, processes: list[Admission], _: ManualClock
    ) -> tuple[int, set[int]]:
        observed: set[int] = set()
        over = asyncio.Event()

        async def observe() -> None:
            while not over.is_set():
                leaf = await limits.read(SCOPE)
                if leaf is not None:
                    observed.add(leaf.pools[MONTH].committed)

        observer = asyncio.create_task(observe())
        grants = await admit_all(processes, record, 1000)
        await asyncio.gather(*(processes[0].settle(grant, 7, 0) for grant in grants))
        await asyncio.gather(*(processes[1].settle(grant, 7, 0) for grant in grants))
        over.set()
        await observer
        leaf = await limits.read(SCOPE)
        assert leaf is not None
        assert (leaf.pools, leaf.holds) == ({MONTH: LeafPool(30, 70)}, {})
        return len(grants), observed

    admitted, observed = on(limits_table, race)
    assert admitted == 10
    assert max(observed) <= 100


def test_calls_in_flight_stay_at_their_limit(limits_table: OpenLimits) -> None:
    record = key(KeyPolicy(parallel=7))

    async def race(_: LimitsTable, processes: list[Admission], __: ManualClock) -> int:
        return len(await admit_all(processes, record, 100))

    assert on(limits_table, race) == 7


def test_requests_are_admitted_by_burst_and_rate(limits_table: OpenLimits) -> None:
    record = key(KeyPolicy(requests_per_minute=6))

    async def race(_: LimitsTable, processes: list[Admission], clock: ManualClock) -> list[int]:
        admitted = []
        for first, wait_s in ((0, 0), (10, 9), (20, 11), (30, 60)):
            clock.advance(wait_s)
            now = clock.now()
            asked = (
                process.admit(asking(record, number, now=now))
                for number, process in enumerate(processes, first)
            )
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(each, Grant | LimitExceeded) for each in results)
            admitted.append(sum(isinstance(each, Grant) for each in results))
        return admitted

    assert on(limits_table, race) == [6, 0, 2, 6]


def test_tokens_are_admitted_by_burst_and_rate(limits_table: OpenLimits) -> None:
    record = key(KeyPolicy(tokens_per_minute=100))

    async def race(_: LimitsTable, processes: list[Admission], __: ManualClock) -> int:
        return len(await admit_all(processes, record, 40, tokens=30))

    assert on(limits_table, race) == 3

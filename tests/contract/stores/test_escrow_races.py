"""`Admission` of many processes over one team of many keys, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from forebay.adapters.memory import ManualClock
from forebay.admission.escrow import PARALLEL, Pool
from forebay.errors import BudgetSpent, LimitExceeded
from forebay.model import KeyPolicy, ScopePolicy
from forebay.service.admission import Admission
from forebay.service.escrow import Allowances
from forebay.service.grants import Grant
from tests.contract.stores.conftest import EscrowStore, OpenEscrow
from tests.support.escrow import TEAM, admission, check_allowances, member, pool, team
from tests.support.leaves import asking

PROCESSES = 8
KEYS = 20
Result = TypeVar("Result")


def on(
    store: OpenEscrow,
    scopes: list[ScopePolicy],
    use: Callable[[EscrowStore, list[Admission], ManualClock], Awaitable[Result]],
) -> Result:
    """Let several processes use a store, at a time that stands still."""

    async def main() -> Result:
        async with store() as opened:
            clock = ManualClock()
            processes = [
                admission(opened.limits, opened.escrow, scopes, clock=clock, seed=seed)
                for seed in range(PROCESSES)
            ]
            return await use(opened, processes, clock)

    return asyncio.run(main())


async def admit_all(
    processes: list[Admission],
    requests: int,
    *,
    first: int = 0,
    keys: int = KEYS,
    policy: KeyPolicy | None = None,
) -> list[Grant]:
    """Ask for all at once; return the grants."""
    turns = asyncio.Semaphore(32)

    async def one(number: int) -> Grant | None:
        process = processes[number % len(processes)]
        async with turns:
            try:
                return await process.admit(asking(member(number % keys, policy), number))
            except (BudgetSpent, LimitExceeded):
                return None

    grants = await asyncio.gather(*(one(first + number) for number in range(requests)))
    return [grant for grant in grants if grant is not None]


async def observed(store: EscrowStore, of: Pool, budget: int) -> int:
    """Check the invariant once; return what is committed. Leaves first: they may only grow less."""
    names = [f"leaf#{member(number).key_id}#0" for number in range(KEYS)]
    leaves = await store.escrow.leaves(of, names)
    committed = sum(held.committed for held in leaves.values())
    assert committed <= budget
    return committed


def test_inv1_a_thousand_requests_of_twenty_keys_spend_what_their_team_has(
    escrow_store: OpenEscrow,
) -> None:
    async def race(store: EscrowStore, processes: list[Admission], clock: ManualClock) -> None:
        over = asyncio.Event()

        async def observe() -> None:
            while not over.is_set():
                await observed(store, pool(), 100)

        observer = asyncio.create_task(observe())
        grants = await admit_all(processes, 1000)
        assert len(grants) == 10
        assert await observed(store, pool(), 100) == 100
        for _ in range(2):
            await asyncio.gather(*(processes[0].settle(grant, 7, 0) for grant in grants))
        assert await observed(store, pool(), 100) == 70
        clock.advance(1)  # what was refused is believed for a moment
        assert len(await admit_all(processes, 200, first=1000)) == 3
        over.set()
        await observer
        parent = await store.escrow.parent(pool())
        assert parent is not None
        check_allowances(parent, await store.escrow.leaves(pool(), parent.grants), 100)

    on(escrow_store, [team(100)], race)


def test_nobody_is_refused_while_two_slices_are_left(escrow_store: OpenEscrow) -> None:
    """All of a budget is idle in leaves that drew it; the last who asks gets it to the last."""

    async def race(store: EscrowStore, processes: list[Admission], clock: ManualClock) -> None:
        grants = await admit_all(processes, 10)
        assert len(grants) == 10
        await asyncio.gather(*(processes[0].settle(grant, 0, 0) for grant in grants))
        clock.advance(1)
        one_key = await admit_all(processes, 40, first=2000, keys=1)
        assert len(one_key) == 10
        assert await observed(store, pool(), 100) == 100

    on(escrow_store, [team(100)], race)


def test_calls_in_flight_of_a_team_stay_at_their_limit(escrow_store: OpenEscrow) -> None:
    calls = Pool(TEAM, PARALLEL, 7)

    async def race(store: EscrowStore, processes: list[Admission], clock: ManualClock) -> None:
        for first in (0, 1000):
            grants = await admit_all(processes, 100, first=first)
            assert len(grants) == 7
            assert await observed(store, calls, 7) == 7
            await asyncio.gather(*(processes[1].settle(grant, 0, 0) for grant in grants))
            assert await observed(store, calls, 7) == 0
            clock.advance(1)

    on(escrow_store, [team(None, parallel=7)], race)


def test_a_request_needs_room_in_every_limit_above_it(escrow_store: OpenEscrow) -> None:
    policy = KeyPolicy(budgets=team(30).policy.budgets)

    async def race(_: EscrowStore, processes: list[Admission], __: ManualClock) -> None:
        grants = await admit_all(processes, 40, keys=4, policy=policy)
        by_key: dict[str, int] = {}
        for grant in grants:
            assert grant.taken is not None
            by_key[grant.taken.leaf.scope] = by_key.get(grant.taken.leaf.scope, 0) + 1
        assert len(grants) == 10
        assert max(by_key.values()) <= 3

    on(escrow_store, [team(100)], race)


def test_a_lowered_budget_is_brought_back_from_the_leaves(escrow_store: OpenEscrow) -> None:
    async def race(store: EscrowStore, processes: list[Admission], clock: ManualClock) -> None:
        grants = await admit_all(processes, 10)
        for grant in grants[2:]:
            await processes[0].settle(grant, 0, 0)
        allowances = Allowances(store.escrow, clock)
        assert await allowances.set_limit(pool(40, version=2)) == 0
        assert await allowances.set_limit(pool(15, version=3)) == 5  # that is committed already
        clock.advance(1)
        assert await admit_all(processes, 20, first=3000) == []
        assert await observed(store, pool(), 20) == 20

    on(escrow_store, [team(100)], race)

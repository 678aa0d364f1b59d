"""Ports `Limits` and `OpenHolds`: what every store of leaves does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from forebay.admission.escrow import LeafPool
from forebay.admission.gcra import BURST_US, Charge, Rate
from forebay.admission.leaf import Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.errors import StoreUnavailable
from tests.contract.stores.conftest import LimitsTable, OpenLimits
from tests.support.leaves import MONTH, NOW, SCOPE, charged, entry, leaf

Result = TypeVar("Result")
NOW_US = NOW * 1_000_000


def on(store: OpenLimits, use: Callable[[LimitsTable], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        async with store() as limits:
            return await use(limits)

    return asyncio.run(main())


async def unthrottled(write: Callable[[], Awaitable[LeafWrite]]) -> LeafWrite:
    """Write until the leaf has capacity: it takes a thousand writes a second."""
    while True:
        try:
            return await write()
        except StoreUnavailable:
            continue


def read(store: OpenLimits) -> Leaf:
    found = on(store, lambda limits: limits.read(SCOPE))
    assert found is not None
    return found


def create(store: OpenLimits, first: Leaf) -> None:
    assert on(store, lambda limits: limits.create(first)).done


def admit(store: OpenLimits, *numbers: int, nano_usd: int = 10) -> None:
    async def use(limits: LimitsTable) -> None:
        for number in numbers:
            assert (await limits.admit(SCOPE, entry(number, nano_usd))).done

    on(store, use)


def test_a_leaf_is_read_as_it_was_created(limits_table: OpenLimits) -> None:
    first = replace(
        leaf(-5), tat_requests_us=NOW_US, tat_tokens_us=3, pools={MONTH: LeafPool(-5, 7, 2, 1, 4)}
    )
    create(limits_table, first)
    assert read(limits_table) == first


def test_a_leaf_is_created_once(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    second = on(limits_table, lambda limits: limits.create(leaf(999)))
    assert second == LeafWrite(done=False, leaf=leaf(100))


def test_nothing_is_admitted_where_there_is_no_leaf(limits_table: OpenLimits) -> None:
    assert on(limits_table, lambda limits: limits.admit(SCOPE, entry())) == LeafWrite(
        done=False, leaf=None
    )
    assert on(limits_table, lambda limits: limits.read(SCOPE)) is None


def test_a_request_that_is_admitted_holds_money_of_its_period(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    asked = entry(1, 30)
    write = on(limits_table, lambda limits: limits.admit(SCOPE, asked))
    held = replace(
        leaf(),
        pools={MONTH: LeafPool(70, 30)},
        holds={asked.short_id: asked.hold},
        sweep_at=asked.hold.expires_at,
    )
    assert write == LeafWrite(done=True, leaf=held)
    assert read(limits_table) == held


def test_calls_in_flight_are_counted_as_calls(limits_table: OpenLimits) -> None:
    slots = {MONTH: LeafPool(100), "team.parallel": LeafPool(1)}
    create(limits_table, replace(leaf(), pools=slots))
    first, second = (entry(number, 10, MONTH, "team.parallel") for number in (1, 2))

    async def use(limits: LimitsTable) -> tuple[bool, bool, Leaf | None]:
        admitted = (await limits.admit(SCOPE, first)).done
        refused = (await limits.admit(SCOPE, second)).done
        await limits.top_up(
            SCOPE, TopUp(first.short_id, first.hold, replace(first.hold, nano_usd=20))
        )
        grown = replace(first.hold, nano_usd=20)
        after = await limits.settle(SCOPE, Settlement(first.short_id, grown, 7))
        return admitted, refused, after.leaf

    admitted, refused, after = on(limits_table, use)
    assert (admitted, refused) == (True, False)
    assert after is not None
    assert after.pools == {MONTH: LeafPool(93, 7), "team.parallel": LeafPool(1)}


REFUSED = {
    "its hold is there": entry(1),
    "another version of the policy": replace(entry(2), version=2),
    "an earlier period": replace(entry(2), at=NOW - 61),
    "more than there is room": entry(2, 91),
    "a slot the leaf lacks": entry(2, 1, "key.202702"),
    "too many holds": entry(2, most_holds=1),
    "an arrival time that is too late": charged(entry(2), requests=Charge(5, up_to=-1, start=0)),
    "an arrival time that is too early": charged(entry(2), tokens=Charge(5, above=0)),
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED)
def test_a_request_is_refused_whole(limits_table: OpenLimits, asked: object) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    before = read(limits_table)
    write = on(limits_table, lambda limits: limits.admit(SCOPE, asked))  # type: ignore[arg-type] # parametrized
    assert write == LeafWrite(done=False, leaf=before)
    assert read(limits_table) == before


def test_each_branch_of_a_rate_leads_where_the_formula_does(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    rate = Rate(60)

    async def use(limits: LimitsTable) -> list[int]:
        seen, tat = [], 0
        for number, now_us in enumerate((NOW_US, NOW_US, NOW_US + 500_000, NOW_US + 9_000_000)):
            asked = charged(entry(number, 1), requests=rate.charge(1, tat, now_us))
            write = await limits.admit(SCOPE, asked)
            assert write.done
            assert write.leaf is not None
            tat = write.leaf.tat_requests_us
            seen.append(tat - NOW_US)
        return seen

    assert on(limits_table, use) == [1_000_000, 2_000_000, 3_000_000, 10_000_000]


def test_a_settlement_leaves_the_cost_and_gives_back_the_rest(limits_table: OpenLimits) -> None:
    create(limits_table, replace(leaf(100), tat_tokens_us=NOW_US))
    admit(limits_table, 1, nano_usd=30)
    end = Settlement(entry(1).short_id, entry(1, 30).hold, 12, refund_us=400)
    assert on(limits_table, lambda limits: limits.settle(SCOPE, end)).done
    after = read(limits_table)
    assert (after.pools, after.holds) == ({MONTH: LeafPool(88, 12)}, {})
    assert after.tat_tokens_us == NOW_US - 400


def test_settling_twice_changes_nothing(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1, 2)
    end = Settlement(entry(1).short_id, entry(1).hold, 3, refund_us=5)
    on(limits_table, lambda limits: limits.settle(SCOPE, end))
    before = read(limits_table)
    assert on(limits_table, lambda limits: limits.settle(SCOPE, end)) == LeafWrite(
        done=False, leaf=before
    )
    assert read(limits_table) == before


def test_a_hold_is_settled_only_as_it_is_stored(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    before = read(limits_table)
    end = Settlement(entry(1).short_id, entry(1, 99).hold, 3)
    assert on(limits_table, lambda limits: limits.settle(SCOPE, end)) == LeafWrite(
        done=False, leaf=before
    )


def test_a_cost_above_the_hold_is_entered_in_full(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    end = Settlement(entry(1).short_id, entry(1).hold, 150)
    on(limits_table, lambda limits: limits.settle(SCOPE, end))
    assert read(limits_table).pools == {MONTH: LeafPool(-50, 150)}


def test_a_hold_grows_while_there_is_room(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    short, hold = entry(1).short_id, entry(1).hold

    async def use(limits: LimitsTable) -> list[bool]:
        grown = replace(hold, nano_usd=100)
        return [
            (await limits.top_up(SCOPE, TopUp(short, hold, replace(hold, nano_usd=101)))).done,
            (await limits.top_up(SCOPE, TopUp(short, hold, grown))).done,
            (await limits.top_up(SCOPE, TopUp(short, hold, grown))).done,
        ]

    assert on(limits_table, use) == [False, True, False]
    after = read(limits_table)
    assert after.pools == {MONTH: LeafPool(0, 100)}
    assert after.holds[short].nano_usd == 100


def test_a_renewal_opens_changes_and_closes_slots(limits_table: OpenLimits) -> None:
    create(
        limits_table,
        replace(leaf(100), pools={MONTH: LeafPool(9, 1), "key.20270101": LeafPool(0, 4)}),
    )
    change = Renewal(
        before=read(limits_table),
        version=2,
        since=NOW,
        added={MONTH: -20},
        opened={"key.total": 50},
        closed=("key.20270101",),
    )
    assert on(limits_table, lambda limits: limits.renew(change)).done
    after = read(limits_table)
    assert after.pools == {MONTH: LeafPool(-11, 1), "key.total": LeafPool(50)}
    assert (after.version, after.since) == (2, NOW)
    assert on(limits_table, lambda limits: limits.renew(change)) == LeafWrite(
        done=False, leaf=after
    )


def test_a_leaf_is_due_when_its_first_hold_expires(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))

    async def due(limits: LimitsTable, now: float) -> list[str]:
        return [scope async for scope in limits.due(now=now)]

    assert on(limits_table, lambda limits: due(limits, NOW + 9999)) == []
    admit(limits_table, 1, 2)
    expiry = entry(1).hold.expires_at
    assert on(limits_table, lambda limits: due(limits, expiry - 1)) == []
    assert on(limits_table, lambda limits: due(limits, expiry)) == [SCOPE]


def test_the_sweep_s_mark_stays_while_a_hold_is_open(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    before = read(limits_table)
    on(limits_table, lambda limits: limits.sweep_at(before, None))
    assert read(limits_table) == before
    on(limits_table, lambda limits: limits.sweep_at(before, NOW + 5))
    assert read(limits_table) == replace(before, sweep_at=NOW + 5)
    on(limits_table, lambda limits: limits.sweep_at(before, NOW + 6))  # it was another's
    assert read(limits_table).sweep_at == NOW + 5


def test_the_sweep_s_mark_goes_with_the_last_hold(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(100))
    admit(limits_table, 1)
    end = Settlement(entry(1).short_id, entry(1).hold, 3)
    on(limits_table, lambda limits: limits.settle(SCOPE, end))
    on(limits_table, lambda limits: limits.sweep_at(read_mark(), None))
    assert read(limits_table).sweep_at is None


def read_mark() -> Leaf:
    return replace(leaf(), sweep_at=entry().hold.expires_at)


def test_inv1_of_a_thousand_at_once_as_many_are_admitted_as_the_budget_pays_for(
    limits_table: OpenLimits,
) -> None:
    create(limits_table, leaf(100))

    async def race(limits: LimitsTable) -> tuple[int, list[int]]:
        turns = asyncio.Semaphore(32)
        committed: list[int] = []

        async def one(number: int) -> bool:
            async with turns:
                write = await unthrottled(
                    lambda: limits.admit(SCOPE, entry(number, 10, most_holds=1000))
                )
                assert write.leaf is not None
                committed.append(write.leaf.pools[MONTH].committed)
                return write.done

        done = await asyncio.gather(*(one(number) for number in range(1000)))
        return sum(done), committed

    admitted, committed = on(limits_table, race)
    assert admitted == 10
    assert max(committed) == 100
    assert read(limits_table).pools == {MONTH: LeafPool(0, 100)}


def test_at_most_so_many_holds_are_open_whoever_comes_at_once(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(10_000))

    async def race(limits: LimitsTable) -> int:
        asked = [entry(number, 1, most_holds=7) for number in range(32)]
        writes = await asyncio.gather(*(limits.admit(SCOPE, each) for each in asked))
        return sum(write.done for write in writes)

    assert on(limits_table, race) == 7


def test_a_burst_at_once_is_a_minute_s_allowance(limits_table: OpenLimits) -> None:
    create(limits_table, leaf(10_000))
    rate = Rate(10)

    async def race(limits: LimitsTable) -> int:
        async def one(number: int) -> bool:
            tat = 0
            while True:
                charge = rate.charge(1, tat, NOW_US)
                write = await limits.admit(SCOPE, charged(entry(number, 1), requests=charge))
                assert write.leaf is not None
                tat = write.leaf.tat_requests_us
                if write.done or rate.free_in_s(1, tat, NOW_US) > 0:
                    return write.done

        return sum(await asyncio.gather(*(one(number) for number in range(25))))

    assert on(limits_table, race) == 10
    assert read(limits_table).tat_requests_us == NOW_US + BURST_US

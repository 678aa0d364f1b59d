"""Port `Escrow`: what every store of allowances does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from forebay.admission.escrow import (
    PARALLEL,
    AtLeaf,
    AtParent,
    Grant,
    LeafPool,
    Parent,
    Pool,
    Step,
    StepKind,
)
from forebay.admission.leaf import Leaf
from tests.contract.stores.conftest import EscrowStore, OpenEscrow
from tests.support.escrow import PERIOD, SLOT, TEAM, pool
from tests.support.leaves import NOW, SCOPE

Result = TypeVar("Result")
OTHER = "leaf#aB3dE6gH9j#1"
AT = NOW + 0.125
HUNDRED = pool(100)


def on(store: OpenEscrow, use: Callable[[EscrowStore], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        async with store() as opened:
            return await use(opened)

    return asyncio.run(main())


def draw(number: int, amount: int, *, of: Pool = HUNDRED, leaf: str = SCOPE) -> Step:
    return Step(of, leaf, StepKind.DRAW, number, amount, AT)


def give(number: int, amount: int, *, of: Pool = HUNDRED) -> Step:
    return Step(of, SCOPE, StepKind.RETURN, number, amount)


async def made(store: EscrowStore, *, since: int = NOW - 60) -> None:
    """Make a parent and a leaf that have nothing to do with each other yet."""
    await store.escrow.set_budget(HUNDRED)
    assert (await store.limits.create(Leaf(SCOPE, 1, since))).done


async def kept(store: EscrowStore, of: Pool = HUNDRED) -> LeafPool:
    return (await store.escrow.leaves(of, [SCOPE]))[SCOPE]


def test_a_parent_is_made_once(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> list[Parent | None]:
        before = await store.escrow.parent(HUNDRED)
        first = await store.escrow.set_budget(HUNDRED)
        again = await store.escrow.set_budget(HUNDRED)
        return [before, first, again, await store.escrow.parent(HUNDRED)]

    parent = Parent(100, 1, PERIOD)
    assert on(escrow_store, use) == [None, parent, parent, parent]


def test_a_draw_moves_a_slice_from_the_parent_to_the_leaf(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        parent = Parent(100, 1, PERIOD, 30, {SCOPE: Grant(1, 30, AT)})
        assert await store.escrow.step_parent(draw(1, 30)) == AtParent(done=True, parent=parent)
        assert await kept(store) == LeafPool()
        assert await store.escrow.step_leaf(draw(1, 30)) == AtLeaf(
            done=True, held=LeafPool(30, drawn=1)
        )
        assert (await store.escrow.step_parent(draw(2, 70))).done
        held = LeafPool(100, drawn=2)
        assert await store.escrow.step_leaf(draw(2, 70)) == AtLeaf(done=True, held=held)
        assert await store.escrow.parent(HUNDRED) == Parent(
            100, 1, PERIOD, 100, {SCOPE: Grant(2, 70, AT)}
        )
        leaf = await store.limits.read(SCOPE)
        assert leaf is not None
        assert leaf.pools == {SLOT: held}

    on(escrow_store, use)


def test_a_return_moves_it_back(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        await store.escrow.step_parent(draw(1, 30))
        await store.escrow.step_leaf(draw(1, 30))
        held = LeafPool(18, drawn=1, returned=1, gave=12)
        assert await store.escrow.step_leaf(give(1, 12)) == AtLeaf(done=True, held=held)
        parent = Parent(100, 1, PERIOD, 18, {SCOPE: Grant(1, 30, AT, 1)})
        assert await store.escrow.step_parent(give(1, 12)) == AtParent(done=True, parent=parent)

    on(escrow_store, use)


def test_inv1_a_half_is_done_once(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        for step in (draw(1, 30), give(1, 12)):
            assert await halves(store, step) == [[True, False, False]] * 2
            parent, leaf = await store.escrow.parent(HUNDRED), await kept(store)
            assert await store.escrow.step_parent(step) == AtParent(done=False, parent=parent)
            assert await store.escrow.step_leaf(step) == AtLeaf(done=False, held=leaf)

    on(escrow_store, use)


async def halves(store: EscrowStore, step: Step) -> list[list[bool]]:
    """Do both halves three times each, in their order; return which were done."""

    async def at_parent() -> list[bool]:
        return [(await store.escrow.step_parent(step)).done for _ in range(3)]

    async def at_leaf() -> list[bool]:
        return [(await store.escrow.step_leaf(step)).done for _ in range(3)]

    order = [at_parent, at_leaf] if step.kind is StepKind.DRAW else [at_leaf, at_parent]
    return [await half() for half in order]


@pytest.mark.parametrize(
    "step",
    [draw(1, 101), draw(2, 10), draw(1, 1, of=pool(period="202612")), give(1, 1)],
    ids=["too-much", "out-of-turn", "of-last-month", "never-drawn"],
)
def test_a_parent_refuses(escrow_store: OpenEscrow, step: Step) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        parent = Parent(100, 1, PERIOD)
        assert await store.escrow.step_parent(step) == AtParent(done=False, parent=parent)

    on(escrow_store, use)


@pytest.mark.parametrize(
    "step",
    [draw(1, 1), draw(3, 1), give(1, 31), give(2, 1)],
    ids=["done", "out-of-turn", "too-much", "return-out-of-turn"],
)
def test_a_leaf_refuses(escrow_store: OpenEscrow, step: Step) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        await store.escrow.step_leaf(draw(1, 30))
        held = LeafPool(30, drawn=1)
        assert await store.escrow.step_leaf(step) == AtLeaf(done=False, held=held)

    on(escrow_store, use)


def test_what_does_not_exist_is_not_made_by_a_step(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        for step in (draw(1, 1), draw(2, 1), give(1, 1)):
            assert await store.escrow.step_parent(step) == AtParent(done=False, parent=None)
            assert await store.escrow.step_leaf(step) == AtLeaf(done=False, held=None)
        assert await store.escrow.leaves(HUNDRED, [SCOPE]) == {}
        assert await store.limits.read(SCOPE) is None

    on(escrow_store, use)


def test_the_first_draw_of_a_period_forgets_the_one_before(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        for step in (draw(1, 90), draw(1, 90, of=pool(period="202702"), leaf=OTHER)):
            assert (await store.escrow.step_parent(step)).done
        assert await store.escrow.parent(HUNDRED) == Parent(
            100, 1, "202702", 90, {OTHER: Grant(1, 90, AT)}
        )
        assert not (await store.escrow.step_parent(draw(2, 1))).done  # by a clock that is behind

    on(escrow_store, use)


def test_a_leaf_that_forgot_a_period_does_not_begin_it_again(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store, since=NOW)
        for ends_at, done in ((NOW, False), (NOW + 1, True)):
            step = draw(1, 10, of=replace(HUNDRED, ends_at=ends_at))
            assert (await store.escrow.step_leaf(step)).done == done

    on(escrow_store, use)


@pytest.mark.parametrize(("limit", "left"), [(150, 120), (40, 10), (20, -10)])
def test_a_later_version_changes_the_budget(
    escrow_store: OpenEscrow, limit: int, left: int
) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        await store.escrow.step_parent(draw(1, 30))
        changed = await store.escrow.set_budget(pool(limit, version=3))
        assert changed == Parent(limit, 3, PERIOD, 30, {SCOPE: Grant(1, 30, AT)})
        assert changed.left_in(PERIOD) == left
        for older in (pool(7, version=2), pool(7, version=3)):
            assert await store.escrow.set_budget(older) == changed
        assert not (await store.escrow.step_parent(draw(2, max(1, left + 1)))).done

    on(escrow_store, use)


def test_pools_of_one_leaf_do_not_meet(escrow_store: OpenEscrow) -> None:
    calls = Pool("tenant#acme", PARALLEL, 8)

    async def use(store: EscrowStore) -> None:
        await made(store)
        await store.escrow.set_budget(calls)
        for step in (draw(1, 30), draw(1, 2, of=calls)):
            assert (await store.escrow.step_parent(step)).done
            assert (await store.escrow.step_leaf(step)).done
        leaf = await store.limits.read(SCOPE)
        assert leaf is not None
        assert leaf.pools == {
            SLOT: LeafPool(30, drawn=1),
            "tenant.parallel": LeafPool(2, drawn=1),
        }

    on(escrow_store, use)


def test_many_leaves_are_read_at_once(escrow_store: OpenEscrow) -> None:
    names = [f"leaf#aB3dE6gH9j#{number}" for number in range(130)]

    async def use(store: EscrowStore) -> None:
        await asyncio.gather(*(store.limits.create(Leaf(name, 1, NOW)) for name in names[:120]))
        await store.escrow.step_leaf(draw(1, 5, leaf=names[119]))
        found = await store.escrow.leaves(HUNDRED, names)
        assert found == dict.fromkeys(names[:119], LeafPool()) | {names[119]: LeafPool(5, drawn=1)}
        assert await store.escrow.leaves(HUNDRED, []) == {}

    on(escrow_store, use)


def test_inv1_of_16_leaves_that_draw_the_last_money_as_many_get_it_as_it_pays_for(
    escrow_store: OpenEscrow,
) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        asked = (draw(1, 30, leaf=f"leaf#aB3dE6gH9j#{number}") for number in range(16))
        results = await asyncio.gather(*(store.escrow.step_parent(step) for step in asked))
        parent = await store.escrow.parent(HUNDRED)
        assert parent is not None
        assert sum(result.done for result in results) == 3 == len(parent.grants)
        assert parent.granted == 90

    on(escrow_store, use)


def test_inv1_of_16_who_end_the_same_step_one_does(escrow_store: OpenEscrow) -> None:
    async def use(store: EscrowStore) -> None:
        await made(store)
        for step in (draw(1, 30), give(1, 12)):
            results = await asyncio.gather(*(halves(store, step) for _ in range(5)))
            every = [done for each in results for half in each for done in half]
            assert sum(every) == 2
        parent, held = await store.escrow.parent(HUNDRED), await kept(store)
        assert parent is not None
        assert (parent.granted, held.room) == (18, 18)

    on(escrow_store, use)


def test_a_parent_is_named_after_its_scope_and_kind_of_period() -> None:
    names = [Pool(TEAM, each, 1).parent for each in ("20270115", "202701", "total", PARALLEL)]
    assert names == [f"{TEAM}|{kind}" for kind in ("day", "month", "total", PARALLEL)]

"""`Admission`: the whole way of a request to its leaf and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from forebay.adapters.memory import ManualClock, MemoryLimits, SeededEntropy
from forebay.admission.escrow import LeafPool
from forebay.admission.leaf import Leaf, Settlement
from forebay.admission.period import period_of
from forebay.errors import (
    AuthenticationFailed,
    BudgetSpent,
    ForebayError,
    LimitExceeded,
    RequestExceedsLimit,
    StoreError,
    StoreUnavailable,
)
from forebay.model import Budget, KeyPolicy, KeyRecord, KeyStatus
from forebay.money import NanoUsd
from forebay.service.admission import Admission
from forebay.service.grants import Grant, RateLeft
from forebay.service.leaf_changes import tell_leaf
from forebay.service.leaves import SoleLeaf
from tests.support.crashes import run
from tests.support.flaky_limits import Fault, FlakyLimits
from tests.support.leaves import MONTH, SCOPE, asking, key, month

FEBRUARY_IN_S = 17 * 86_400 - 8 * 3600
"""From the clock's start, 2027-01-15 08:00 UTC."""


@dataclass
class World:
    """One store, and one process that uses it."""

    policy: KeyPolicy
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.memory = MemoryLimits(self.clock)
        self.limits = FlakyLimits(self.memory, self.clock)
        self.key = key(self.policy)
        self.stored_key: KeyRecord | None = self.key
        self.rereads = 0
        self.admission = self.process()

    def process(self) -> Admission:
        leaves = SoleLeaf(self.limits)
        return Admission(self.limits, leaves, self.reread, self.clock, SeededEntropy(1))

    async def reread(self, key_id: str) -> KeyRecord | None:
        assert key_id == self.key.key_id
        self.rereads += 1
        return self.stored_key

    async def admit(
        self,
        number: int = 0,
        *,
        nano_usd: int = 10,
        tokens: int = 0,
        record: KeyRecord | None = None,
    ) -> Grant:
        asked = asking(
            record or self.key, number, nano_usd=nano_usd, tokens=tokens, now=self.clock.now()
        )
        return await self.admission.admit(asked)

    def leaf(self) -> Leaf:
        found = run(self.memory.read(SCOPE))
        assert found is not None
        return found

    def change_policy(self, policy: KeyPolicy) -> KeyRecord:
        self.stored_key = replace(self.key, policy=policy, version=self.key.version + 1)
        return self.stored_key


def budgeted(nano_usd: int = 100, **limits: int) -> World:
    return World(KeyPolicy(budgets=(month(nano_usd),), **limits))  # type: ignore[arg-type] # rates


def serve(main: Callable[[], Awaitable[None]]) -> None:
    async def wrapped() -> None:
        await main()

    asyncio.run(wrapped())


async def refused(kind: type[ForebayError], request: Awaitable[Grant]) -> ForebayError:
    with pytest.raises(kind) as caught:
        await request
    return caught.value


def test_a_key_without_limits_costs_no_write() -> None:
    world = World(KeyPolicy())

    async def main() -> None:
        grant = await world.admit()
        assert (grant.taken, grant.held_nano_usd, grant.requests, grant.tokens) == (
            None,
            0,
            None,
            None,
        )
        assert await world.admission.top_up(grant, 5) is grant
        await world.admission.settle(grant, 5, 5)

    serve(main)
    assert not world.limits.calls


def test_a_warm_request_is_one_write_to_be_admitted_and_one_to_be_settled() -> None:
    world = budgeted(requests_per_minute=60, tokens_per_minute=1000)

    async def main() -> None:
        await world.admission.settle(await world.admit(1, tokens=10), 4, 4)
        world.limits.calls.clear()
        await world.admission.settle(await world.admit(2, tokens=10), 4, 4)

    serve(main)
    assert world.limits.calls == {"admit": 1, "settle": 1}
    assert world.leaf().pools == {MONTH: LeafPool(92, 8)}


def test_the_first_request_of_a_key_makes_its_leaf() -> None:
    world = budgeted()
    serve(lambda: consume(world.admit()))
    assert world.limits.calls == {"admit": 2, "create": 1}


async def consume(grant: Awaitable[Grant]) -> None:
    await grant


def test_parallel_first_requests_share_one_leaf() -> None:
    world = budgeted(100)

    async def main() -> None:
        results = await asyncio.gather(
            *(world.process().admit(asking(world.key, number)) for number in range(25)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Grant) for each in results) == 10
        assert sum(isinstance(each, BudgetSpent) for each in results) == 15

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(0, 100)}


def test_a_spent_budget_says_what_is_left_and_when_it_renews() -> None:
    world = budgeted(15)

    async def main() -> None:
        await world.admit(1)
        error = await refused(BudgetSpent, world.admit(2))
        assert isinstance(error, BudgetSpent)
        assert (error.left_nano_usd, error.renews_at) == (5, world.clock.now() + FEBRUARY_IN_S)
        assert "0.000000005 USD left" in error.message
        assert "renews at 2027-02-01T00:00:00Z" in error.message

    serve(main)


def test_a_spent_budget_is_refused_again_without_a_write() -> None:
    world = budgeted(15)

    async def main() -> None:
        await world.admission.settle(await world.admit(1), 10, 0)
        await refused(BudgetSpent, world.admit(2))
        world.limits.calls.clear()
        await refused(BudgetSpent, world.admit(3))
        await refused(BudgetSpent, world.admit(4, nano_usd=11))
        assert not world.limits.calls
        await world.admit(5, nano_usd=5)  # this much there is
        world.clock.advance(10)
        await refused(BudgetSpent, world.admit(6))
        assert world.limits.calls["admit"] == 2

    serve(main)


def test_what_a_settlement_gives_back_is_there_at_once() -> None:
    world = budgeted(15)

    async def main() -> None:
        grant = await world.admit(1)
        await refused(BudgetSpent, world.admit(2))
        await world.admission.settle(grant, 1, 0)
        await world.admit(3)

    serve(main)


def test_a_new_month_begins_with_all_of_the_budget_and_never_ends_again() -> None:
    world = budgeted(10)

    async def main() -> None:
        old = await world.admit(1)
        world.clock.advance(FEBRUARY_IN_S)
        new = await world.admit(2)
        assert new.taken is not None
        assert new.taken.hold.slots == ("key.202702",)
        await world.admission.settle(old, 3, 0)  # the period renewed in mid-request
        behind = ManualClock(world.clock.now() - 1)
        late = Admission(
            world.limits, SoleLeaf(world.limits), world.reread, behind, SeededEntropy()
        )
        await refused(BudgetSpent, late.admit(asking(world.key, 3, now=behind.now())))

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(7, 3), "key.202702": LeafPool(0, 10)}


def test_periods_gone_by_are_forgotten_when_no_hold_counts_in_them() -> None:
    world = budgeted(10)

    async def main() -> None:
        for number in range(3):
            await world.admission.settle(await world.admit(number), 1, 0)
            world.clock.advance(31 * 86_400)

    serve(main)
    assert sorted(world.leaf().pools) == ["key.202702", "key.202703"]


def test_budgets_of_several_periods_hold_at_once() -> None:
    day = Budget(NanoUsd(15), "day", zone="Asia/Tokyo")
    total = Budget(NanoUsd(25), "total")
    world = World(KeyPolicy(budgets=(total, month(1000), day)))

    async def main() -> None:
        await world.admit(1)
        error = await refused(BudgetSpent, world.admit(2))
        assert isinstance(error, BudgetSpent)
        assert error.renews_at == world.clock.now() + 7 * 3600  # midnight in Tokyo
        world.clock.advance(86_400)
        await world.admit(3)
        world.clock.advance(86_400)
        error = await refused(BudgetSpent, world.admit(4))
        assert isinstance(error, BudgetSpent)
        assert error.renews_at is None
        assert "does not renew" in error.message

    serve(main)
    assert period_of(day, world.clock.now()) == "20270117"


def test_a_rate_says_when_the_next_request_is_admitted() -> None:
    world = World(KeyPolicy(requests_per_minute=10))

    async def main() -> None:
        grants = [await world.admit(number) for number in range(10)]
        assert grants[-1].requests is not None
        assert (grants[-1].requests.limit, grants[-1].requests.remaining) == (10, 0)
        assert grants[-1].requests.reset_s == 60
        error = await refused(LimitExceeded, world.admit(11))
        assert isinstance(error, LimitExceeded)
        assert error.retry_after_s == pytest.approx(6)
        world.limits.calls.clear()
        world.clock.advance(5.5)
        error = await refused(LimitExceeded, world.admit(12))
        assert isinstance(error, LimitExceeded)
        assert error.retry_after_s == pytest.approx(0.5)
        assert not world.limits.calls
        world.clock.advance(0.5)
        await world.admit(13)

    serve(main)


def test_tokens_are_charged_at_the_bound_and_given_back() -> None:
    world = World(KeyPolicy(tokens_per_minute=100))

    async def main() -> None:
        grant = await world.admit(1, tokens=100)
        assert grant.tokens is not None
        assert grant.tokens.remaining == 0
        await refused(LimitExceeded, world.admit(2, tokens=50))
        await world.admission.settle(grant, 0, 40)
        second = await world.admit(3, tokens=60)
        assert second.tokens is not None
        assert second.tokens.remaining == 0

    serve(main)


def test_tokens_that_time_gave_back_are_not_given_twice() -> None:
    world = World(KeyPolicy(tokens_per_minute=100))

    async def main() -> None:
        idle = await world.admit(1, tokens=100)
        world.clock.advance(60)
        await world.admit(2, tokens=100)
        await world.admission.settle(idle, 0, 0)
        await refused(LimitExceeded, world.admit(3, tokens=10))

    serve(main)


def test_a_request_over_the_burst_is_the_caller_s_fault() -> None:
    world = World(KeyPolicy(tokens_per_minute=100))
    serve(lambda: expect(RequestExceedsLimit, world.admit(tokens=101)))
    assert not world.limits.calls


def test_a_hold_that_no_leaf_can_keep_is_the_caller_s_fault() -> None:
    serve(lambda: expect(RequestExceedsLimit, budgeted().admit(nano_usd=1 << 40)))


async def expect(kind: type[ForebayError], request: Awaitable[Grant]) -> None:
    await refused(kind, request)


def test_calls_in_flight_are_limited_until_one_ends() -> None:
    world = World(KeyPolicy(parallel=2))

    async def main() -> None:
        first = await world.admit(1)
        await world.admit(2)
        error = await refused(LimitExceeded, world.admit(3))
        assert isinstance(error, LimitExceeded)
        assert error.retry_after_s == 1
        await world.admission.settle(first, 0, 0)
        await world.admit(4)

    serve(main)


def test_an_admission_is_not_counted_twice() -> None:
    world = budgeted()

    async def main() -> None:
        first = await world.admit(1)
        again = await world.admit(1)
        assert first.taken is not None
        assert again.taken is not None
        assert again.taken.hold == first.taken.hold

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(90, 10)}


@pytest.mark.parametrize("fault", [Fault.NOT_DONE, Fault.DONE_UNSAID])
def test_an_admission_without_an_answer_leaves_nothing_behind(fault: Fault) -> None:
    world = budgeted()

    async def main() -> None:
        await world.admission.settle(await world.admit(1), 3, 0)
        world.limits.faults["admit"] = [fault]
        await refused(StoreUnavailable, world.admit(2))

    serve(main)
    assert (world.leaf().pools, world.leaf().holds) == ({MONTH: LeafPool(97, 3)}, {})


def test_a_late_admission_is_given_back() -> None:
    world = budgeted()
    world.limits.faults["admit"] = [Fault.SLOW]
    serve(lambda: expect(StoreUnavailable, world.admit(1)))
    assert world.leaf().pools == {MONTH: LeafPool(100)}


def test_a_key_may_be_served_without_the_store() -> None:
    world = World(KeyPolicy(budgets=(month(10),), on_store_failure="serve"))
    world.limits.faults["admit"] = [Fault.NOT_DONE]

    async def main() -> None:
        grant = await world.admit(1)
        assert grant.unchecked
        await world.admission.settle(grant, 3, 3)

    serve(main)


def test_a_revoked_key_is_refused_at_its_next_request() -> None:
    world = budgeted()

    async def main() -> None:
        await world.admit(1)
        revoked = replace(world.change_policy(world.policy), status=KeyStatus.REVOKED)
        other = world.process()
        await other.admit(asking(world.change_policy(world.policy), 2))
        world.stored_key = revoked
        await refused(AuthenticationFailed, world.admit(3))
        world.stored_key = None
        await refused(AuthenticationFailed, world.admit(4))

    serve(main)
    assert world.rereads == 2


def test_a_changed_policy_holds_at_the_next_request_everywhere() -> None:
    world = budgeted(100)

    async def main() -> None:
        await world.admit(1)
        changed = world.change_policy(KeyPolicy(budgets=(month(15),)))
        await world.process().admit(asking(changed, 2, nano_usd=1))
        error = await refused(BudgetSpent, world.admit(3))  # by a process that knows the old one
        assert isinstance(error, BudgetSpent)
        assert error.left_nano_usd == 4

    serve(main)
    assert world.rereads == 1


def test_a_budget_below_what_is_spent_lets_nothing_in_and_a_higher_one_does() -> None:
    world = budgeted(100)

    async def main() -> None:
        await world.admission.settle(await world.admit(1, nano_usd=80), 80, 0)
        lowered = world.change_policy(KeyPolicy(budgets=(month(50),)))
        error = await refused(BudgetSpent, world.admit(2, record=lowered, nano_usd=1))
        assert isinstance(error, BudgetSpent)
        assert error.left_nano_usd == 0
        assert world.leaf().pools[MONTH].room == -30
        raised = replace(lowered, policy=KeyPolicy(budgets=(month(90),)), version=3)
        await world.admit(3, record=raised)

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(0, 90)}


def test_a_key_that_is_behind_its_leaf_is_not_admitted() -> None:
    world = budgeted()

    async def main() -> None:
        await world.admit(1, record=world.change_policy(world.policy))
        world.stored_key = world.key
        await refused(StoreUnavailable, world.admit(2))

    serve(main)


def test_an_arrival_time_that_a_wrong_clock_wrote_is_reset() -> None:
    world = World(KeyPolicy(requests_per_minute=10))

    async def main() -> None:
        fast = ManualClock(world.clock.now() + 3600)
        wrong = Admission(world.limits, SoleLeaf(world.limits), world.reread, fast, SeededEntropy())
        await wrong.admit(asking(world.key, 1, now=fast.now()))
        await world.admit(2)

    serve(main)
    assert world.leaf().tat_requests_us == int(world.clock.now() * 1e6) + 6_000_000


def test_a_hold_grows_for_a_further_attempt_and_not_beyond_the_budget() -> None:
    world = budgeted(25)

    async def main() -> None:
        grant = await world.admit(1)
        grown = await world.admission.top_up(grant, 10)
        assert grown is not None
        assert grown.held_nano_usd == 20
        assert await world.admission.top_up(grown, 6) is None
        assert await world.admission.top_up(grown, 1 << 40) is None
        await world.admission.settle(grown, 12, 0)
        assert await world.admission.top_up(grown, 1) is None  # it is over

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(13, 12)}


@pytest.mark.parametrize("fault", [Fault.NOT_DONE, Fault.DONE_UNSAID])
def test_a_top_up_without_an_answer_is_settled_as_it_is_stored(fault: Fault) -> None:
    world = budgeted()

    async def main() -> None:
        grant = await world.admit(1)
        world.limits.faults["top_up"] = [fault]
        with pytest.raises(StoreUnavailable):
            await world.admission.top_up(grant, 10)
        await world.admission.settle(grant, 7, 0)

    serve(main)
    assert (world.leaf().pools, world.leaf().holds) == ({MONTH: LeafPool(93, 7)}, {})


def test_a_repeated_top_up_is_one() -> None:
    world = budgeted()

    async def main() -> None:
        grant = await world.admit(1)
        assert await world.admission.top_up(grant, 10) == await world.admission.top_up(grant, 10)

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(80, 20)}


@pytest.mark.parametrize("fault", [Fault.NOT_DONE, Fault.DONE_UNSAID])
def test_settling_is_tried_until_it_is_done(fault: Fault) -> None:
    world = budgeted()

    async def main() -> None:
        grant = await world.admit(1)
        world.limits.faults["settle"] = [fault] * 5
        task = asyncio.create_task(world.admission.settle(grant, 3, 0))
        for _ in range(5):
            await asyncio.wait(
                [task, sleeping := asyncio.create_task(world.clock.until_sleeping())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            sleeping.cancel()
            world.clock.advance(2)
        await task

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(97, 3)}


def test_settling_ends_shortly_before_the_deadline() -> None:
    world = budgeted()

    async def main() -> None:
        asked = replace(asking(world.key, 1), ends_at=world.clock.now() + 4)
        grant = await world.admission.admit(asked)
        world.limits.faults["settle"] = [Fault.NOT_DONE]
        with pytest.raises(StoreUnavailable):
            await world.admission.settle(grant, 3, 0)

    serve(main)


def test_settling_what_the_sweep_settled_changes_nothing() -> None:
    world = budgeted()

    async def main() -> None:
        grant = await world.admit(1)
        assert grant.taken is not None
        swept = Settlement(grant.taken.short_id, grant.taken.hold, 10)
        await world.memory.settle(SCOPE, swept)
        await world.admission.settle(grant, 3, 0)

    serve(main)
    assert world.leaf().pools == {MONTH: LeafPool(90, 10)}


def test_a_leaf_that_was_told_of_a_revocation_lets_no_process_in() -> None:
    world = budgeted()

    async def main() -> None:
        await world.admit(1)
        world.stored_key = replace(world.change_policy(world.policy), status=KeyStatus.REVOKED)
        leaves = SoleLeaf(world.limits)
        await tell_leaf(world.stored_key, leaves, world.memory, now=world.clock.now())
        await tell_leaf(world.stored_key, leaves, world.memory, now=world.clock.now())
        await refused(AuthenticationFailed, world.admit(2))

    serve(main)
    assert world.limits.calls["renew"] == 1


@pytest.mark.parametrize("policy", [KeyPolicy(), KeyPolicy(parallel=1)], ids=["free", "unused"])
def test_there_is_nothing_to_tell_where_there_is_no_leaf(policy: KeyPolicy) -> None:
    world = World(policy)
    leaves = SoleLeaf(world.limits)
    asyncio.run(tell_leaf(world.key, leaves, world.memory, now=world.clock.now()))
    assert not world.limits.calls


def test_a_key_whose_limits_were_lifted_is_admitted_without_its_leaf() -> None:
    world = budgeted()

    async def main() -> None:
        await world.admit(1)
        changed = world.change_policy(world.policy)
        await world.process().admit(asking(changed, 2))
        world.stored_key = replace(changed, policy=KeyPolicy(), version=3)
        assert (await world.admit(3)).taken is None

    serve(main)


def test_a_key_that_changes_again_and_again_is_not_waited_for() -> None:
    world = budgeted()

    async def main() -> None:
        await world.admit(1)
        for version in (2, 3, 4):
            record = replace(world.key, version=version)
            world.stored_key = record
            await world.process().admit(asking(record, version))

        async def stale(_: str) -> KeyRecord:
            leaf = world.leaf()
            newest = replace(world.key, version=leaf.version + 1)
            await world.process().admit(asking(newest, 10 + newest.version))
            return replace(world.key, version=leaf.version)

        leaves = SoleLeaf(world.limits)
        unlucky = Admission(world.limits, leaves, stale, world.clock, SeededEntropy())
        await refused(StoreUnavailable, unlucky.admit(asking(world.key, 5)))

    serve(main)


def test_a_topped_up_rate_keeps_its_leaf_s_tokens() -> None:
    world = World(KeyPolicy(tokens_per_minute=100))

    async def main() -> None:
        grant = await world.admit(1, tokens=40)
        await world.admission.settle(grant, 0, 90)  # more than its bound: not charged again
        assert (await world.admit(2, tokens=60)).tokens == RateLeft(100, 0, 60.0)

    serve(main)


def test_a_hold_whose_slot_is_gone_is_told() -> None:
    world = budgeted()

    async def main() -> None:
        grant = await world.admit(1)
        met = world.memory.peek(SCOPE)
        assert met is not None
        world.memory.keep(replace(met, pools={}))
        with pytest.raises(StoreError, match="lacks a slot"):
            await world.admission.settle(grant, 1, 0)

    serve(main)


@pytest.mark.parametrize("turns", [1, 2])
def test_a_caller_who_leaves_during_admission_leaves_nothing_behind(turns: int) -> None:
    world = budgeted()

    async def main() -> None:
        await world.admission.settle(await world.admit(1), 3, 0)
        task = asyncio.create_task(world.admission.admit(asking(world.key, 2)))
        for _ in range(turns):  # before the write, and before its reply
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    serve(main)
    assert (world.leaf().pools, world.leaf().holds) == ({MONTH: LeafPool(97, 3)}, {})

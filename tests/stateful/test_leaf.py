"""A leaf against the plainest model there is: a list of what was taken and what was paid."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from forebay.admission import leaf as leaves
from forebay.admission.leaf import Leaf, Settlement, TopUp
from forebay.admission.renewal import first_leaf, renewal
from forebay.admission.terms import Ask, Cap, Obstacle, Terms
from forebay.model import Budget
from forebay.money import NanoUsd
from tests.support.leaves import NOW, SCOPE, request_id

FEBRUARY = NOW + 17 * 86_400
MOST_HOLDS = 4

amounts = st.integers(0, 60)


@dataclass
class Taken:
    """One request of the model."""

    slots: tuple[str, ...]
    held: int
    paid: int | None = None


class LeafMachine(RuleBasedStateMachine):
    """Admissions, top-ups, settlements, new periods and budgets, in any order."""

    @initialize(day=amounts, month=st.integers(0, 300))
    def begin(self, day: int, month: int) -> None:
        self.now = float(FEBRUARY - 86_400 - 3600)  # an hour before the month's last day
        self.budgets = {"day": day, "month": month}
        self.version = 1
        self.numbers = 0
        self.taken: dict[str, Taken] = {}
        self.leaf: Leaf = first_leaf(self.terms(), self.allowances())

    def terms(self) -> Terms:
        caps = tuple(
            Cap("key", Budget(NanoUsd(amount), "day" if kind == "day" else "month"))
            for kind, amount in self.budgets.items()
        )
        return Terms(SCOPE, self.version, self.now, MOST_HOLDS, caps)

    def allowances(self) -> dict[str, int]:
        leaf = getattr(self, "leaf", None)
        return {slot: cap.budget.amount_nano_usd for slot, cap in self.terms().slots(leaf).items()}

    def spent(self, slot: str) -> int:
        """What the model says is settled or held in a period."""
        return sum(
            each.held if each.paid is None else each.paid
            for each in self.taken.values()
            if slot in each.slots
        )

    def open(self) -> list[str]:
        return [short for short, each in self.taken.items() if each.paid is None]

    @rule(amount=amounts)
    def admit(self, amount: int) -> None:
        self.numbers += 1
        terms = self.terms()
        ask = Ask(request_id(self.numbers, now=self.now), amount, 0, self.now + 900)
        entry = terms.entry(ask, self.leaf)
        after = leaves.admit(self.leaf, entry)
        if after is None and terms.obstacle(entry, ask, self.leaf) is Obstacle.PERIOD:
            changed = leaves.renew(self.leaf, renewal(self.leaf, terms, self.allowances()))
            assert changed is not None
            self.leaf = changed
            after = leaves.admit(self.leaf, entry)
        budgets = dict(zip(entry.hold.slots, self.budgets.values(), strict=True))
        affordable = all(self.spent(slot) + amount <= budgets[slot] for slot in budgets)
        assert (after is not None) == (affordable and len(self.open()) < MOST_HOLDS)
        if after is not None:
            self.leaf = after
            self.taken[entry.short_id] = Taken(entry.hold.slots, amount)
            assert leaves.admit(after, entry) is None
            assert terms.obstacle(entry, ask, after) is Obstacle.HELD

    @precondition(lambda self: bool(self.open()))
    @rule(data=st.data(), more=st.integers(1, 30))
    def top_up(self, data: st.DataObject, more: int) -> None:
        short = data.draw(st.sampled_from(self.open()))
        held = self.leaf.holds[short]
        change = TopUp(short, held, replace(held, nano_usd=held.nano_usd + more))
        after = leaves.top_up(self.leaf, change)
        assert (after is not None) == all(self.leaf.pools[slot].room >= more for slot in held.slots)
        if after is not None:
            self.leaf = after
            self.taken[short].held += more
            assert leaves.top_up(after, change) is None

    @precondition(lambda self: bool(self.open()))
    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        short = data.draw(st.sampled_from(self.open()))
        cost = int(self.taken[short].held * share)
        change = Settlement(short, self.leaf.holds[short], cost)
        after = leaves.settle(self.leaf, change)
        assert after is not None
        assert leaves.settle(after, change) is None
        self.leaf = after
        self.taken[short].paid = cost

    @rule(hours=st.integers(1, 30))
    def let_time_pass(self, hours: int) -> None:
        self.now += hours * 3600

    @rule(kind=st.sampled_from(["day", "month"]), amount=st.integers(0, 300))
    def change_budget(self, kind: str, amount: int) -> None:
        self.budgets[kind] = amount
        self.version += 1
        changed = leaves.renew(self.leaf, renewal(self.leaf, self.terms(), self.allowances()))
        assert changed is not None
        self.leaf = changed

    @invariant()
    def committed_less_held_is_what_was_paid_in_each_period(self) -> None:
        for slot, pool in self.leaf.pools.items():
            assert pool.committed == self.spent(slot)
            paid = sum(each.paid or 0 for each in self.taken.values() if slot in each.slots)
            assert pool.committed - self.leaf.held_in(slot) == paid

    @invariant()
    def the_open_holds_are_those_of_the_model(self) -> None:
        held = {short: hold.nano_usd for short, hold in self.leaf.holds.items()}
        assert held == {short: self.taken[short].held for short in self.open()}

    @invariant()
    def no_hold_is_lost_in_a_period_that_is_forgotten(self) -> None:
        for hold in self.leaf.holds.values():
            assert set(hold.slots) <= self.leaf.pools.keys()


TestLeaf = LeafMachine.TestCase

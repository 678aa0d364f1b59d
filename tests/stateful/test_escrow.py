"""Allowances against a plain sum: any order of halves, whoever does them, how often they like."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forebay.admission import escrow as steps
from forebay.admission.escrow import LeafPool, Parent, Pool, Step
from tests.support.escrow import TEAM, check_allowances

LEAVES = ("leaf#a#0", "leaf#b#0", "leaf#c#0")
leaves = st.sampled_from(LEAVES)
amounts = st.integers(1, 60)
MOST = 200


class Escrow(RuleBasedStateMachine):
    """A parent and three leaves; halves that were begun lie about until somebody does them."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(TEAM, "202701", 100)
        self.parent = Parent(100, 1, "202701")
        self.leaves = dict.fromkeys(LEAVES, LeafPool())
        self.begun: list[Step] = []
        """Steps of which a process, alive or dead, did one half at least."""
        self.settled = 0

    @rule(leaf=leaves, amount=amounts)
    def begin_draw(self, leaf: str, amount: int) -> None:
        step = steps.draw(self.pool, leaf, self.leaves[leaf], amount, now=0)
        self.do_at_parent(step)
        self.begun.append(step)

    @rule(leaf=leaves, amount=amounts)
    def begin_return(self, leaf: str, amount: int) -> None:
        held = self.leaves[leaf]
        # As `_survey` does: nobody takes a further return from a leaf whose last is undone.
        if steps.unfinished_return(self.parent, self.pool, leaf, held) is None:
            for step in steps.returns(self.pool, {leaf: held}, missing=amount):
                self.do_at_leaf(step)
                self.begun.append(step)

    @precondition(lambda self: self.begun)
    @rule(data=st.data())
    def do_any_second_half(self, data: st.DataObject) -> None:
        """Late, early, again: only a step whose first half is done can have been begun."""
        step = data.draw(st.sampled_from(self.begun))
        if step.kind is steps.StepKind.DRAW:
            if self.parent.grant_in(self.pool.period, step.leaf).drawn >= step.number:
                self.end_draw(step)
        else:
            self.do_at_parent(step)

    @rule(leaf=leaves)
    def repair(self, leaf: str) -> None:
        held = self.leaves[leaf]
        for step in (
            steps.unfinished_return(self.parent, self.pool, leaf, held),
            steps.unfinished_draw(self.parent, self.pool, leaf, held),
        ):
            if step is not None:
                half = self.do_at_leaf if step.kind is steps.StepKind.DRAW else self.do_at_parent
                half(step)

    @rule(leaf=leaves, hold=st.integers(0, 40), share=st.floats(0, 1))
    def serve(self, leaf: str, hold: int, share: float) -> None:
        held = self.leaves[leaf]
        if held.room >= hold:
            cost = int(hold * share)
            self.leaves[leaf] = replace(
                held, room=held.room - cost, committed=held.committed + cost
            )
            self.settled += cost

    @invariant()
    def inv1_allowances_are_within_what_is_granted(self) -> None:
        check_allowances(self.parent, self.leaves, 100)
        assert sum(held.committed for held in self.leaves.values()) == self.settled <= 100

    @invariant()
    def nothing_is_lost_for_good(self) -> None:
        """Whatever is stranded now, repairing each leaf once finds all of it."""
        parent, kept = self.parent, dict(self.leaves)
        for leaf, held in kept.items():
            back = steps.unfinished_return(parent, self.pool, leaf, held)
            if back is not None:
                parent = parent.after(back) or parent
            onward = steps.unfinished_draw(parent, self.pool, leaf, held)
            if onward is not None:
                kept[leaf] = held.after(onward) or held
        assert check_allowances(parent, kept, 100) == 0

    def end_draw(self, step: Step) -> None:
        """Only what the parent granted under this number is drawn under it."""
        grant = self.parent.grant_in(self.pool.period, step.leaf)
        if (grant.drawn, grant.amount) == (step.number, step.amount):
            self.do_at_leaf(step)

    def do_at_parent(self, step: Step) -> None:
        self.parent = self.parent.after(step) or self.parent

    def do_at_leaf(self, step: Step) -> None:
        self.leaves[step.leaf] = self.leaves[step.leaf].after(step) or self.leaves[step.leaf]


TestEscrow = Escrow.TestCase

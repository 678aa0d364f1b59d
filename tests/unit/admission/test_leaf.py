"""Changes of a leaf that are refused; the rest is in the contract and stateful tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.admission import leaf as leaves
from forebay.admission.escrow import LeafPool
from forebay.admission.hold import MAX_LIFE_S
from forebay.admission.leaf import Leaf, Renewal, Settlement
from forebay.admission.renewal import first_leaf, renewal
from forebay.admission.terms import Ask, Terms
from tests.support.leaves import MONTH, NOW, SCOPE, entry, leaf, request_id


def test_a_hold_whose_slot_is_gone_cannot_be_settled() -> None:
    held = entry()
    broken = replace(leaf(), pools={}, holds={held.short_id: held.hold})
    assert leaves.settle(broken, Settlement(held.short_id, held.hold, 1)) is None


BEFORE = leaf(100)
CHANGE = Renewal(BEFORE, version=2, since=NOW, opened={"key.total": 5})


@pytest.mark.parametrize(
    "met",
    [
        replace(BEFORE, version=2),
        replace(BEFORE, since=NOW),
        replace(BEFORE, pools={"key.total": LeafPool(1)}),
    ],
    ids=["version", "period", "slot"],
)
def test_a_renewal_is_refused_where_somebody_was_faster(met: Leaf) -> None:
    assert leaves.renew(BEFORE, CHANGE) is not None
    assert leaves.renew(met, CHANGE) is None


def test_a_leaf_that_draws_from_parents_begins_with_nothing_and_keeps_what_it_has() -> None:
    terms = Terms(SCOPE, 1, float(NOW), 30)
    assert first_leaf(terms) == Leaf(SCOPE, 1, 0)
    changed = leaves.renew(BEFORE, renewal(BEFORE, replace(terms, version=2)))
    assert changed == replace(BEFORE, version=2)


@pytest.mark.parametrize(("ends_in_s", "life_s"), [(100, 160), (10**6, MAX_LIFE_S), (-500, 0)])
def test_a_hold_outlasts_its_request_by_a_minute_and_fits(ends_in_s: int, life_s: int) -> None:
    terms = Terms(SCOPE, 1, float(NOW), 30)
    made = terms.entry(Ask(request_id(1), 1, 0, NOW + ends_in_s), None)
    assert made.hold.expires_at == NOW + life_s


def test_what_a_leaf_lacks_is_short_in_full() -> None:
    terms = Terms(SCOPE, 1, float(NOW), 30)
    assert terms.shortage(entry(1, 30), replace(leaf(), pools={MONTH: LeafPool(8)})) == {MONTH: 22}
    assert terms.shortage(entry(1, 0), replace(leaf(), pools={})) == {MONTH: 0}
    assert terms.renews_at("team.parallel", leaf()) is None

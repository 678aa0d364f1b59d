"""Hedges are few, and never before it is late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.resilience.hedge import MAX_SAVED, MIN_HEDGE_S, HedgeBudget, hedge_after_s

SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("p95_s", "after_s"),
    [
        pytest.param(None, None, id="unknown: no hedge"),
        pytest.param(2.5, 2.5, id="the 95th percentile"),
        pytest.param(0.1, MIN_HEDGE_S, id="no earlier than a hedge can win"),
        pytest.param(0.0, MIN_HEDGE_S, id="nothing takes no time"),
    ],
)
def test_a_hedge_waits(p95_s: float | None, after_s: float | None) -> None:
    assert hedge_after_s(p95_s) == after_s


@given(SHARES, st.lists(st.booleans(), max_size=400), st.integers(0, 400))
def test_inv6_hedges_are_at_most_the_share_of_the_calls_and_what_was_saved(
    share: float, late: list[bool], since: int
) -> None:
    """Each call earns; each late one wants a hedge. It holds from any moment on, too."""
    budget, hedges, after_since = HedgeBudget(), 0, 0
    for call, is_late in enumerate(late):
        budget = budget.called(share)
        if is_late and (left := budget.spent()) is not None:
            budget, hedges = left, hedges + 1
            after_since += call >= since
        assert 0 <= budget.left <= MAX_SAVED

    assert hedges <= share * len(late) + 1e-6
    assert after_since <= share * max(0, len(late) - since) + MAX_SAVED + 1e-6


def test_ten_calls_at_a_tenth_earn_one_hedge() -> None:
    budget = HedgeBudget()
    for _ in range(9):
        budget = budget.called(0.1)
    assert budget.spent() is None

    budget = budget.called(0.1)

    assert budget.spent() is not None


def test_without_a_share_there_is_no_hedge() -> None:
    budget = HedgeBudget()
    for _ in range(1_000):
        budget = budget.called(0.0)

    assert budget.spent() is None


def test_what_is_spent_is_gone() -> None:
    spent = HedgeBudget(1.0).spent()

    assert spent is not None
    assert spent.spent() is None

"""A target that is down sees no storm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.resilience.credit import BURST, RetryCredit, earned


@given(st.lists(st.booleans(), max_size=300))
def test_inv6_retries_are_at_most_the_burst_and_a_tenth_of_the_successes(
    succeeds: list[bool],
) -> None:
    credit, retries, successes = RetryCredit(), 0, 0
    for success in succeeds:
        if success:
            credit, successes = credit.succeeded(), successes + 1
        elif (left := credit.spent()) is not None:
            credit, retries = left, retries + 1

    assert retries <= BURST + 0.1 * successes + 1e-6
    assert 0 <= credit.left <= BURST


def test_ten_successes_earn_one_retry() -> None:
    credit = RetryCredit(0.0)
    assert credit.spent() is None

    for _ in range(10):
        credit = credit.succeeded()

    assert credit.spent() is not None


@given(st.integers(0, 200), st.floats(0, BURST))
def test_successes_together_earn_what_they_earn_one_by_one(times: int, left: float) -> None:
    one_by_one = RetryCredit(left)
    for _ in range(times):
        one_by_one = one_by_one.succeeded()
    assert RetryCredit(left).succeeded(times).left == pytest.approx(one_by_one.left)


def test_what_is_earned_is_a_whole_number_of_tenths() -> None:
    assert [earned(successes) for successes in (0, 3, 10, 1000)] == [0.0, 0.3, 1.0, 100.0]

"""A target that is down sees no storm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.resilience.credit import BURST, RetryCredit


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

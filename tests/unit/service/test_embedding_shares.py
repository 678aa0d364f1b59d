"""How inputs are divided into calls, and a call's usage among its callers."""

import pytest

from forebay.dialects.embeddings import Limits
from forebay.service.embedding_shares import apportion, split

SHARES = {
    "even": (9, [1, 1, 1], [3, 3, 3]),
    "by weight": (10, [1, 4], [2, 8]),
    "a remainder, to the largest": (10, [2, 5], [3, 7]),
    "a remainder, to the first of equals": (10, [1, 1, 1], [4, 3, 3]),
    "less than callers": (1, [1, 1, 1], [1, 0, 0]),
    "nothing": (0, [3, 4], [0, 0]),
    "one caller": (7, [100], [7]),
    "no weight": (5, [0, 0], [3, 2]),
    "one without weight": (5, [0, 2], [0, 5]),
}


@pytest.mark.parametrize(("total", "weights", "shares"), SHARES.values(), ids=SHARES)
def test_a_total_is_divided_by_the_largest_remainder(
    total: int, weights: list[int], shares: list[int]
) -> None:
    assert apportion(total, weights) == shares


RUNS = {
    "all in one": ([5, 5], Limits(2, 10), [slice(0, 2)]),
    "too many": ([1, 1, 1], Limits(2, None), [slice(0, 2), slice(2, 3)]),
    "too long together": ([6, 5, 5], Limits(9, 10), [slice(0, 1), slice(1, 3)]),
    "too long alone": ([20, 1], Limits(9, 10), [slice(0, 1), slice(1, 2)]),
    "too long alone, later": ([1, 20, 1], Limits(9, 10), [slice(0, 1), slice(1, 2), slice(2, 3)]),
    "one by one": ([1, 1], Limits(1, None), [slice(0, 1), slice(1, 2)]),
}


@pytest.mark.parametrize(("sizes", "limits", "runs"), RUNS.values(), ids=RUNS)
def test_inputs_are_divided_in_their_order(
    sizes: list[int], limits: Limits, runs: list[slice]
) -> None:
    assert split(sizes, limits) == runs

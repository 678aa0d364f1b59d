"""Choice by weight alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


def weighted_choice(weights: Sequence[int], roll: float) -> int:
    """Return an index, each with the probability of its weight.

    Args:
        weights: At least one, each at least 1.
        roll: Uniform in [0, 1).
    """
    ends = list(accumulate(weights))
    return bisect_right(ends, roll * ends[-1], hi=len(ends) - 1)

"""Which target answers. Pure: the roll of the dice comes in as an argument."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate


def weighted_choice(weights: Sequence[int], roll: float) -> int:
    """Return an index, each with the probability of its weight.

    Args:
        weights: At least one, each at least 1.
        roll: Uniform in [0, 1).
    """
    ends = list(accumulate(weights))
    return bisect_right(ends, roll * ends[-1], hi=len(ends) - 1)


def weighted_order(weights: Sequence[int], roll: Callable[[], float]) -> list[int]:
    """Return all indices, each time choosing among those that are left.

    Args:
        weights: Each at least 1.
        roll: Uniform in [0, 1) at each call.
    """
    left = list(range(len(weights)))
    order: list[int] = []
    while left:
        order.append(left.pop(weighted_choice([weights[index] for index in left], roll())))
    return order

"""The dice come in from outside, so every roll can be tried."""

import pytest

from forebay.routing import weighted_choice

LAST_ROLL = 1 - 2**-53

ROLLS = {
    "one target, lowest roll": ([1], 0.0, 0),
    "one target, highest roll": ([7], LAST_ROLL, 0),
    "first half": ([1, 1], 0.4999, 0),
    "the middle belongs to the second": ([1, 1], 0.5, 1),
    "second half": ([1, 1], LAST_ROLL, 1),
    "three of four": ([3, 1], 0.7499, 0),
    "one of four": ([3, 1], 0.75, 1),
    "between": ([1, 2, 1], 0.25, 1),
    "three thirds, highest roll": ([1, 1, 1], LAST_ROLL, 2),
}


@pytest.mark.parametrize(("weights", "roll", "chosen"), ROLLS.values(), ids=ROLLS)
def test_a_roll_chooses_a_target(weights: list[int], roll: float, chosen: int) -> None:
    assert weighted_choice(weights, roll) == chosen


def test_each_target_has_the_share_of_its_weight() -> None:
    weights = [5, 1, 4]

    chosen = [weighted_choice(weights, roll / 1000) for roll in range(1000)]

    assert [chosen.count(index) for index in range(3)] == [500, 100, 400]

"""Shares follow weights and load, and nobody is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.routing import UNKNOWN, Load, order_by_load
from forebay.routing.power_of_two import MAX_REPLACED
from tests.support.targets import Fake, fakes, loads_of, shares

CALLS = 8_000
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def first_choices(weights: Sequence[int], loads: Sequence[Load], seed: int) -> list[int]:
    """Whom so many calls ask first, all under the same loads."""
    candidates, dice = fakes(*weights), Random(seed)  # noqa: S311 - repeatable
    load_of = loads_of(candidates, loads)
    return [order_by_load(candidates, load_of, dice.random)[0] for _ in range(CALLS)]


def chi_square(chosen: list[int], weights: Sequence[int]) -> float:
    expected = [len(chosen) * weight / sum(weights) for weight in weights]
    return sum((chosen.count(index) - count) ** 2 / count for index, count in enumerate(expected))


EQUAL_LOADS: dict[str, tuple[list[int], list[Load]]] = {
    "idle and unknown": ([5, 1, 4], [UNKNOWN] * 3),
    "idle and equally fast": ([5, 1, 4], [Load(0, 0.4)] * 3),
    "busy in proportion": ([5, 1, 4], [Load(10, 0.4), Load(2, 0.4), Load(8, 0.4)]),
    "one of them unknown": ([5, 1, 4], [Load(0, 0.4), Load(0, None), Load(0, 0.4)]),
    "two": ([3, 1], [UNKNOWN] * 2),
    "far apart": ([200, 1], [UNKNOWN] * 2),
}


@SEEDS
@pytest.mark.parametrize(("weights", "loads"), EQUAL_LOADS.values(), ids=EQUAL_LOADS)
def test_equal_loads_get_the_shares_of_their_weights(
    weights: list[int], loads: list[Load], seed: int
) -> None:
    chosen = first_choices(weights, loads, seed)

    # The 99.9 % quantiles of chi-square with one and two degrees of freedom are 10.8 and 13.8.
    assert chi_square(chosen, weights) < 10.8


@SEEDS
def test_a_difference_of_two_percent_hardly_moves_the_shares(seed: int) -> None:
    chosen = first_choices([3, 1], [Load(0, 0.408), Load(0, 0.4)], seed)

    assert 0.70 < shares(chosen, 2)[0] < 0.75


@SEEDS
def test_a_target_ten_times_as_slow_gets_little_but_not_nothing(seed: int) -> None:
    chosen = first_choices([1, 1], [Load(0, 4.0), Load(0, 0.4)], seed)

    assert 0 < shares(chosen, 2)[0] < 0.01


@SEEDS
def test_a_slow_target_among_many_gets_little_but_not_nothing(seed: int) -> None:
    loads = [Load(0, 4.0), *[Load(0, 0.4)] * 3]

    chosen = first_choices([1, 1, 1, 1], loads, seed)

    assert 0 < shares(chosen, 4)[0] < 0.01


@SEEDS
def test_calls_in_flight_send_others_elsewhere(seed: int) -> None:
    chosen = first_choices([1, 1], [Load(9, 0.4), Load(0, 0.4)], seed)

    assert 0 < shares(chosen, 2)[0] < 0.01


@SEEDS
def test_an_unknown_target_does_not_draw_all_calls(seed: int) -> None:
    busy_and_unknown, known = Load(9, None), Load(0, 0.4)

    chosen = first_choices([1, 1], [busy_and_unknown, known], seed)

    assert 0 < shares(chosen, 2)[0] < 0.01


ANY_LOAD = st.builds(
    Load,
    st.integers(0, 10_000),
    st.none() | st.floats(0, 1e6),
    st.booleans(),
)
ANY_TARGETS = st.lists(st.tuples(st.integers(1, 1_000_000), ANY_LOAD), max_size=6)


@given(ANY_TARGETS, st.randoms(use_true_random=False))
def test_each_target_comes_once_and_those_that_cool_down_come_last(
    targets: list[tuple[int, Load]], dice: Random
) -> None:
    candidates = fakes(*(weight for weight, _ in targets))
    loads = [load for _, load in targets]

    order = order_by_load(candidates, loads_of(candidates, loads), dice.random)

    assert sorted(order) == list(range(len(targets)))
    cooling = [loads[index].cooling for index in order]
    assert cooling == sorted(cooling)


@given(ANY_TARGETS.filter(bool), st.data())
def test_whatever_the_load_each_target_keeps_a_thousandth_of_its_draws(
    targets: list[tuple[int, Load]], data: st.DataObject
) -> None:
    weights = [weight for weight, _ in targets]
    candidates = fakes(*weights)
    loads = [Load(load.in_flight, load.first_token_s) for _, load in targets]
    own = data.draw(st.integers(0, len(targets) - 1))
    drawn = (sum(weights[:own]) + weights[own] / 2) / sum(weights)
    other = data.draw(st.floats(0, 1, exclude_max=True))
    rolls = chain([drawn, other, MAX_REPLACED], repeat(0.0))

    order = order_by_load(candidates, loads_of(candidates, loads), lambda: next(rolls))

    assert order[0] == own


def unevenness(seed: int, *, by_load: bool) -> float:
    """By how much the longest queue of four equal targets exceeds the shortest, on average."""
    dice, candidates = Random(seed), fakes(1, 1, 1, 1)  # noqa: S311 - repeatable
    in_flight, ends, total, now = [0] * 4, list[tuple[float, int]](), 0, 0.0

    def load_of(candidate: Fake) -> Load:
        return Load(in_flight[candidates.index(candidate)], 0.5) if by_load else UNKNOWN

    for _ in range(5_000):
        now += dice.expovariate(8.0)
        for end in [end for end in ends if end[0] <= now]:
            ends.remove(end)
            in_flight[end[1]] -= 1
        chosen = order_by_load(candidates, load_of, dice.random)[0]
        in_flight[chosen] += 1
        total += max(in_flight) - min(in_flight)
        ends.append((now + 2 + 0.2 * in_flight[chosen], chosen))
    return total / 5_000


@SEEDS
def test_queues_are_evener_than_by_weight_alone(seed: int) -> None:
    by_load, by_weight = unevenness(seed, by_load=True), unevenness(seed, by_load=False)

    print(f"queues differ by: {by_load:.1f} by load, {by_weight:.1f} by weight alone")
    assert by_load < 0.6 * by_weight

"""What hedges win, and what they may cost: the same world with and without them."""

from __future__ import annotations

import pytest

from tests.support.simulation.figures import Figures, percentile
from tests.support.simulation.instances import Mode
from tests.support.simulation.proof import each_seed, prove
from tests.support.simulation.scenarios import BROWN_OUT, SLOW_TAIL, Scenario

NOISE_S = 0.05
"""Stores take their time in another order."""

each_mode = pytest.mark.parametrize("mode", list(Mode))


def first_words(scenario: Scenario, figures: Figures) -> tuple[float, float]:
    """95th and 99th percentile of what callers of streams waited for the first word."""
    words = figures.first_words_s(scenario.trouble)
    return percentile(words, 0.95), percentile(words, 0.99)


@each_seed
def test_where_a_few_answers_are_late_hedges_trim_the_tail(seed: int) -> None:
    _, with_s = first_words(SLOW_TAIL, prove(SLOW_TAIL, Mode.MANY, seed))
    _, without_s = first_words(SLOW_TAIL, prove(SLOW_TAIL, Mode.MANY, seed, hedge=False))

    assert with_s <= without_s / 2, f"seed {seed}: {with_s:.2f} s and {without_s:.2f} s without"


@each_mode
@each_seed
def test_in_a_brown_out_hedges_keep_to_their_budget_and_make_nothing_worse(
    mode: Mode, seed: int
) -> None:
    hedged = prove(BROWN_OUT, mode, seed)
    with_s = first_words(BROWN_OUT, hedged)
    without_s = first_words(BROWN_OUT, prove(BROWN_OUT, mode, seed, hedge=False))

    assert hedged.hedge_share() <= 0.05
    worse_s = max(a - b for a, b in zip(with_s, without_s, strict=True))
    assert worse_s <= NOISE_S, f"seed {seed}: {with_s} and {without_s} without"

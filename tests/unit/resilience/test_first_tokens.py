"""How long targets take to say their first word."""

from __future__ import annotations

import pytest

from forebay.resilience.first_tokens import KEPT, NEEDED, FirstTokens


def after(times_s: list[float]) -> float | None:
    tokens = FirstTokens()
    for time_s in times_s:
        tokens.add(time_s)
    return tokens.p95_s


@pytest.mark.parametrize(
    ("times_s", "p95_s"),
    [
        pytest.param([], None, id="none"),
        pytest.param([1.0] * (NEEDED - 1), None, id="too few"),
        pytest.param([1.0] * NEEDED, 1.0, id="just enough"),
        pytest.param([float(time) for time in range(100, 0, -1)], 95.0, id="nearest rank"),
        pytest.param([1.0] * 19 + [9.0], 1.0, id="one odd of twenty"),
        pytest.param([1.0] * 18 + [9.0] * 2, 9.0, id="two odd of twenty"),
        pytest.param([9.0] * 500 + [1.0] * KEPT, 1.0, id="old ones are forgotten"),
    ],
)
def test_the_95th_percentile(times_s: list[float], p95_s: float | None) -> None:
    assert after(times_s) == p95_s

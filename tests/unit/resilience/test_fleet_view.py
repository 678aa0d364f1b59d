"""What is known of the targets, as a request sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.resilience.breaker import Breaker, BreakerState
from forebay.resilience.credit import BURST
from forebay.resilience.fleet_view import Figures, FleetSnapshot, FleetView

NOW = 1_800_000_000.0
OPEN = Breaker(BreakerState.OPEN, since=NOW, until=NOW + 5, version=3)
CLOSED = Breaker(since=NOW, version=4)


def test_a_target_that_nobody_knows_is_healthy() -> None:
    view = FleetView()
    assert not view.is_open("p/m", NOW)
    assert not view.probe_is_due("p/m", NOW)
    assert view.p95_first_token_s("p/m") is None
    assert view.credit("p/m") == BURST


def test_what_the_snapshot_says_is_known() -> None:
    view = FleetView(FleetSnapshot({"p/m": OPEN}, {"p/m": Figures(0.7, 2.5)}))
    assert view.is_open("p/m", NOW)
    assert view.is_open("p/m", NOW + 4.9)
    assert not view.is_open("p/m", NOW + 5)
    assert view.probe_is_due("p/m", NOW + 5)
    assert view.p95_first_token_s("p/m") == 0.7
    assert view.credit("p/m") == 2.5
    assert not view.is_open("p/other", NOW)


@pytest.mark.parametrize(
    ("shared", "own", "known"),
    [
        pytest.param(OPEN, CLOSED, CLOSED, id="own is later"),
        pytest.param(CLOSED, OPEN, CLOSED, id="the fleet's is later"),
        pytest.param(OPEN, replace(OPEN, until=NOW + 9), replace(OPEN, until=NOW + 9), id="alike"),
        pytest.param(None, OPEN, OPEN, id="own alone"),
        pytest.param(OPEN, None, OPEN, id="the fleet's alone"),
    ],
)
def test_of_two_states_the_later_one_counts(
    shared: Breaker | None, own: Breaker | None, known: Breaker
) -> None:
    view = FleetView(
        FleetSnapshot({} if shared is None else {"p/m": shared}),
        {} if own is None else {"p/m": own},
    )
    assert view.breaker("p/m") == known


def test_own_times_to_the_first_token_go_before_the_fleet_s() -> None:
    figures = {"p/m": Figures(0.7), "p/n": Figures(0.8)}
    view = FleetView(FleetSnapshot({}, figures), own_p95_s={"p/m": 0.2})
    assert view.p95_first_token_s("p/m") == 0.2
    assert view.p95_first_token_s("p/n") == 0.8

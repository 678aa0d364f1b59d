"""What one process knows of a target by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.model import AttemptRecord, AttemptResult
from forebay.resilience.breaker import Breaker, BreakerState
from forebay.resilience.window import Counts
from forebay.service.own_health import ALONE_S, TELL_EVERY_S, OwnHealth
from forebay.settings import BreakerSettings

NOW = 1_800_000_000.0
OPEN = Breaker(BreakerState.OPEN, since=NOW, until=NOW + 5, version=3)
CLOSED = Breaker(since=NOW, version=4)
FAULT = AttemptRecord("p/m", AttemptResult.FAILED)


def health() -> OwnHealth:
    return OwnHealth("p/m", BreakerSettings())


@pytest.mark.parametrize(
    ("known", "told"), [(OPEN, CLOSED), (CLOSED, OPEN)], ids=["in order", "overtaken"]
)
def test_of_the_records_that_it_sees_the_latest_counts(known: Breaker, told: Breaker) -> None:
    own = health()
    own.learn(known)
    own.learn(told)
    assert own.breaker == CLOSED


@pytest.mark.parametrize(
    ("shown_version", "kept"), [(2, OPEN), (3, None), (4, None)], ids=["older", "same", "newer"]
)
def test_what_the_snapshot_says_too_is_let_go(shown_version: int, kept: Breaker | None) -> None:
    own = health()
    own.learn(OPEN)
    own.learn_snapshot(replace(OPEN, version=shown_version), now=NOW)
    assert own.breaker == kept


@pytest.mark.parametrize(
    ("later_s", "holds"), [(0.0, True), (ALONE_S - 0.1, True), (ALONE_S, False)]
)
def test_what_it_concluded_alone_holds_until_the_fleet_can_know(
    later_s: float, *, holds: bool
) -> None:
    own = health()
    alone = replace(OPEN, version=9, since=NOW)
    own.lease(alone, stored=False)
    own.learn_snapshot(CLOSED, now=NOW + later_s)
    assert (own.breaker == alone) is holds


def test_what_it_decided_alone_ends_with_any_word_of_the_fleet() -> None:
    own = health()
    own.lease(replace(OPEN, version=9), stored=False)
    own.learn(CLOSED)
    assert own.breaker == CLOSED


def test_calls_that_went_well_are_told_with_the_next_that_did_not() -> None:
    own = health()
    own.ended(AttemptRecord("p/m", AttemptResult.COMPLETE), Breaker(), now=NOW)
    assert not own.has_news(NOW)
    own.ended(FAULT, Breaker(), now=NOW)
    assert own.has_news(NOW)
    (told,) = own.take_news(NOW).untold.values()
    assert told == Counts(2, 1)
    assert own.take_news(NOW).untold == {}


def test_what_is_too_old_to_count_is_not_told() -> None:
    own = health()
    own.ended(FAULT, Breaker(), now=NOW)
    own.ended(FAULT, Breaker(), now=NOW + 60)
    assert sum((each.faults for each in own.take_news(NOW + 60).untold.values()), 0) == 1


@pytest.mark.parametrize(
    ("after_s", "tells"),
    [(0, False), (TELL_EVERY_S - 0.001, False), (TELL_EVERY_S, True), (-1, True)],
    ids=["at once", "too soon", "a second later", "a clock set back"],
)
def test_it_tells_once_a_second(after_s: float, tells: bool) -> None:  # noqa: FBT001 - a table's column
    own = health()
    own.take_news(NOW)
    own.ended(FAULT, Breaker(), now=NOW)
    assert own.has_news(NOW + after_s) is tells


def test_an_attempt_that_went_well_does_not_open_it_whatever_went_before() -> None:
    own = health()
    whole = AttemptRecord("p/m", AttemptResult.COMPLETE)
    for attempt in (FAULT, FAULT, FAULT, whole, whole):  # of five, three are enough
        own.ended(attempt, Breaker(), now=NOW)
    assert own.breaker is None
    own.ended(FAULT, Breaker(), now=NOW)
    assert own.breaker is not None

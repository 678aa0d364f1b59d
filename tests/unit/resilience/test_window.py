"""What counts, and how far back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import AttemptRecord, AttemptResult
from forebay.resilience.window import (
    BUCKETS,
    Counts,
    added,
    bucket_of,
    counts_of,
    is_stale,
    total,
)
from forebay.settings import BreakerSettings

NOW = 1_800_000_000.0
SETTINGS = BreakerSettings(window_s=20, slow_first_token_s=15)
BUCKET = bucket_of(NOW, SETTINGS)
COUNTS = st.builds(Counts, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@pytest.mark.parametrize(
    ("result", "first_token_ms", "counts"),
    [
        (AttemptResult.COMPLETE, 14_000, Counts(1, 0, 0, 1)),
        (AttemptResult.COMPLETE, 15_000, Counts(1, 0, 0, 1)),
        (AttemptResult.COMPLETE, 15_001, Counts(1, 0, 1, 1)),
        (AttemptResult.COMPLETE, None, Counts(1, 0, 0)),
        (AttemptResult.FAILED, None, Counts(1, 1, 0)),
        (AttemptResult.CUT, 10, Counts(1, 1, 0, 1)),
        (AttemptResult.CUT, 20_000, Counts(1, 1, 1, 1)),
        (AttemptResult.LIMITED, None, None),
        (AttemptResult.REFUSED, None, None),
        (AttemptResult.ABANDONED, 20_000, None),
    ],
)
def test_what_an_attempt_counts(
    result: AttemptResult, first_token_ms: int | None, counts: Counts | None
) -> None:
    attempt = AttemptRecord("p/m", result, first_token_ms=first_token_ms)
    assert counts_of(attempt, SETTINGS) == counts


def test_every_end_of_an_attempt_is_decided_upon_here() -> None:
    decided = {
        result
        for result in AttemptResult
        if result.is_fault and counts_of(AttemptRecord("p/m", result), SETTINGS) is not None
    }
    assert decided == {AttemptResult.FAILED, AttemptResult.CUT}


def test_a_bucket_is_a_tenth_of_the_window() -> None:
    assert [bucket_of(NOW + after_s, SETTINGS) - BUCKET for after_s in (0, 1.999, 2, 19.999)] == [
        0,
        0,
        1,
        9,
    ]


@pytest.mark.parametrize(
    ("bucket", "counts"),
    [(-10, False), (-9, True), (0, True), (1, True), (2, False)],
    ids=["too old", "oldest", "now", "a clock ahead", "a clock far ahead"],
)
def test_what_lies_within_the_window_counts(bucket: int, counts: bool) -> None:  # noqa: FBT001 - a table's column
    assert (total({BUCKET + bucket: Counts(1)}, SETTINGS, now=NOW) == Counts(1)) is counts


def test_what_began_before_a_moment_does_not_count() -> None:
    window = {BUCKET - 1: Counts(1), BUCKET: Counts(2), BUCKET + 1: Counts(4)}
    assert total(window, SETTINGS, now=NOW, since=NOW) == Counts(6)
    assert total(window, SETTINGS, now=NOW, since=NOW + 0.001) == Counts(4)


@given(
    ends=st.lists(st.tuples(st.floats(0, 100), COUNTS)),
    at=st.floats(0, 100),
)
def test_a_window_sums_exactly_what_was_added_to_its_buckets(
    ends: list[tuple[float, Counts]], at: float
) -> None:
    window: dict[int, Counts] = {}
    expected = Counts()
    for after_s, counts in sorted(ends, key=lambda end: end[0]):
        if after_s <= at:
            window = added(window, bucket_of(NOW + after_s, SETTINGS), counts)
            if bucket_of(NOW + at, SETTINGS) - bucket_of(NOW + after_s, SETTINGS) < BUCKETS:
                expected += counts
    assert total(window, SETTINGS, now=NOW + at) == expected
    assert len(window) <= BUCKETS


@given(COUNTS, COUNTS)
def test_the_larger_of_two_sources_is_within_both_and_their_sum(one: Counts, other: Counts) -> None:
    largest, both = one.largest(other), one + other
    for name in ("calls", "faults", "slow"):
        assert getattr(largest, name) in {getattr(one, name), getattr(other, name)}
        assert getattr(one, name) <= getattr(largest, name) <= getattr(both, name)


def test_nothing_within_reach_is_stale() -> None:
    stale = [bucket for bucket in range(-50, 51) if is_stale(BUCKET + bucket, newest=BUCKET)]
    assert max(bucket for bucket in stale if bucket < 0) < -BUCKETS
    assert min(bucket for bucket in stale if bucket > 0) > BUCKETS

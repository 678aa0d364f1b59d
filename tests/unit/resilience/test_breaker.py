"""When a target is left alone, and how it is tried again."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import AttemptRecord, AttemptResult
from forebay.resilience.breaker import (
    PROBE_LEASE_S,
    TRANSITIONS,
    Breaker,
    BreakerEvent,
    BreakerRecord,
    BreakerState,
    evidence,
    judged,
    probe_event,
    step,
    too_many,
)
from forebay.resilience.window import BUCKETS, Counts, bucket_of
from forebay.settings import BreakerSettings

NOW = 1_800_000_000.0
SETTINGS = BreakerSettings()
BUCKET = bucket_of(NOW, SETTINGS)
CLOSED, OPEN, HALF_OPEN = BreakerState
TOO_MANY, LEASED, PASSED, FAILED, VOID = BreakerEvent

OPENED = Breaker(OPEN, since=NOW, until=NOW + 5, version=1)
PROBING = replace(OPENED, state=HALF_OPEN, probe_lease_until=NOW + 15, version=2)


def stepped(breaker: Breaker, event: BreakerEvent, now: float = NOW) -> Breaker:
    following = step(breaker, event, SETTINGS, now=now)
    assert following is not None
    return following


def record(told: Counts = Counts(), streamed: Counts = Counts()) -> BreakerRecord:  # noqa: B008 - frozen
    return BreakerRecord("p/m", told={BUCKET: told}, streamed={BUCKET: streamed})


@pytest.mark.parametrize(
    ("counts", "opens"),
    [
        pytest.param(Counts(4, 4), False, id="too few calls"),
        pytest.param(Counts(5, 5), True, id="all failed"),
        pytest.param(Counts(6, 3), True, id="just enough failed"),
        pytest.param(Counts(100, 49), False, id="not quite enough failed"),
        pytest.param(Counts(5, 0, 4, 5), True, id="just enough were slow"),
        pytest.param(Counts(100, 0, 79, 100), False, id="not quite enough were slow"),
        pytest.param(Counts(10, 4, 7, 10), False, id="faults and slow ones are not added up"),
        pytest.param(Counts(50, 0, 4, 5), True, id="whole answers are neither slow nor fast"),
        pytest.param(Counts(50, 0, 4, 4), False, id="too few had a first token"),
        pytest.param(Counts(1000), False, id="all went well"),
        pytest.param(Counts(), False, id="nothing"),
    ],
)
def test_when_evidence_is_enough(counts: Counts, opens: bool) -> None:  # noqa: FBT001 - a table's column
    assert too_many(counts, SETTINGS) is opens
    assert (judged(record(told=counts), SETTINGS, now=NOW) is not None) is opens
    assert (judged(record(streamed=counts), SETTINGS, now=NOW) is not None) is opens


@given(
    calls=st.integers(0, 200),
    share=st.floats(0, 1),
    slow_share=st.floats(0, 1),
    settings=st.builds(
        BreakerSettings,
        min_calls=st.integers(1, 50),
        failure_rate=st.floats(0.01, 1),
        slow_rate=st.floats(0.01, 1),
    ),
)
def test_it_opens_only_beyond_its_thresholds(
    calls: int, share: float, slow_share: float, settings: BreakerSettings
) -> None:
    counts = Counts(calls, round(calls * share), round(calls * slow_share), calls)
    beyond = calls >= settings.min_calls and (
        counts.faults / calls >= settings.failure_rate - 1e-9
        or counts.slow / calls >= settings.slow_rate - 1e-9
    )
    assert too_many(counts, settings) <= beyond


ATTEMPTS = st.lists(
    st.tuples(
        st.integers(-2 * BUCKETS, 1),  # bucket in which it is told
        st.integers(-1, 3),  # how many buckets later it is streamed under
        st.booleans(),  # a fault
        st.booleans(),  # told: only what fails is, and not always
        st.booleans(),  # streamed yet
    ),
    max_size=40,
)


@given(ATTEMPTS)
def test_no_attempt_is_counted_twice_whichever_way_it_comes(
    attempts: list[tuple[int, int, bool, bool, bool]],
) -> None:
    told: dict[int, Counts] = {}
    streamed: dict[int, Counts] = {}
    for bucket, later, fault, is_told, is_streamed in attempts:
        one = Counts(1, int(fault))
        if is_told:
            told[BUCKET + bucket] = told.get(BUCKET + bucket, Counts()) + one
        if is_streamed:
            under = BUCKET + bucket + later
            streamed[under] = streamed.get(under, Counts()) + one

    counts = evidence(BreakerRecord("p/m", told=told, streamed=streamed), SETTINGS, now=NOW)

    known = [attempt for attempt in attempts if attempt[3] or attempt[4]]
    assert counts.calls <= len(known)
    assert counts.faults <= sum(attempt[2] for attempt in known)


def test_what_was_told_and_streamed_is_the_same_thing() -> None:
    assert evidence(record(Counts(5, 5), Counts(20, 4, 1)), SETTINGS, now=NOW) == Counts(20, 5, 1)


def test_one_that_closed_starts_with_an_empty_window() -> None:
    before = {BUCKET - 1: Counts(50, 50), BUCKET: Counts(50, 50)}
    closed = stepped(PROBING, PASSED, now=NOW + 1)
    fresh = BreakerRecord("p/m", closed, told=before, streamed=before)
    assert evidence(fresh, SETTINGS, now=NOW + 1) == Counts()
    assert judged(fresh, SETTINGS, now=NOW + 1) is None


@pytest.mark.parametrize("breaker", [OPENED, PROBING], ids=["open", "half-open"])
def test_one_that_is_not_closed_is_not_opened_by_further_faults(breaker: Breaker) -> None:
    flooded = replace(record(told=Counts(99, 99)), breaker=replace(breaker, since=0))
    assert judged(flooded, SETTINGS, now=NOW) is None


@pytest.mark.parametrize(
    ("breaker", "event", "state"),
    [
        (Breaker(), TOO_MANY, OPEN),
        (replace(OPENED, until=NOW), LEASED, HALF_OPEN),
        (replace(PROBING, probe_lease_until=NOW), LEASED, HALF_OPEN),
        (PROBING, PASSED, CLOSED),
        (PROBING, FAILED, OPEN),
        (PROBING, VOID, HALF_OPEN),
    ],
)
def test_each_transition(breaker: Breaker, event: BreakerEvent, state: BreakerState) -> None:
    following = stepped(breaker, event)
    assert following.state is state
    assert following.since == NOW
    assert following.version == breaker.version + 1


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in product(BreakerState, BreakerEvent) if pair not in TRANSITIONS],
)
def test_any_other_event_changes_nothing(state: BreakerState, event: BreakerEvent) -> None:
    assert step(Breaker(state), event, SETTINGS, now=NOW) is None


def test_a_probe_is_leased_only_when_it_is_due() -> None:
    assert step(OPENED, LEASED, SETTINGS, now=NOW + 4.999) is None
    assert step(PROBING, LEASED, SETTINGS, now=NOW + 14.999) is None
    assert stepped(OPENED, LEASED, now=NOW + 5).probe_lease_until == NOW + 5 + PROBE_LEASE_S


def test_it_stays_open_longer_with_each_probe_that_fails_up_to_the_longest() -> None:
    settings = BreakerSettings(open_s=1, max_open_s=6)
    breaker = step(Breaker(), TOO_MANY, settings, now=NOW)
    lengths_s = []
    for _ in range(5):
        assert breaker is not None
        lengths_s.append(breaker.until - breaker.since)
        leased = step(breaker, LEASED, settings, now=breaker.until)
        assert leased is not None
        breaker = step(leased, FAILED, settings, now=breaker.until)
    assert lengths_s == [1, 2, 4, 6, 6]


def test_years_of_failed_probes_overflow_nothing() -> None:
    worn = replace(PROBING, reopenings=10**6)
    assert stepped(worn, FAILED).until == NOW + SETTINGS.max_open_s


def test_after_a_good_probe_it_opens_as_briefly_as_the_first_time() -> None:
    closed = stepped(replace(PROBING, reopenings=7), PASSED)
    again = stepped(closed, TOO_MANY)
    assert again.until == NOW + SETTINGS.open_s


@pytest.mark.parametrize(
    ("breaker", "blocks_s", "due_s"),
    [(Breaker(), None, None), (OPENED, 5, 5), (PROBING, 15, 15)],
    ids=["closed", "open", "half-open"],
)
def test_it_blocks_until_a_probe_is_due(
    breaker: Breaker, blocks_s: float | None, due_s: float | None
) -> None:
    times = [0, 4.999, 5, 14.999, 15, 1000]
    assert [breaker.blocks(NOW + at) for at in times] == [at < (blocks_s or 0) for at in times]
    assert [breaker.probe_is_due(NOW + at) for at in times] == [
        due_s is not None and at >= due_s for at in times
    ]


@pytest.mark.parametrize(
    ("result", "first_token_ms", "event"),
    [
        (AttemptResult.COMPLETE, 100, PASSED),
        (AttemptResult.COMPLETE, 15_001, FAILED),
        (AttemptResult.FAILED, None, FAILED),
        (AttemptResult.CUT, 100, FAILED),
        (AttemptResult.LIMITED, None, VOID),
        (AttemptResult.REFUSED, None, VOID),
        (AttemptResult.ABANDONED, None, VOID),
    ],
)
def test_what_the_end_of_a_probe_means(
    result: AttemptResult, first_token_ms: int | None, event: BreakerEvent
) -> None:
    assert probe_event(AttemptRecord("p/m", result, None, first_token_ms), SETTINGS) is event


def test_a_probe_that_said_nothing_gives_the_next_caller_the_lease_at_once() -> None:
    released = stepped(PROBING, VOID, now=NOW + 1)
    assert not released.blocks(NOW + 1)
    assert stepped(released, LEASED, now=NOW + 1).blocks(NOW + 1)


def test_with_the_defaults_a_provider_that_is_back_is_tried_within_10_s() -> None:
    """Whenever it comes back, whatever failed before: at worst a probe has just failed or hung."""
    just_failed = stepped(replace(PROBING, reopenings=50), FAILED)
    hangs = stepped(replace(OPENED, until=NOW), LEASED)
    for breaker in (just_failed, hangs):
        assert breaker.probe_is_due(NOW + 10)


CALLERS = st.lists(
    st.tuples(
        st.floats(0, 7),  # seconds since the last
        st.sampled_from(["ask", "pass", "fail", "void", "die"]),
    ),
    max_size=60,
)


@given(CALLERS)
def test_at_most_one_probe_runs_within_its_lease(events: list[tuple[float, str]]) -> None:
    """Any number of callers with one record: what `step` allows is one lease at a time."""
    breaker, now = OPENED, NOW
    lease_until: float | None = None
    for after_s, what in events:
        now += after_s
        if what == "ask":
            leased = step(breaker, LEASED, SETTINGS, now=now)
            if leased is not None:
                assert lease_until is None or now >= lease_until
                assert now >= breaker.until
                breaker, lease_until = leased, leased.probe_lease_until
        elif lease_until is not None:
            event = {"pass": PASSED, "fail": FAILED, "void": VOID}.get(what)
            ended = event and step(breaker, event, SETTINGS, now=now)
            breaker, lease_until = (ended, None) if ended else (breaker, lease_until)
            if what == "pass":
                assert breaker.state is CLOSED
                return

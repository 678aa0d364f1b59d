"""What rows of the ledger say of the targets' health."""

import pytest

from forebay.model import AttemptResult
from forebay.resilience.window import Counts, bucket_of
from forebay.service.health_windows import news_by_target
from forebay.settings import BreakerSettings
from tests.support.ledger_rows import NOW, TARGET, attempt, row

SETTINGS = BreakerSettings(window_s=20, slow_first_token_s=15.0)
BUCKET = bucket_of(NOW, SETTINGS)


@pytest.mark.parametrize(
    ("result", "counts"),
    [
        (AttemptResult.COMPLETE, Counts(1, 0, 0, 1)),
        (AttemptResult.FAILED, Counts(1, 1, 0, 1)),
        (AttemptResult.CUT, Counts(1, 1, 0, 1)),
    ],
    ids=str,
)
def test_an_attempt_counts_by_how_it_ended(result: AttemptResult, counts: Counts) -> None:
    news = news_by_target([row(attempt(result))], SETTINGS, now=NOW)
    assert news[TARGET].window == {BUCKET: counts}


@pytest.mark.parametrize(
    "result", [AttemptResult.LIMITED, AttemptResult.REFUSED, AttemptResult.ABANDONED], ids=str
)
def test_what_says_nothing_of_the_target_is_in_no_window(result: AttemptResult) -> None:
    news = news_by_target([row(attempt(result))], SETTINGS, now=NOW)
    assert (news[TARGET].window, news[TARGET].successes) == ({}, 0)


def test_a_late_first_token_is_slow() -> None:
    news = news_by_target([row(attempt(first_token_ms=15_001))], SETTINGS, now=NOW)
    assert news[TARGET].window == {BUCKET: Counts(1, 0, 1, 1)}


def test_all_attempts_of_a_row_count_each_for_its_target() -> None:
    asked = row(attempt(AttemptResult.FAILED, target="bad/model"), attempt())
    news = news_by_target([asked], SETTINGS, now=NOW)
    assert {target: each.window[BUCKET] for target, each in news.items()} == {
        "bad/model": Counts(1, 1, 0, 1),
        TARGET: Counts(1, 0, 0, 1),
    }


def test_an_attempt_counts_when_its_request_ended() -> None:
    rows = [row(attempt(), ended_at=NOW, duration_ms=7_000), row(attempt(), ended_at=NOW - 4)]
    news = news_by_target(rows, SETTINGS, now=NOW)
    assert news[TARGET].window == {BUCKET: Counts(1, spoke=1), BUCKET - 2: Counts(1, spoke=1)}


def test_rows_may_come_in_any_order() -> None:
    rows = [row(attempt(first_token_ms=second), ended_at=NOW - second) for second in range(8)]
    assert news_by_target(rows, SETTINGS, now=NOW) == news_by_target(rows[::-1], SETTINGS, now=NOW)


def test_what_ended_out_of_the_windows_reach_is_in_no_bucket() -> None:
    news = news_by_target([row(attempt(), ended_at=NOW - 25)], SETTINGS, now=NOW)
    assert (news[TARGET].window, news[TARGET].successes) == ({}, 1)


def test_whole_answers_and_first_tokens_are_told() -> None:
    rows = [
        row(attempt(first_token_ms=300), ended_at=NOW),
        row(attempt(AttemptResult.CUT, first_token_ms=250), ended_at=NOW - 1),
        row(attempt(AttemptResult.FAILED, first_token_ms=None), ended_at=NOW - 2),
    ]
    news = news_by_target(rows, SETTINGS, now=NOW)[TARGET]
    assert (news.successes, news.first_tokens_s) == (1, (0.25, 0.3))


def test_rows_without_attempts_say_nothing() -> None:
    assert news_by_target([row()], SETTINGS, now=NOW) == {}

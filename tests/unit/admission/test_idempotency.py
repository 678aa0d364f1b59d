"""What an `Idempotency-Key` may be, whose it is, and what a repeated request gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.admission.idempotency import (
    LEASE_MARGIN_S,
    LONGEST_RUN_S,
    MAX_RETRY_AFTER_S,
    RunRecord,
    check_key,
    check_repeat,
    lease_until,
    record_id,
    retry_after_s,
)
from forebay.errors import IdempotencyKeyInUse, IdempotencyKeyReused, InvalidRequest

RUNNING = RunRecord("idem#t#k#0", "digest", "run", began_at=1_000.0, expires_at=1_900.0)
OURS = {"tenant": "t", "key_id": "k", "path": "/v1/messages", "key": "a"}


@pytest.mark.parametrize("key", ["a", " ", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_a_key_is_printable_ascii(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "a" * 256, "\n", "a\n", "a\x00", "a\x7f", "ü", "\u2028"])
def test_any_other_key_is_refused_by_the_header_s_name(key: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        check_key(key)


@pytest.mark.parametrize("changed", ["tenant", "key_id", "path", "key"])
def test_inv5_a_key_is_its_sender_s_own_and_holds_for_one_path(changed: str) -> None:
    assert record_id(**{**OURS, changed: "other"}) != record_id(**OURS)


def test_a_record_s_name_does_not_tell_the_key() -> None:
    assert "canary" not in record_id(**{**OURS, "key": "canary"})


def test_where_the_path_ends_and_the_key_begins_is_not_to_be_confused() -> None:
    apart = [record_id(**{**OURS, "path": path, "key": key}) for path, key in ("ab", "ba")]
    together = [
        record_id(**{**OURS, "path": path, "key": key})
        for path, key in (("/a", "b c"), ("/ab", "c"))
    ]
    assert len({*apart, *together}) == 4


@pytest.mark.parametrize(
    ("ends_at", "until"),
    [(1_060.0, 1_060.0 + LEASE_MARGIN_S), (None, 1_000.0 + LONGEST_RUN_S + LEASE_MARGIN_S)],
    ids=["with its invocation", "nobody says when"],
)
def test_a_run_s_lease_ends_soon_after_it_must(ends_at: float | None, until: float) -> None:
    assert lease_until(now=1_000.0, ends_at=ends_at) == until


def test_a_completed_run_s_answer_is_there_for_the_same_question() -> None:
    check_repeat(replace(RUNNING, parts=1), digest="digest", now=1_001.0)


@pytest.mark.parametrize("parts", [0, 1], ids=["running", "completed"])
def test_another_question_is_refused_whether_the_first_runs_or_ran(parts: int) -> None:
    with pytest.raises(IdempotencyKeyReused):
        check_repeat(replace(RUNNING, parts=parts), digest="another", now=1_001.0)


def test_who_repeats_a_running_request_is_told_to_wait() -> None:
    with pytest.raises(IdempotencyKeyInUse) as caught:
        check_repeat(RUNNING, digest="digest", now=1_004.0)
    assert caught.value.retry_after_s == 4.0


@pytest.mark.parametrize(
    ("now", "wait_s"),
    [
        (1_000.0, 1.0),
        (999.0, 1.0),
        (1_001.5, 1.5),
        (1_020.0, 20.0),
        (1_500.0, MAX_RETRY_AFTER_S),
        (1_880.0, 20.0),
        (1_899.9, 1.0),
    ],
    ids=["at once", "clocks differ", "young", "older", "old", "near its end", "at its end"],
)
def test_it_is_worth_asking_again_after_as_long_as_it_has_run(now: float, wait_s: float) -> None:
    assert retry_after_s(RUNNING, now=now) == wait_s

"""What rows of the ledger say of the targets' health. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from forebay.model import AttemptRecord, AttemptResult, LedgerRow
from forebay.resilience.window import BUCKETS, Window, added, bucket_of, counts_of
from forebay.settings import BreakerSettings


@dataclass(frozen=True, slots=True)
class TargetNews:
    """What some rows say of one target."""

    window: Window
    """Its attempts by the bucket in which they ended."""
    successes: int
    """Whole answers, also where the row is too old for the window."""
    first_tokens_s: tuple[float, ...]
    """Times to the first token, oldest row first."""


def news_by_target(
    rows: Iterable[LedgerRow], settings: BreakerSettings, *, now: float
) -> dict[str, TargetNews]:
    """Count the attempts of rows by target and bucket of time.

    Each counts when it ended, which may be long before its request did. Attempts out of reach
    of the window (rows that come late, after an outage) are in no bucket.

    Args:
        rows: In any order.
        settings: Say how long a bucket is, and what is slow.
        now: Epoch seconds.
    """
    windows: defaultdict[str, Window] = defaultdict(dict)
    successes: defaultdict[str, int] = defaultdict(int)
    first_tokens_s: defaultdict[str, list[float]] = defaultdict(list)
    oldest = bucket_of(now, settings) - BUCKETS
    for row in sorted(rows, key=_ended_at):
        for attempt in row.attempts:
            bucket = bucket_of(_attempt_ended_at(attempt, row), settings)
            counts = counts_of(attempt, settings)
            if counts is not None and bucket > oldest:
                windows[attempt.target] = added(windows[attempt.target], bucket, counts)
            if attempt.first_token_ms is not None:
                first_tokens_s[attempt.target].append(attempt.first_token_ms / 1000)
            successes[attempt.target] += attempt.result is AttemptResult.COMPLETE
    return {
        target: TargetNews(windows[target], count, tuple(first_tokens_s[target]))
        for target, count in successes.items()
    }


def _attempt_ended_at(attempt: AttemptRecord, row: LedgerRow) -> float:
    ended_ms = row.duration_ms if attempt.ended_ms is None else attempt.ended_ms
    return row.created_at + ended_ms / 1000


def _ended_at(row: LedgerRow) -> float:
    return row.created_at + row.duration_ms / 1000

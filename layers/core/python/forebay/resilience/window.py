"""What counts for or against a target, and how far back.

Attempts are counted in buckets of time, a tenth of the window each. Two sources count the same
attempts: *told* are the counts that processes report at once, when one of theirs has failed or was
slow; *streamed* are those that the ledger's stream brings, all of them, one or two seconds later.
Neither counts an attempt twice by itself, so what counts is the larger of the two sums: never more
than there was.

The larger sum of the whole window, not of each bucket: an attempt is told when it ends and streamed
under a time read from its request's row, so the two may lie in neighbouring buckets, and the sum of
the larger buckets would hold it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from forebay.model import AttemptRecord, AttemptResult
from forebay.settings import BreakerSettings

BUCKETS = 10
"""Parts of a window. More would follow time more closely, and make the items larger."""

COUNTED = frozenset({AttemptResult.COMPLETE, AttemptResult.FAILED, AttemptResult.CUT})
"""Ends that say something of the target's health. A refused or limited request is the caller's
doing, or the key's; an abandoned one has no end."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Attempts that ended."""

    calls: int = 0
    faults: int = 0
    """Of those, failed or cut."""
    slow: int = 0
    """Of those, with a first token that came late."""
    spoke: int = 0
    """Of those, with a first token that was timed: an answer in one piece has none."""

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.calls + other.calls,
            self.faults + other.faults,
            self.slow + other.slow,
            self.spoke + other.spoke,
        )

    def largest(self, other: Counts) -> Counts:
        """The larger of each: two sources that count the same attempts."""
        return Counts(
            max(self.calls, other.calls),
            max(self.faults, other.faults),
            max(self.slow, other.slow),
            max(self.spoke, other.spoke),
        )

    @property
    def is_evidence(self) -> bool:
        """Whether it speaks against the target."""
        return self.faults > 0 or self.slow > 0


Window = Mapping[int, Counts]
"""Counts by bucket; see `bucket_of`."""


def bucket_s(settings: BreakerSettings) -> float:
    """Length of a bucket in seconds."""
    return settings.window_s / BUCKETS


def bucket_of(at: float, settings: BreakerSettings) -> int:
    """Return the number of the bucket that an attempt counts in which ended at this time.

    Args:
        at: Epoch seconds.
        settings: Whose window; with another one, buckets have other numbers.
    """
    return int(at // bucket_s(settings))


def counts_of(attempt: AttemptRecord, settings: BreakerSettings) -> Counts | None:
    """Return what an attempt counts; None if it says nothing of the target."""
    if attempt.result not in COUNTED:
        return None
    first_ms = attempt.first_token_ms
    late = first_ms is not None and first_ms > settings.slow_first_token_s * 1000
    return Counts(1, int(attempt.result.is_fault), int(late), int(first_ms is not None))


def total(window: Window, settings: BreakerSettings, *, now: float, since: float = 0.0) -> Counts:
    """Sum what lies within the window.

    A bucket that began before `since` is left out whole. One bucket of the future counts too:
    clocks of different machines are not the same to the second.

    Args:
        window: One source's counts.
        settings: Say how far back.
        now: Epoch seconds.
        since: Epoch seconds before which nothing counts.
    """
    last = bucket_of(now, settings)
    length_s = bucket_s(settings)
    return _sum(
        counts
        for bucket, counts in window.items()
        if last - BUCKETS < bucket <= last + 1 and bucket * length_s >= since
    )


def is_stale(bucket: int, *, newest: int) -> bool:
    """Whether a store may drop a bucket once it has seen this one.

    Both ways, and with room for clocks that differ: a window of another length numbers its buckets
    otherwise, and those of the old numbers must go, too.
    """
    return abs(newest - bucket) > 2 * BUCKETS


def _sum(parts: Iterable[Counts]) -> Counts:
    whole = Counts()
    for counts in parts:
        whole += counts
    return whole


def added(window: Window, bucket: int, counts: Counts) -> dict[int, Counts]:
    """Return the window with these counts in that bucket, without buckets out of reach of it."""
    kept = {each: held for each, held in window.items() if each > bucket - BUCKETS}
    kept[bucket] = kept.get(bucket, Counts()) + counts
    return kept

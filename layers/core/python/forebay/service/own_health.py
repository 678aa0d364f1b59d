"""What one process knows of one target by itself: it counts at once, the fleet a moment later."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.model import AttemptRecord, AttemptResult
from forebay.resilience.breaker import Breaker, BreakerRecord, judged, probe_event, step
from forebay.resilience.credit import RetryCredit
from forebay.resilience.first_tokens import FirstTokens
from forebay.resilience.window import Counts, Window, added, bucket_of, counts_of
from forebay.settings import BreakerSettings

TELL_EVERY_S = 1.0
"""Between two reports of a process on a target, in wall time."""


ALONE_S = 3.0
"""For so long a process goes by what it concluded alone: a report and a snapshot take 2 s."""


@dataclass(frozen=True, slots=True)
class News:
    """What a process has to tell of a target."""

    probed: Breaker | None
    """The state that its probe led to."""
    untold: Window
    """Its attempts since the last report; empty if nothing speaks against the target."""


class OwnHealth:
    """One process's knowledge of a target; no I/O.

    Args:
        target: `provider/model`.
        settings: When its breaker opens.
    """

    def __init__(self, target: str, settings: BreakerSettings) -> None:
        self.target = target
        self.credit = RetryCredit()
        """What stands in for the fleet's credit while the store is down."""
        self.first_tokens = FirstTokens()
        self.breaker: Breaker | None = None
        """The latest state that this process made or saw; None: it knows the snapshot's alone."""
        self.unpublished: BreakerRecord | None = None
        """What should be in the snapshot and is not, as far as is known."""
        self._settings = settings
        self._window: Window = {}
        self._untold: Window = {}
        self._told_at = 0.0
        self._lease: Breaker | None = None
        self._probed: Breaker | None = None
        self._is_fleets = False

    def ended(self, attempt: AttemptRecord, shared: Breaker, *, now: float) -> None:
        """Note how an attempt ended.

        Args:
            attempt: The attempt.
            shared: The breaker as it is known.
            now: Epoch seconds.
        """
        if attempt.first_token_ms is not None:
            self.first_tokens.add(attempt.first_token_ms / 1000)
        if attempt.result is AttemptResult.COMPLETE:
            self.credit = self.credit.succeeded()
        counts = self._count(attempt, now)
        if self._lease is None:
            if counts is not None and counts.is_evidence:
                self._judge(shared, now)
        elif _began_at(attempt, now) >= self._lease.since:
            self._end_probe(self._lease, attempt, now)

    def learn(self, breaker: Breaker) -> None:
        """Take over what the fleet's record says."""
        if self.breaker is None or not self._is_fleets or breaker.version >= self.breaker.version:
            self.breaker, self._is_fleets = breaker, True

    def learn_snapshot(self, breaker: Breaker, *, now: float) -> None:
        """Let go of what a newer snapshot says as well or better.

        What this process concluded alone holds for a moment without it: the fleet may just not
        know yet.
        """
        own = self.breaker
        if own is None:
            return
        overruled = not self._is_fleets and not 0 <= now - own.since < ALONE_S
        if overruled or breaker.version >= own.version:
            self.breaker = None

    def lease(self, breaker: Breaker, *, stored: bool) -> None:
        """Note that this process probes; unless `stored`, nobody else knows."""
        self.breaker, self._is_fleets, self._lease = breaker, stored, breaker

    def has_news(self, now: float) -> bool:
        """Whether something should be written now."""
        if self._probed is not None:
            return True
        due = not 0 <= now - self._told_at < TELL_EVERY_S  # a clock set back proves nothing
        return due and (self.unpublished is not None or self._has_evidence())

    def take_news(self, now: float) -> News:
        """Return what is to be written, once.

        Calls that went well wait for the next that did not: alone they are no news.
        """
        self._told_at = now
        probed, self._probed = self._probed, None
        if not self._has_evidence():
            return News(probed, {})
        untold, self._untold = self._untold, {}
        return News(probed, untold)

    def _has_evidence(self) -> bool:
        return any(counts.is_evidence for counts in self._untold.values())

    def _count(self, attempt: AttemptRecord, now: float) -> Counts | None:
        counts = counts_of(attempt, self._settings)
        if counts is not None:
            bucket = bucket_of(now, self._settings)
            self._window = added(self._window, bucket, counts)
            self._untold = added(self._untold, bucket, counts)
        return counts

    def _end_probe(self, lease: Breaker, attempt: AttemptRecord, now: float) -> None:
        event = probe_event(attempt, self._settings)
        self._probed = step(lease, event, self._settings, now=now)
        self._lease, self.breaker, self._is_fleets = None, self._probed, False

    def _judge(self, shared: Breaker, now: float) -> None:
        """Open for this process, on its own evidence, until the fleet's record says otherwise.

        Asked only when an attempt speaks against the target: after one that went well, what is
        left of older faults must not close the door on a target that is back.
        """
        record = BreakerRecord(self.target, shared, told=self._window)
        opened = judged(record, self._settings, now=now)
        if opened is not None:
            self.breaker, self._is_fleets = opened, False


def _began_at(attempt: AttemptRecord, now: float) -> float:
    """When an attempt that ends now began: one from before a probe is not the probe."""
    if attempt.ended_ms is None:
        return now
    return now - (attempt.ended_ms - attempt.began_ms) / 1000

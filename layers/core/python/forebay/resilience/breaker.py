"""When a target is left alone, and how it is tried again.

::

    closed --too many faults, or too many late--> open --time is up--> half-open (one probe)
      ^                                            ^                      |  ^  |
      |                                            +-----the probe fails--+  |  |
      +------------------------------------------------the probe answers-----|--+
                                                       no end in time: another probe

*Open* lasts `open_s`, doubled with each probe that fails, up to `max_open_s`. *Half-open* is one
caller's lease: only that caller may try. A caller that dies with the lease blocks nobody for longer
than `PROBE_LEASE_S`. So with the defaults a provider that is back is tried at most 10 s later.

States change by `step` alone, which counts the changes: of two states of a target, the one with the
higher version is the later one, wherever they were read. A store keeps a new state only if it is
the very next version, so of several writers one wins.

Source: M. Nygard, Release It!, 2nd edition, chapter 5, "Circuit Breaker".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from forebay.model import AttemptRecord
from forebay.resilience.credit import BURST
from forebay.resilience.window import Counts, Window, counts_of, total
from forebay.settings import BreakerSettings

PROBE_LEASE_S = 10.0
"""How long one probe keeps others from probing."""


class BreakerState(StrEnum):
    """Whether a target is asked."""

    CLOSED = "closed"
    """It is."""
    OPEN = "open"
    """It is not."""
    HALF_OPEN = "half_open"
    """By one caller, to see."""


class BreakerEvent(StrEnum):
    """What a breaker is told."""

    TOO_MANY = "too_many"
    """Faults or late first tokens reached their share."""
    PROBE_LEASED = "probe_leased"
    """A caller wants to try."""
    PROBE_PASSED = "probe_passed"
    PROBE_FAILED = "probe_failed"
    PROBE_VOID = "probe_void"
    """The probe said nothing of the target's health: refused, limited or abandoned."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One target's state, the same for the whole fleet."""

    state: BreakerState = BreakerState.CLOSED
    since: float = 0.0
    """When this state began, epoch seconds. Closed: what counted before does not count any more."""
    until: float = 0.0
    """Open: when a probe is due, epoch seconds."""
    probe_lease_until: float = 0.0
    """Half-open: when another probe is due, epoch seconds."""
    reopenings: int = 0
    """Probes that failed since it opened."""
    version: int = 0
    """Counts the changes; 0: none ever."""

    def blocks(self, now: float) -> bool:
        """Whether nobody but the holder of a probe's lease may ask the target now."""
        return now < self._due

    def probe_is_due(self, now: float) -> bool:
        """Whether the next caller should try, once it has the lease."""
        return self.state is not BreakerState.CLOSED and now >= self._due

    @property
    def _due(self) -> float:
        if self.state is BreakerState.CLOSED:
            return 0.0
        return self.until if self.state is BreakerState.OPEN else self.probe_lease_until


@dataclass(frozen=True, slots=True)
class BreakerRecord:
    """All that the fleet knows of a target."""

    target: str
    """`provider/model`."""
    breaker: Breaker = Breaker()
    told: Window = field(default_factory=dict)
    """What processes reported at once."""
    streamed: Window = field(default_factory=dict)
    """What the ledger's stream brought."""
    credit: float = BURST
    """Further attempts that may be asked of it; see `credit`."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What came of storing a state."""

    won: bool
    """Whether it was stored; else another writer was faster."""
    record: BreakerRecord
    """As it is now, either way."""


def evidence(record: BreakerRecord, settings: BreakerSettings, *, now: float) -> Counts:
    """Return what counts now: the attempts in the window, each once."""
    since = record.breaker.since
    told = total(record.told, settings, now=now, since=since)
    return told.largest(total(record.streamed, settings, now=now, since=since))


def too_many(counts: Counts, settings: BreakerSettings) -> bool:
    """Whether the evidence is enough to leave the target alone."""
    failing = counts.faults >= settings.failure_rate * counts.calls
    late = counts.slow >= settings.slow_rate * counts.spoke
    return (counts.calls >= settings.min_calls and failing) or (
        counts.spoke >= settings.min_calls and late
    )


def judged(record: BreakerRecord, settings: BreakerSettings, *, now: float) -> Breaker | None:
    """Return the open breaker if a closed one should open now; else None."""
    if not too_many(evidence(record, settings, now=now), settings):
        return None
    return step(record.breaker, BreakerEvent.TOO_MANY, settings, now=now)


def probe_event(attempt: AttemptRecord, settings: BreakerSettings) -> BreakerEvent:
    """Return what the end of a probe means."""
    counts = counts_of(attempt, settings)
    if counts is None:
        return BreakerEvent.PROBE_VOID
    return BreakerEvent.PROBE_FAILED if counts.is_evidence else BreakerEvent.PROBE_PASSED


def step(
    breaker: Breaker, event: BreakerEvent, settings: BreakerSettings, *, now: float
) -> Breaker | None:
    """Return the state after an event; None if the event changes nothing.

    Args:
        breaker: The state now.
        event: What happened.
        settings: For how long it opens.
        now: Epoch seconds.
    """
    change = TRANSITIONS.get((breaker.state, event))
    if change is None or (event is BreakerEvent.PROBE_LEASED and not breaker.probe_is_due(now)):
        return None
    return replace(change(breaker, settings, now), since=now, version=breaker.version + 1)


def _opened(breaker: Breaker, settings: BreakerSettings, now: float, reopenings: int) -> Breaker:
    # The exponent is bounded: after days of failed probes 2.0**n would overflow.
    open_s = min(settings.max_open_s, settings.open_s * 2.0 ** min(reopenings, 30))
    return replace(breaker, state=BreakerState.OPEN, until=now + open_s, reopenings=reopenings)


def _open(breaker: Breaker, settings: BreakerSettings, now: float) -> Breaker:
    return _opened(breaker, settings, now, 0)


def _reopen(breaker: Breaker, settings: BreakerSettings, now: float) -> Breaker:
    return _opened(breaker, settings, now, breaker.reopenings + 1)


def _lease(breaker: Breaker, _: BreakerSettings, now: float) -> Breaker:
    return replace(breaker, state=BreakerState.HALF_OPEN, probe_lease_until=now + PROBE_LEASE_S)


def _release(breaker: Breaker, _: BreakerSettings, now: float) -> Breaker:
    return replace(breaker, probe_lease_until=now)


def _close(breaker: Breaker, _settings: BreakerSettings, _now: float) -> Breaker:
    return replace(breaker, state=BreakerState.CLOSED, reopenings=0)


TRANSITIONS: Mapping[
    tuple[BreakerState, BreakerEvent], Callable[[Breaker, BreakerSettings, float], Breaker]
] = {
    (BreakerState.CLOSED, BreakerEvent.TOO_MANY): _open,
    (BreakerState.OPEN, BreakerEvent.PROBE_LEASED): _lease,
    (BreakerState.HALF_OPEN, BreakerEvent.PROBE_LEASED): _lease,
    (BreakerState.HALF_OPEN, BreakerEvent.PROBE_PASSED): _close,
    (BreakerState.HALF_OPEN, BreakerEvent.PROBE_FAILED): _reopen,
    (BreakerState.HALF_OPEN, BreakerEvent.PROBE_VOID): _release,
}
"""Every change there is; any other pair changes nothing."""

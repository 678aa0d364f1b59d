"""How busy each target is, as this process sees it.

It is worth most where many requests share a process. Where there is one request at a time nothing
else is in flight, and what the fleet knows of a target's first token says more than this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import exp

from forebay.ports import Clock
from forebay.routing import Load

MEMORY_S = 10.0
"""After so long a first token counts for 1/e of a new one; the default of Finagle's Peak EWMA."""
FORGET_S = 60.0
"""After so long without a first token nothing is known of a target: it is worth a try again."""


@dataclass(slots=True)
class _FirstTokens:
    """The mean of past first tokens, each weighted by its age."""

    total_s: float = 0.0
    count: float = 0.0
    noted_at: float = 0.0

    def note(self, seconds: float, now: float) -> None:
        fading = exp(-max(0.0, now - self.noted_at) / MEMORY_S)
        self.total_s = self.total_s * fading + seconds
        self.count = self.count * fading + 1.0
        self.noted_at = now

    def mean_s(self, now: float) -> float | None:
        """All weights fade alike: the mean stays until the next note, or until it is forgotten."""
        if not self.count or now - self.noted_at > FORGET_S:
            return None
        return self.total_s / self.count


@dataclass(slots=True)
class _Target:
    in_flight: int = 0
    first_tokens: _FirstTokens = field(default_factory=_FirstTokens)
    cooling_until: float = 0.0


class Loads:
    """Counts the calls of this process, target by target.

    Args:
        clock: Ages are on its wall clock: a frozen process forgets, too.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._targets: dict[str, _Target] = {}

    @contextmanager
    def calling(self, target: str) -> Iterator[None]:
        """Count a call while it runs, however it ends.

        Args:
            target: `provider/model`.
        """
        called = self._of(target)
        called.in_flight += 1
        try:
            yield
        finally:
            called.in_flight -= 1

    def spoke(self, target: str, first_token_s: float) -> None:
        """Note how long a stream's first token took.

        Failures are not noted here: one that refuses at once would look fast. Nor are answers in
        one piece, whose first token comes with their last.
        """
        self._of(target).first_tokens.note(first_token_s, self._clock.now())

    def cool(self, target: str, seconds: float) -> None:
        """Spare a target that asked for it (`Retry-After`), for so long from now at least."""
        called = self._of(target)
        called.cooling_until = max(called.cooling_until, self._clock.now() + seconds)

    def load(self, target: str) -> Load:
        """How busy a target is."""
        called, now = self._of(target), self._clock.now()
        return Load(called.in_flight, called.first_tokens.mean_s(now), now < called.cooling_until)

    def _of(self, target: str) -> _Target:
        return self._targets.setdefault(target, _Target())

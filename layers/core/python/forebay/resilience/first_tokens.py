"""How long targets take to say their first word."""

from __future__ import annotations

from collections import deque
from math import ceil

KEPT = 100
"""Latest times of a target that count."""

NEEDED = 20
"""With fewer, one odd call would be the 95th percentile."""


class FirstTokens:
    """One target's latest times to the first token, in seconds."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=KEPT)
        self.p95_s: float | None = None
        """The 95th percentile (nearest rank); None while there are fewer than `NEEDED` times."""

    def add(self, time_s: float) -> None:
        """Note one."""
        self._times_s.append(time_s)
        count = len(self._times_s)
        if count >= NEEDED:
            # Here, since it is asked for more often than it changes: each request looks at it.
            self.p95_s = sorted(self._times_s)[ceil(0.95 * count) - 1]

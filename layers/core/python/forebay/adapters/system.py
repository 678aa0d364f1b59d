"""The real clock and real dice."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time


class SystemClock:
    """This machine's time (port `Clock`)."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return time.time()  # noqa: TID251 - this is the Clock that others take

    def monotonic(self) -> float:
        """Seconds that never go back; stand still while a sandbox is frozen."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemEntropy:
    """The operating system's dice (port `Entropy`).

    Not the `random` module's: sandboxes restored from one snapshot would all roll alike.
    """

    def __init__(self) -> None:
        self._dice = secrets.SystemRandom()

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return self._dice.random()

    def token_bytes(self, count: int) -> bytes:
        """Unpredictable bytes, fit for secrets."""
        return secrets.token_bytes(count)


def write_line(line: bytes) -> None:
    """Write a line of the log; CloudWatch reads standard output."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()

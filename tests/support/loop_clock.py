"""Port `Clock` on the time of the running event loop: for worlds on a `VirtualTimeLoop`."""

from __future__ import annotations

import asyncio

from forebay.adapters.memory.clock import EPOCH_S

RESOLUTION_S = 1e-6


class LoopClock:
    """One process's clocks. All processes of a loop see the same time pass, but for their freezes.

    Args:
        skew_s: The wall clock is fast by so much.
        started_at: What the monotonic clock shows at the start.
    """

    def __init__(self, *, skew_s: float = 0.0, started_at: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._skew_s = skew_s
        self._behind_s = self._loop.time() - started_at
        self._frozen_at: float | None = None
        self._is_dead = False
        self._thawed = asyncio.Event()
        self._thawed.set()

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return EPOCH_S + self._loop.time() + self._skew_s

    def monotonic(self) -> float:
        """Seconds since the start, without those in which the process was frozen."""
        at = self._loop.time() if self._frozen_at is None else self._frozen_at
        return at - self._behind_s

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock: a frozen process does not wake up."""
        until = self.monotonic() + seconds
        await asyncio.sleep(seconds)
        await self.thawed()
        while (left_s := until - self.monotonic()) > RESOLUTION_S:
            await asyncio.sleep(left_s)
            await self.thawed()

    def freeze(self) -> None:
        """Stop the process until it is thawed."""
        self._frozen_at = self._loop.time()
        self._thawed.clear()

    def thaw(self) -> None:
        """Let the process go on where it was."""
        if self._frozen_at is not None:
            self._behind_s += self._loop.time() - self._frozen_at
            self._frozen_at = None
            self._thawed.set()

    def die(self) -> None:
        """End the process: whatever it waits for, it is cancelled instead."""
        self._is_dead = True

    async def thawed(self) -> None:
        """Return at once, or when the process is thawed: to stand wherever it does I/O."""
        await self._thawed.wait()
        if self._is_dead:
            raise asyncio.CancelledError

"""Port `Clock` that moves when it is told to."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

EPOCH_S = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""


class ManualClock:
    """Time by hand.

    ::

        task = asyncio.create_task(something(clock))   # calls clock.sleep(5)
        await clock.until_sleeping()
        clock.advance(5)                               # wakes it

    Args:
        now: Wall clock at the start, epoch seconds.
    """

    def __init__(self, now: float = EPOCH_S) -> None:
        self._now = now
        self._monotonic = 0.0
        self._order = count()  # of equal alarms, the first set rings first
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._watchers: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the start, without those of `freeze`."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by that much."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), alarm))
        self._tell_watchers()
        await alarm

    def advance(self, seconds: float) -> None:
        """Let time pass and wake who is due; they run when the caller next awaits."""
        self._now += seconds
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            alarm = heapq.heappop(self._sleepers)[2]
            if not alarm.done():
                alarm.set_result(None)

    def freeze(self, seconds: float) -> None:
        """Let the world's time pass while this process stands still, as in a frozen sandbox."""
        self._now += seconds

    async def until_sleeping(self, tasks: int = 1) -> None:
        """Return once at least so many tasks sleep."""
        if self._sleeping() < tasks:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append((tasks, reached))
            await reached

    def _sleeping(self) -> int:
        return sum(not alarm.done() for _, _, alarm in self._sleepers)

    def _tell_watchers(self) -> None:
        sleeping = self._sleeping()
        for tasks, reached in self._watchers:
            if sleeping >= tasks and not reached.done():
                reached.set_result(None)
        self._watchers = [watcher for watcher in self._watchers if not watcher[1].done()]

"""Time, as the runtime sees it: two clocks that part when the sandbox is frozen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Clock(NamedTuple):
    """The clocks and the sleep that the runtime uses; tests give their own.

    Attributes:
        wall: seconds since the epoch; runs on while the sandbox is frozen.
        monotonic: seconds from anywhere; stands still while the sandbox is frozen.
        sleep: waits that many seconds.
    """

    wall: Callable[[], float] = time.time  # noqa: TID251 - this is the clock that others take
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def mark(self) -> Mark:
        """Note both clocks now, to ask later how long the sandbox was frozen since."""
        return Mark(self.wall(), self.monotonic())

    def frozen_since(self, mark: Mark) -> float:
        """Seconds frozen since `mark`: what the wall clock saw and the monotonic one did not.

        Never negative: a wall clock that was set back is no freeze.
        """
        return max(0.0, (self.wall() - mark.wall) - (self.monotonic() - mark.monotonic))


class Mark(NamedTuple):
    """Both clocks at one instant."""

    wall: float
    monotonic: float

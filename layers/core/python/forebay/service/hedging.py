"""Two answers in a race: the first to say a word wins, the other is ended.

Source: J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from forebay.errors import UpstreamError

Parts = AsyncGenerator[bytes]


async def first_to_speak(
    primary: Parts,
    rival: Callable[[], Awaitable[Parts | None]],
    *,
    patience_s: float,
    failed: Callable[[UpstreamError], None],
) -> Parts:
    """Pass on the answer whose first part comes first.

    Args:
        primary: The answer that was asked for.
        rival: Asks for another one; None if there is none to ask. Called once, when the primary
            has been silent for so long.
        patience_s: How long that is.
        failed: Told of an error that another answer made good, at once.

    Raises:
        UpstreamError: The last one, if both failed before they said anything; or the winner's, in
            mid-answer.
    """
    race = _Race(failed)
    try:
        race.enter(primary)
        await asyncio.wait(race.running, timeout=patience_s)
        if race.nobody_spoke:
            second = await rival()
            if second is not None:
                race.enter(second)
        winner, first = await race.decided()
        yield first
        async for part in winner:
            yield part
    finally:
        await race.close()


class _Race:
    def __init__(self, failed: Callable[[UpstreamError], None]) -> None:
        self._failed = failed
        self._entrants: dict[asyncio.Future[bytes], Parts] = {}

    @property
    def running(self) -> set[asyncio.Future[bytes]]:
        return set(self._entrants)

    @property
    def nobody_spoke(self) -> bool:
        return not any(opening.done() for opening in self._entrants)

    def enter(self, parts: Parts) -> None:
        self._entrants[asyncio.ensure_future(anext(parts))] = parts

    async def decided(self) -> tuple[Parts, bytes]:
        """Wait for the first word; whoever is late is ended before it is passed on."""
        while True:
            await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
            # In the order of entry: if both spoke at once, the primary wins.
            for opening in [each for each in self._entrants if each.done()]:
                parts = self._entrants.pop(opening)
                error = opening.exception()
                if error is None:
                    await self.close()
                    self._entrants = {opening: parts}
                    return parts, opening.result()
                await parts.aclose()
                if not isinstance(error, UpstreamError) or not self._entrants:
                    raise error
                self._failed(error)

    async def close(self) -> None:
        """End all that still run, and wait until they have ended."""
        for opening in self._entrants:
            opening.cancel()
        for opening, parts in self._entrants.items():
            await asyncio.wait({opening})
            if not opening.cancelled():
                opening.exception()  # asked for, or asyncio would log it as forgotten
            await parts.aclose()
        self._entrants = {}

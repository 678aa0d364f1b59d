"""Break the silence of an event stream with comment lines, so that no idle time-out cuts it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lambda_streaming.framing import ends_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

# A line that begins with a colon is ignored by every reader of server-sent events (WHATWG HTML,
# 9.2.5); the blank line after it would end an event, so it is sent between two events only.
COMMENT = b": keep-alive\n\n"


class KeepAlive:
    """Write a comment whenever `interval_s` seconds have passed without a byte.

    One sleeping task a stream, woken once an interval; a chunk costs it two assignments.
    """

    def __init__(self, interval_s: float, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._interval_s = interval_s
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._tail = b""
        self._task = self._loop.create_task(self._run())

    def sent(self, data: bytes) -> None:
        """Note that the app is sending `data` now."""
        self._last = self._loop.time()
        self._tail = data[-3:] if len(data) >= 3 else (self._tail + data)[-3:]

    def stop(self) -> None:
        """Send no more comments."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            silent_s = self._loop.time() - self._last
            if silent_s < self._interval_s:
                await asyncio.sleep(self._interval_s - silent_s)
                continue
            self._last = self._loop.time()
            if ends_event(self._tail):
                try:
                    await self._write(COMMENT)
                except OSError:  # the stream broke; its own side is told by other means
                    return


def wants_keepalive(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether comments may be put into this answer: plain server-sent events without a length."""
    names = {name.lower(): value for name, value in headers}
    kind = names.get(b"content-type", b"").partition(b";")[0].strip().lower()
    fixed = b"content-length" in names or b"content-encoding" in names
    return kind == b"text/event-stream" and not fixed

"""Where an app's answer goes: streamed into an open POST, or collected and posted whole.

The head of an answer is held back until the first body message, as ASGI asks: an app that fails
before has not answered yet, and the caller gets a true error instead of half an answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from lambda_streaming import framing
from lambda_streaming.errors import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lambda_streaming.client import ResponseStream, RuntimeClient
    from lambda_streaming.errors import ErrorReport
    from lambda_streaming.invocation import Invocation


class Reply(Protocol):
    """One answer to one invocation."""

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take status and headers."""

    async def write(self, data: bytes) -> None:
        """Take bytes of the body; more will follow."""

    async def end(self, data: bytes) -> None:
        """Take the last bytes: the answer is whole now, and its reader need not wait longer."""

    async def fail(self, report: ErrorReport) -> None:
        """Say that no whole answer comes; does nothing after `end`."""

    def doom(self, report: ErrorReport) -> None:
        """From now on the answer is a failure, also if the app still ends it in good order."""

    async def settled(self) -> None:
        """Wait until the Runtime API has taken note."""


class BufferedReply:
    """Collect the answer, then post it as one JSON object."""

    def __init__(self, client: RuntimeClient, invocation: Invocation) -> None:
        self._client = client
        self._invocation = invocation
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._ended = False

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep status and headers until the body begins."""
        self._status, self._headers = status, list(headers)

    async def write(self, data: bytes) -> None:
        """Take bytes of the body; more will follow."""
        self._body += data

    async def end(self, data: bytes) -> None:
        """Take the last bytes."""
        self._body += data
        self._ended = True
        body = framing.buffered(self._status, self._headers, bytes(self._body))
        await self._client.respond(self._invocation, body)

    async def fail(self, report: ErrorReport) -> None:
        """Report the failure, unless the answer has ended."""
        if not self._ended:
            self._ended = True
            await self._client.fail(self._invocation, report)

    def doom(self, report: ErrorReport) -> None:
        """Change nothing: what a cancelled app still answers, whole, is a better answer."""

    async def settled(self) -> None:
        """Wait for nothing: `end` and `fail` have waited."""


class StreamedReply:
    """Send each piece on as it comes; `on_broken` is called if the POST breaks before the end."""

    def __init__(
        self, client: RuntimeClient, invocation: Invocation, on_broken: Callable[[], None]
    ) -> None:
        self._client = client
        self._invocation = invocation
        self._on_broken = on_broken
        self._prelude = b""
        self._stream: ResponseStream | None = None
        self._opening = asyncio.Lock()  # the keep-alive may want the first word while the app does
        self._doom: ErrorReport | None = None
        self._ended = False

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep status and headers until the body begins."""
        self._prelude = framing.prelude(status, headers)

    async def write(self, data: bytes) -> None:
        """Take bytes of the body; more will follow."""
        stream = self._stream
        if stream is None:
            stream, data = await self._opened(data)
        if data:
            await stream.write(data)

    async def end(self, data: bytes) -> None:
        """Take the last bytes."""
        stream = self._stream
        if stream is None:
            stream, data = await self._opened(data)
        self._ended = True
        stream.end(data, self._doom)

    async def fail(self, report: ErrorReport) -> None:
        """Report the failure, unless the answer has ended."""
        if self._ended:
            return
        self._ended = True
        if self._stream is None:
            await self._client.fail(self._invocation, report)
        else:
            self._stream.end(b"", report)

    def doom(self, report: ErrorReport) -> None:
        """End as this failure, also if the app ends in good order."""
        self._doom = report

    async def settled(self) -> None:
        """Wait for the acknowledgement, if a stream was opened."""
        if self._stream is not None:
            await self._stream.acknowledged()

    async def _opened(self, data: bytes) -> tuple[ResponseStream, bytes]:
        """The stream, and what of `data` is still to be sent."""
        async with self._opening:
            if self._stream is not None:
                return self._stream, data
            if self._ended:
                raise ClientDisconnected("the answer has failed already")
            first = self._prelude + data
            self._stream = await self._client.open_stream(self._invocation, first, self._on_broken)
            return self._stream, b""

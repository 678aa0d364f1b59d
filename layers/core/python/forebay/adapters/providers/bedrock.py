"""Amazon Bedrock: signed requests, and event streams as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

from forebay.adapters.providers.event_stream import CONTENT_TYPE, BrokenFrame, EventStreamDecoder
from forebay.adapters.providers.http import HttpProvider, HttpReply
from forebay.errors import UpstreamCut
from forebay.model import UpstreamRequest
from forebay.ports import UpstreamReply

SERVICE = "bedrock"
"""Its name in signatures; its host is `bedrock-runtime`."""


class BedrockProvider:
    """Amazon Bedrock in one region.

    Args:
        name: Its configured name, for errors.
        http: Reaches it, with an `AwsSignature` for `SERVICE`.
    """

    def __init__(self, name: str, http: HttpProvider) -> None:
        self._name = name
        self._http = http

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Send a request and wait for the head of the reply. See `ports.Provider`."""
        reply = await self._http.send(request)
        if reply.headers.get("content-type", "").lower().startswith(CONTENT_TYPE):
            return EventStreamReply(self._name, reply)
        return reply


class EventStreamReply:
    """A reply whose events come as lines of JSON. See `ports.UpstreamReply`."""

    def __init__(self, name: str, reply: HttpReply) -> None:
        self._name = name
        self._reply = reply
        self._decoder = EventStreamDecoder()
        self._broken: BrokenFrame | None = None

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields, names in lower case; the content type is still that of the frames."""
        return self._reply.headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The lines as they arrive; a damaged frame cuts the stream, after those before it."""
        return self

    def __aiter__(self) -> Self:
        """Iterate over the lines."""
        return self

    async def __anext__(self) -> bytes:
        """What has come since the last call."""
        lines = b""
        while not lines:
            if self._broken is not None:
                message = f"{self._name} broke off: {self._broken}."
                raise UpstreamCut(message, target=self._name) from self._broken
            lines, self._broken = self._decoder.feed(await anext(self._reply))
        return lines

    async def __aenter__(self) -> Self:
        """Hold the connection."""
        await self._reply.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connection back; after an error it is closed."""
        await self._reply.__aexit__(kind, error, trace)

"""A server's side of one HTTP/1.1 connection; the front and the Runtime API build on it."""

import asyncio
from abc import abstractmethod
from typing import cast

from typing_extensions import override

from forebay_cli.local.http1 import End, Event, ParseError, Request, RequestParser

PIPELINED_BYTES = 64 * 1024  # held back while a response is on its way; then reading stops
LINGER_S = 10.0  # for a peer that takes no more bytes after we said goodbye


class HttpConnection(asyncio.Protocol):
    """Parse what comes, hand each event to a method, keep later requests waiting their turn."""

    def __init__(self, max_head_bytes: int) -> None:
        self._parser = RequestParser(max_head_bytes)
        self._answering = False
        self.transport: asyncio.Transport

    @abstractmethod
    def on_request(self, request: Request) -> None:
        """Take the head of a request."""

    @abstractmethod
    def on_data(self, data: bytes) -> None:
        """Take a piece of its body."""

    @abstractmethod
    def on_end(self, end: End) -> None:
        """Know that it is complete; call `answered` when its response is."""

    @abstractmethod
    def on_malformed(self, error: ParseError) -> None:
        """Answer what is not HTTP; the connection is closed afterwards."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        try:
            self._deliver(self._parser.feed(data))
        except ParseError as error:
            self.on_malformed(error)
            self.close()
            return
        if self._answering and self._parser.buffered > PIPELINED_BYTES:
            self.transport.pause_reading()

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return not self._answering and self._parser.between_requests

    def answered(self) -> None:
        """Turn to the request behind the one whose response is now written whole."""
        self._answering = False
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        # Not from here: a burst of pipelined requests would recurse.
        asyncio.get_running_loop().call_soon(self._next_request)

    def close(self) -> None:
        """Write what is buffered, then close; after a while close anyhow."""
        self.transport.close()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    def _next_request(self) -> None:
        if self.transport.is_closing() or self._answering:
            return
        try:
            self._deliver(self._parser.next_request())
        except ParseError as error:
            self.on_malformed(error)
            self.close()

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, bytes):
                self.on_data(event)
            elif isinstance(event, Request):
                self._answering = True
                self.on_request(event)
            else:
                self.on_end(event)

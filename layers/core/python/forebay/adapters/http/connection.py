"""One connection that carries one exchange at a time, its reply read piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from typing_extensions import override

HIGH_WATER_BYTES = 256 * 1024
"""Received and not yet read: over it the peer is made to wait (TCP's own window fills)."""


class HttpError(ConnectionError):
    """The exchange failed; the connection is closed."""


class ConnectFailed(HttpError):
    """No connection: nothing was sent, so nothing can have happened there."""


class ConnectionLost(HttpError):
    """The peer broke off.

    Args:
        began: Whether a byte of the reply had come.
    """

    def __init__(self, *, began: bool) -> None:
        when = "in mid-reply" if began else "before it answered"
        super().__init__(f"the peer closed the connection {when}")
        self.began = began


class Malformed(HttpError):
    """What the peer sent is not HTTP/1.1."""


class Silent(HttpError):
    """The peer sent nothing for too long."""


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a reply; names in lower case, of repeated ones the last."""

    status: int
    headers: Mapping[str, str]


class Connection(asyncio.Protocol):
    """A kept-alive connection.

    asyncio sets TCP_NODELAY on every TCP socket, so a request is on the wire when it is written.
    However an exchange ends before its reply is whole, the connection is closed: a late reply
    must never be taken for the next request's.
    """

    def __init__(self) -> None:
        self.idle_since = 0.0
        """Wall clock when it was given back to its pool, epoch seconds."""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._exchange = _Exchange()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._last_received = 0.0

    @property
    def usable(self) -> bool:
        """Whether the peer has left it open, as far as the loop has heard."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether the last exchange is over, nothing of it is unread, and another may follow."""
        exchange = self._exchange
        return self.usable and exchange.complete and exchange.keep_alive and not exchange.body

    async def send(self, request: bytes, *, timeout_s: float) -> Head:
        """Send a request and wait for the head of its reply.

        Args:
            request: Head and body; one write, so that neither waits for the other's
                acknowledgement.
            timeout_s: Longest silence.

        Raises:
            HttpError: There is no reply.
        """
        self._exchange = _Exchange()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost(began=False)
        self._transport.write(request)
        while self._exchange.head is None:
            await self._wait(timeout_s)
        return self._exchange.head

    async def read(self, *, timeout_s: float) -> bytes:
        """Return what has come of the body since the last call; empty at its end.

        Raises:
            HttpError: The body breaks off.
        """
        exchange = self._exchange
        while not exchange.body and not exchange.complete:
            await self._wait(timeout_s)
        received = exchange.take()
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return received

    def abort(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, timeout_s: float) -> None:
        """Wait until something has come of the reply, or its end."""
        if self._exchange.failure is not None:
            raise self._exchange.failure
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._fail, Silent("the peer fell silent"))
        try:
            await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: HttpError) -> None:
        """Remember why there is no more; what came before is still read first."""
        if self._exchange.failure is None:
            self._exchange.failure = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._exchange.failure)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.complete:
            self.abort()  # nobody asked
            return
        try:
            exchange.feed(data)
        except (HttpParserError, HttpParserUpgrade):
            if not exchange.complete:  # else it came after a whole reply, which stands
                self._fail(Malformed("the peer does not speak HTTP/1.1"))
            self.abort()
        if exchange.pending_bytes > HIGH_WATER_BYTES and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._exchange.ends_with_connection and exc is None:
            self._exchange.on_message_complete()
            self._wake()
        elif not self._exchange.complete:
            self._fail(ConnectionLost(began=self._exchange.began))


class _Exchange:
    """The state of one reply; llhttp calls the `on_…` methods."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.body: list[bytes] = []
        self.pending_bytes = 0
        self.began = False
        self.complete = False
        self.keep_alive = False
        self.failure: HttpError | None = None
        self._headers: dict[str, str] = {}
        self._parser = HttpResponseParser(self)

    @property
    def ends_with_connection(self) -> bool:
        """Whether the body has no length of its own (RFC 9112, 6.3, rule 8)."""
        framed = self._headers.keys() & {"content-length", "transfer-encoding"}
        return self.head is not None and not self.complete and not framed

    def feed(self, data: bytes) -> None:
        self.began = True
        self._parser.feed_data(data)

    def take(self) -> bytes:
        parts, self.body = self.body, []
        self.pending_bytes = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def on_message_begin(self) -> None:
        if self.complete:
            raise Malformed("a second reply to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue, 103 Early Hints: the reply is still to come
            self._headers = {}
            return
        self.keep_alive = self._parser.should_keep_alive()
        self.head = Head(status, self._headers)

    def on_body(self, part: bytes) -> None:
        self.body.append(part)
        self.pending_bytes += len(part)

    def on_message_complete(self) -> None:
        if self.head is not None:
            self.complete = True

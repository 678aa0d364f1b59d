"""One connection that carries one exchange at a time, its reply read piece by piece."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from typing_extensions import override

HIGH_WATER_BYTES = 256 * 1024
"""Received and not yet read: over it the peer is made to wait (TCP's own window fills)."""

MAX_HEAD_BYTES = 64 * 1024
"""Of a reply, with those that go before it (103 Early Hints). Servers send 1 KB, curl stops at
300 KB."""


class HttpError(ConnectionError):
    """The exchange failed; the connection is closed."""


class ConnectFailed(HttpError):
    """No connection: nothing was sent, so nothing can have happened there."""


class ConnectionLost(HttpError):
    """The peer broke off.

    Args:
        began: Whether a byte of the reply had come.
        reused: Whether the connection had carried an exchange before: then the peer may have
            closed it before this request came.
    """

    def __init__(self, *, began: bool, reused: bool) -> None:
        when = "in mid-reply" if began else "before it answered"
        super().__init__(f"the peer closed the connection {when}")
        self.began = began
        self.reused = reused


class Malformed(HttpError):
    """What the peer sent is not HTTP/1.1, or not one reply to one request."""


class TooLarge(HttpError):
    """The reply is larger than its reader takes."""


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
        self._exchanges = 0
        self._poller = select.poll()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False

    @property
    def usable(self) -> bool:
        """Whether the peer has left it open, as far as the loop has heard."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether the last exchange is over, nothing of it is unread, and another may follow."""
        exchange = self._exchange
        return self.usable and exchange.complete and exchange.keep_alive and not exchange.body

    @property
    def quiet(self) -> bool:
        """Whether nothing has come that the loop has not heard of yet, as after a short freeze.

        What comes while nobody asks is the peer's farewell, or garbage.
        """
        return not self._poller.poll(0)

    @property
    def overrun(self) -> bool:
        """Whether the peer said more than it was asked."""
        return self._exchange.overrun

    async def send(self, request: bytes, *, timeout_s: float | None) -> Head:
        """Send a request and wait for the head of its reply.

        Args:
            request: Head and body; one write, so that neither waits for the other's
                acknowledgement.
            timeout_s: Longest silence; None where the caller bounds the whole exchange.

        Raises:
            HttpError: There is no reply.
        """
        self._exchange = _Exchange()
        self._exchanges += 1
        if self._transport is None or self._transport.is_closing():
            raise self._lost()
        self._transport.write(request)
        while self._exchange.head is None:
            await self._wait(timeout_s)
        return self._exchange.head

    async def read(self, *, timeout_s: float | None) -> bytes:
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

    async def _wait(self, timeout_s: float | None) -> None:
        """Wait until something has come of the reply, or its end."""
        if self._exchange.failure is not None:
            raise self._exchange.failure
        self._waiter = self._loop.create_future()
        timer = None
        if timeout_s is not None:
            timer = self._loop.call_later(timeout_s, self._fail, Silent("the peer fell silent"))
        try:
            await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(began=self._exchange.began, reused=self._exchanges > 1)

    def _fail(self, error: HttpError) -> None:
        """Remember why there is no more; what came before is still read first."""
        if self._exchange.failure is None:
            self._exchange.failure = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._exchange.failure)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poller.register(transport.get_extra_info("socket"), select.POLLIN)

    @override
    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.complete:
            exchange.overrun = True
            self.abort()
            return
        try:
            exchange.feed(data)
        except Malformed as error:
            exchange.overrun = exchange.complete
            if not exchange.complete:  # else the reply stands, unless its reader minds
                self._fail(error)
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
            lost = self._lost()
            lost.__cause__ = exc
            self._fail(lost)


class _Exchange:
    """The state of one reply; llhttp calls the `on_…` methods."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.body: list[bytes] = []
        self.pending_bytes = 0
        self.began = False
        self.complete = False
        self.overrun = False
        self.keep_alive = False
        self.failure: HttpError | None = None
        self._head_bytes = 0
        self._headers: dict[str, str] = {}
        self._parser = HttpResponseParser(self)

    @property
    def ends_with_connection(self) -> bool:
        """Whether the body has no length of its own (RFC 9112, 6.3, rule 8)."""
        if self.head is None or self.complete:
            return False
        return not self.head.headers.keys() & {"content-length", "transfer-encoding"}

    def feed(self, data: bytes) -> None:
        self.began = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise Malformed("the peer does not speak HTTP/1.1") from error
        if self.head is None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise Malformed(f"the peer sent a head of more than {MAX_HEAD_BYTES} bytes")

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
        headers, self._headers = self._headers, {}  # what follows are trailers: nobody reads them
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue, 103 Early Hints: the reply is still to come
            return
        self.keep_alive = self._parser.should_keep_alive()
        self.head = Head(status, headers)

    def on_body(self, part: bytes) -> None:
        self.body.append(part)
        self.pending_bytes += len(part)

    def on_message_complete(self) -> None:
        if self.head is not None:
            self.complete = True

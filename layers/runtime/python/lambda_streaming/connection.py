"""One connection to the Runtime API: an asyncio protocol that writes at once and counts nothing.

Nothing is buffered on purpose: each write is one system call as long as the socket takes it, and as
soon as one byte is left over, `full` says so. So at most one chunk is held in this process.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from lambda_streaming.compat import override
from lambda_streaming.http1 import MalformedResponse, Response, ResponseParser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Connector = Callable[[], Awaitable["Connection"]]


class UnusedConnectionLost(ConnectionError):
    """The connection ended before any byte of the response: a kept one may have been dead."""


class Connection(asyncio.Protocol):
    """A client's connection that carries one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = ResponseParser()
        self._reply: asyncio.Future[Response] | None = None
        self._room: asyncio.Future[None] | None = None  # set while the peer is slower than we are

    @property
    def usable(self) -> bool:
        """Whether a request can be sent: open, idle, and the last response allowed another."""
        return self._transport is not None and self._reply is None

    def begin(self, data: bytes) -> asyncio.Future[Response]:
        """Send a request, or its head; the future ends with the response or a ConnectionError."""
        if self._transport is None or self._reply is not None:
            raise UnusedConnectionLost("the connection is closed or busy")
        self._parser = ResponseParser()
        self._reply = self._loop.create_future()
        self._transport.write(data)
        return self._reply

    async def request(self, data: bytes) -> Response:
        """Send a whole request and wait, without limit, for its response.

        A wait that is cancelled closes the connection: the response would be taken for the next.
        """
        reply = self.begin(data)
        try:
            return await reply
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Send more of the request's body; a lost connection shows in the reply's future."""
        if self._transport is not None:
            self._transport.write(data)

    @property
    def full(self) -> asyncio.Future[None] | None:
        """What to await before the next write while the peer does not read; else None."""
        return self._room

    def close(self) -> None:
        """Close at once; what was not sent yet is dropped."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write without delay and without a buffer."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @override
    def data_received(self, data: bytes) -> None:
        """Feed the parser; a peer that does not speak HTTP is left."""
        if self._reply is None:  # bytes that nobody asked for: not a peer to trust further
            self.close()
            return
        try:
            self._finish(self._parser.feed(data))
        except MalformedResponse as error:
            self._fail(error)
            self.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """End what waits for this connection."""
        self._transport = None
        self._finish(self._parser.end())
        kind = UnusedConnectionLost if self._parser.untouched else ConnectionResetError
        self._fail(kind(f"the Runtime API closed the connection: {exc or 'end of stream'}"))
        self.resume_writing()

    @override
    def pause_writing(self) -> None:
        """Note that the socket is full."""
        self._room = self._loop.create_future()

    @override
    def resume_writing(self) -> None:
        """Note that there is room again."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _finish(self, response: Response | None) -> None:
        reply = self._reply
        if response is None or reply is None:
            return
        self._reply = None
        if not response.keep_alive:
            self.close()
        if not reply.done():
            reply.set_result(response)

    def _fail(self, error: ConnectionError) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_exception(error)


def connector(address: str) -> Connector:
    """How to reach the Runtime API at `host:port`."""
    host, _, port = address.rpartition(":")

    async def connect() -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, host or address, int(port or 80))
        return connection

    return connect

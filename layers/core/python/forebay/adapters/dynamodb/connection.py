"""One connection that carries one request at a time."""

from __future__ import annotations

import asyncio
from typing import cast

from typing_extensions import override

from forebay.adapters.dynamodb.replies import GarbledReply, Reply, ReplyReader


class ConnectionLost(ConnectionError):
    """The connection broke before the reply was whole.

    Args:
        reply_started: Whether a byte of the reply had come.
    """

    def __init__(self, *, reply_started: bool) -> None:
        when = "in mid-reply" if reply_started else "before it answered"
        super().__init__(f"the peer closed the connection {when}")
        self.reply_started = reply_started


class Connection(asyncio.Protocol):
    """A kept-alive connection. asyncio sets TCP_NODELAY on every TCP socket (a test asserts it)."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        """Wall clock when it was given back to the pool, epoch seconds."""
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._answer: asyncio.Future[Reply] | None = None

    @property
    def usable(self) -> bool:
        """Whether the peer has left it open, as far as the loop has heard."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Reply:
        """Send a request and return its reply.

        However this ends without one (cancelled, too), the connection is closed: a late reply
        must never be taken for the next request's.

        Raises:
            ConnectionLost: See there.
            GarbledReply: See there.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost(reply_started=False)
        self._reader = ReplyReader()
        self._answer = asyncio.get_running_loop().create_future()
        # One write, so one segment where it fits: head and body never wait for each other.
        self._transport.write(request)
        try:
            reply = await self._answer
        except BaseException:
            self.abort()
            raise
        finally:
            self._answer = None
        if not reply.keep_alive:
            self.abort()
        return reply

    def abort(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked
            return
        try:
            reply = self._reader.feed(data)
        except GarbledReply as error:
            self._answer.set_exception(error)
            return
        if reply is not None:
            self._answer.set_result(reply)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            lost = ConnectionLost(reply_started=self._reader.started)
            lost.__cause__ = exc
            self._answer.set_exception(lost)

"""Connections kept apart by origin, and what a freeze does to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from forebay.adapters.http.connection import ConnectFailed, Connection, Head, HttpError
from forebay.ports import Clock

IDLE_S = 20.0
"""Connections idle for longer, by the wall clock, are not used again: servers and load balancers
cut them from 60 s on, some earlier, and a frozen sandbox does not hear of it."""

DRAIN_S = 0.05
"""How long to wait for the end of a body whose last event was read: with it the connection can
be used again. It comes with that event, or a network's round trip later."""

CONNECT_STAGGER_S = 0.25
"""Between attempts at the addresses of one name. Source: RFC 8305, section 5."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go: scheme, host and port (RFC 6454)."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Read the origin of an `http` or `https` URL."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(secure, parts.hostname or "", parts.port or (443 if secure else 80))


class Reply:
    """A reply whose body is still to come. `release` must follow, however it was read."""

    def __init__(
        self, pool: ConnectionPool, origin: Origin, connection: Connection, head: Head
    ) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self._pool = pool
        self._origin = origin
        self._connection = connection

    async def read(self, *, timeout_s: float) -> bytes:
        """Return what has come of the body since the last call; empty at its end.

        Raises:
            HttpError: The body breaks off, or nothing comes for `timeout_s`.
        """
        return await self._connection.read(timeout_s=timeout_s)

    async def release(self) -> None:
        """Give the connection back if its end is in sight, else close it."""
        connection = self._connection
        with suppress(HttpError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while connection.usable and not connection.reusable:
                    if not await connection.read(timeout_s=DRAIN_S):
                        break
        self._pool.give_back(self._origin, connection)

    def abort(self) -> None:
        """Close the connection."""
        self._connection.abort()


class ConnectionPool:
    """Kept-alive connections of one process.

    A sandbox is frozen between invocations: no timer runs, the monotonic clock stands still, and
    the far end closes what is idle. So idleness is measured by the wall clock.

    Args:
        clock: Tells idleness.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._idle: dict[Origin, list[Connection]] = {}

    async def send(
        self, origin: Origin, request: bytes, *, connect_s: float, head_s: float
    ) -> Reply:
        """Send a request and wait for the head of its reply.

        Nothing is sent twice: a kept-alive connection that turns out dead is the caller's to
        judge, who knows whether the request may be repeated.

        Args:
            origin: Where to.
            request: Head and body.
            connect_s: Longest wait for a connection, TLS included.
            head_s: Longest silence after that.

        Raises:
            ConnectFailed: Nothing was sent.
            HttpError: There is no reply.
        """
        connection = await self._reuse(origin) or await _connect(origin, connect_s)
        head = await connection.send(request, timeout_s=head_s)
        return Reply(self, origin, connection, head)

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next exchange, or close it if it can carry none."""
        if not connection.reusable:
            connection.abort()
            return
        connection.idle_since = self._clock.now()
        self._idle.setdefault(origin, []).append(connection)

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    async def _reuse(self, origin: Origin) -> Connection | None:
        """Take the connection that was used last, if it still stands."""
        idle = self._idle.get(origin, [])
        oldest_good = self._clock.now() - IDLE_S
        while idle and idle[0].idle_since < oldest_good:
            idle.pop(0).abort()
        if idle:
            # In the first turn the loop looks at its sockets, in the second it has dealt with what
            # it saw: perhaps a peer that closed during a short freeze.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
        return None


async def _connect(origin: Origin, timeout_s: float) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(
                Connection,
                origin.host,
                origin.port,
                ssl=_tls() if origin.secure else None,
                happy_eyeballs_delay=CONNECT_STAGGER_S,
            )
    except (OSError, TimeoutError) as error:
        raise ConnectFailed(f"no connection to {origin.host}:{origin.port}") from error
    return connection


@cache
def _tls() -> ssl.SSLContext:
    """Reading the system's certificates takes 20 ms, so it is done once."""
    return ssl.create_default_context()

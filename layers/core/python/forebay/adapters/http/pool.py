"""Connections kept apart by origin, and what a freeze does to them."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from forebay.adapters.http.connection import (
    ConnectFailed,
    Connection,
    Head,
    HttpError,
    Malformed,
    TooLarge,
)
from forebay.ports import Clock

IDLE_S = 20.0
"""Connections idle for longer, by the wall clock, are not used again: servers and load balancers
cut them from 60 s on, some earlier, and a frozen sandbox does not hear of it."""

DRAIN_S = 0.05
"""How long to wait for the end of a body whose last event was read: with it the connection can
be used again. It comes with that event, or a network's round trip later."""

CONNECT_STAGGER_S = 0.25
"""Between attempts at the addresses of one name. Source: RFC 8305, section 5."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go: scheme, host and port (RFC 6454)."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Read the origin of an `http` or `https` URL.

        Raises:
            ValueError: It is none. The text does not quote it: it may hold a password.
        """
        fault = ValueError("expected https://host[:port] or http://host[:port]")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise fault from None
        if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host) or port == 0:
            raise fault
        return cls(parts.scheme == "https", host, port or _DEFAULT_PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """The `Host` header field: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS["https" if self.secure else "http"]
        return host if self.port == default else f"{host}:{self.port}"


class Reply:
    """A reply whose body is still to come. One of `whole`, `release` and `abort` ends it."""

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

    async def whole(self, *, limit_bytes: int, timeout_s: float | None) -> bytes:
        """Return the body and give the connection back.

        Args:
            limit_bytes: The most that is taken.
            timeout_s: Longest silence; None where the caller bounds the whole exchange.

        Raises:
            TooLarge: There is more.
            HttpError: The body breaks off, or the peer said more than this one reply.
        """
        connection = self._connection
        parts: list[bytes] = []
        missing = limit_bytes
        while part := await connection.read(timeout_s=timeout_s):
            parts.append(part)
            missing -= len(part)
            if missing < 0:
                self.abort()
                raise TooLarge(f"a reply of more than {limit_bytes} bytes")
        self._pool.give_back(self._origin, connection)
        if connection.overrun:
            raise Malformed("bytes after the end of the reply")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def release(self) -> None:
        """Give the connection back if its end is in sight, else close it."""
        connection = self._connection
        if not connection.reusable:
            with suppress(HttpError, TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    while await connection.read(timeout_s=DRAIN_S):
                        pass
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
        tls: For `https`; None: the system's certificates, in one context for all pools.
    """

    def __init__(self, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self.clock = clock
        self._tls = tls
        self._idle: dict[Origin, list[Connection]] = {}

    async def send(
        self,
        origin: Origin,
        request: bytes,
        *,
        connect_s: float,
        head_s: float | None,
        reuse: bool = True,
    ) -> Reply:
        """Send a request and wait for the head of its reply.

        Nothing is sent twice: a kept-alive connection that turns out dead is the caller's to
        judge, who knows whether the request may be repeated.

        Args:
            origin: Where to.
            request: Head and body.
            connect_s: Longest wait for a connection, TLS included.
            head_s: Longest silence after that; None where the caller bounds the whole exchange.
            reuse: Whether a kept-alive connection will do.

        Raises:
            ConnectFailed: Nothing was sent.
            HttpError: There is no reply.
        """
        connection = self._kept(origin) if reuse else None
        if connection is None:
            connection = await self._connect(origin, connect_s)
        head = await connection.send(request, timeout_s=head_s)
        return Reply(self, origin, connection, head)

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next exchange, or close it if it can carry none."""
        if not connection.reusable:
            connection.abort()
            return
        connection.idle_since = self.clock.now()
        self._idle.setdefault(origin, []).append(connection)

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Connection | None:
        """Take the connection that was used last, if it surely stands; close those that do not."""
        now = self.clock.now()
        idle = self._idle.get(origin, [])
        while idle and now - idle[0].idle_since > IDLE_S:
            idle.pop(0).abort()
        while idle:
            connection = idle.pop()
            # Less than nothing: the wall clock was set back, nobody knows how long it was idle.
            recent = 0 <= now - connection.idle_since <= IDLE_S
            if recent and connection.reusable and connection.quiet:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        tls = (self._tls or _system_tls()) if origin.secure else None
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection,
                    origin.host,
                    origin.port,
                    ssl=tls,
                    happy_eyeballs_delay=CONNECT_STAGGER_S,
                )
        except TimeoutError as error:
            raise ConnectFailed(f"no connection in time to {origin.authority}") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that DNS cannot write
            raise ConnectFailed(f"no connection to {origin.authority}: {error}") from error
        return connection


@cache
def _system_tls() -> ssl.SSLContext:
    """Reading the system's certificates takes 20 ms, so it is done once."""
    return ssl.create_default_context()

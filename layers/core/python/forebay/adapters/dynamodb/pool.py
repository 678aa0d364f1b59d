"""Kept-alive connections to one endpoint."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from forebay.adapters.dynamodb.connection import Connection, ConnectionLost
from forebay.adapters.dynamodb.replies import Reply
from forebay.errors import ConfigurationError
from forebay.ports import Clock


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where DynamoDB is reached."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `https://host[:port]` or `http://host[:port]`.

        Raises:
            ConfigurationError: Anything else.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ConfigurationError([f"endpoint {url!r}: expected https://host[:port]"])
        tls = parts.scheme == "https"
        return cls(host=parts.hostname, port=port or (443 if tls else 80), tls=tls)

    @property
    def authority(self) -> str:
        """The `Host` header: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of the connections."""

    connections: int = 64
    """Open at once; further calls wait their turn. A call takes about 5 ms, so this is 10,000
    calls/s; each costs about 50 KB with TLS."""
    connect_timeout_s: float = 1.0
    """TCP and TLS; a few milliseconds within a region."""
    idle_limit_s: float = 20.0
    """Of wall time. A frozen sandbox keeps its sockets, but the peer, or a NAT on the way, may
    have dropped them unheard."""


class ConnectionPool:
    """Lend connections, the most recently used one first, so that the rest grow old and go.

    Args:
        endpoint: See `Endpoint`.
        clock: Its wall clock tells idle time: the monotonic one stands still in a freeze.
        limits: See `PoolLimits`.
        tls: For `https`; made at the first connection if None (it takes 20 ms: share one).
    """

    def __init__(
        self, endpoint: Endpoint, clock: Clock, limits: PoolLimits, tls: ssl.SSLContext | None
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._limits = limits
        self._tls = tls
        self._idle: list[Connection] = []
        self._turns = asyncio.Semaphore(limits.connections)

    async def exchange(self, request: bytes, *, repeatable: bool) -> Reply:
        """Send a request and return its reply.

        A kept-alive connection may have been closed by the peer while the request was on its
        way. Then, and only if no byte of a reply had come and the request is `repeatable`
        (harmless if done twice), it is sent once more, on a fresh connection.

        Raises:
            OSError: No connection, none in time, or it broke (`ConnectionLost`).
            GarbledReply: See there.
        """
        async with self._turns:
            kept = self._take_idle()
            if kept is not None:
                try:
                    return await self._exchange_on(kept, request)
                except ConnectionLost as lost:
                    if lost.reply_started or not repeatable:
                        raise
            return await self._exchange_on(await self._connect(), request)

    def close(self) -> None:
        """Close the idle connections; those in use are closed by cancelling their calls."""
        while self._idle:
            self._idle.pop().abort()

    def _take_idle(self) -> Connection | None:
        now = self._clock.now()
        while self._idle:
            connection = self._idle.pop()
            # Less than nothing: the wall clock was set back, nobody knows how long it was idle.
            if connection.usable and 0 <= now - connection.idle_since <= self._limits.idle_limit_s:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        if self._endpoint.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection,
                    self._endpoint.host,
                    self._endpoint.port,
                    ssl=self._tls if self._endpoint.tls else None,
                )
        except TimeoutError as error:
            raise ConnectionError("no connection in time") from error
        return connection

    async def _exchange_on(self, connection: Connection, request: bytes) -> Reply:
        reply = await connection.exchange(request)
        if connection.usable:
            connection.idle_since = self._clock.now()
            self._idle.append(connection)
        return reply

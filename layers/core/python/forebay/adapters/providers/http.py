"""A provider that is reached over HTTP: address, credentials, time-outs, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from forebay.adapters.http.connection import HttpError, Silent
from forebay.adapters.http.pool import ConnectionPool, Origin, Reply
from forebay.adapters.providers.authentication import Authentication
from forebay.errors import UpstreamCut, UpstreamUnavailable
from forebay.model import UpstreamRequest
from forebay.ports import Clock
from forebay.settings import TimeoutSettings

FindPath = Callable[[UpstreamRequest], str]


def own_path(request: UpstreamRequest) -> str:
    """Return the path that the dialect gave the request."""
    return request.path


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """Where a provider is."""

    base_url: str
    """Requests' paths go below it."""
    find_path: FindPath = own_path
    """The path of a request, with its query if it has one."""


class HttpProvider:
    """One provider.

    Args:
        name: Its configured name, for errors.
        address: Where it is.
        authentication: Says who asks.
        timeouts: Where a request states none.
        pool: Shared with the other providers.
    """

    def __init__(
        self,
        name: str,
        address: HttpAddress,
        authentication: Authentication,
        timeouts: TimeoutSettings,
        pool: ConnectionPool,
    ) -> None:
        self._name = name
        self._origin = Origin.of(address.base_url)
        self._base_path = urlsplit(address.base_url).path.rstrip("/")
        self._find_path = address.find_path
        self._authentication = authentication
        self._timeouts = timeouts
        self._pool = pool

    async def send(self, request: UpstreamRequest) -> HttpReply:
        """Send a request and wait for the head of the reply. See `ports.Provider`."""
        timeouts = request.timeouts or self._timeouts
        encoded = await self._encode(request)
        head_s = timeouts.first_byte_s if request.stream else timeouts.whole_answer_s
        try:
            reply = await self._pool.send(
                self._origin, encoded, connect_s=timeouts.connect_s, head_s=head_s
            )
        except HttpError as error:
            raise UpstreamUnavailable(
                f"{self._name} did not answer: {error}.", target=self._name
            ) from error
        return HttpReply(self._name, reply, self._pool.clock, timeouts.idle_s, request.until)

    async def _encode(self, request: UpstreamRequest) -> bytes:
        path = self._base_path + self._find_path(request)
        fields = {
            "host": self._origin.authority,
            # Compression would hold tokens back until a block is full.
            "accept-encoding": "identity",
            "accept": "text/event-stream" if request.stream else "application/json",
            "user-agent": "forebay",
            "content-length": str(len(request.body)),
            **request.headers,
        }
        fields |= await self._authentication.headers(path, fields, request.body)
        lines = [f"POST {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + request.body


class HttpReply:
    """A reply whose body is still to come.

    Args:
        name: The provider's, for errors.
        reply: It.
        clock: Tells the time.
        idle_s: How long it may be silent.
        until: Monotonic: no silence is waited for beyond.
    """

    def __init__(self, name: str, reply: Reply, clock: Clock, idle_s: float, until: float) -> None:
        self._name = name
        self._reply = reply
        self._clock = clock
        self._idle_s = idle_s
        self._until = until

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields, names in lower case."""
        return self._reply.headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. See `ports.UpstreamReply`."""
        return self

    def __aiter__(self) -> Self:
        """Iterate over the body."""
        return self

    async def __anext__(self) -> bytes:
        """What has come since the last call.

        An object and not an async generator: one that is left early would need a task of its
        own to be closed.
        """
        try:
            left_s = self._until - self._clock.monotonic()
            part = await self._reply.read(timeout_s=max(0.0, min(self._idle_s, left_s)))
        except Silent as error:
            raise UpstreamUnavailable(f"{self._name} fell silent.", target=self._name) from error
        except HttpError as error:
            raise UpstreamCut(f"{self._name} broke off: {error}.", target=self._name) from error
        if not part:
            raise StopAsyncIteration
        return part

    async def __aenter__(self) -> Self:
        """Hold the connection."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connection back; after an error it is closed."""
        if kind is None:
            await self._reply.release()
        else:
            self._reply.abort()

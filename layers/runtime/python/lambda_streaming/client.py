"""The Runtime API's calls, over one kept connection and one more for each streamed answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lambda_streaming import framing
from lambda_streaming.connection import UnusedConnectionLost
from lambda_streaming.errors import ClientDisconnected
from lambda_streaming.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_streaming.connection import Connection, Connector
    from lambda_streaming.errors import ErrorReport
    from lambda_streaming.http1 import Response

logger = logging.getLogger(__name__)

# The Runtime API acknowledges an answer at once; without a bound a lost acknowledgement would hold
# the sandbox until its deadline, billed.
ACKNOWLEDGE_S = 5.0

JSON = {"Content-Type": "application/json"}


class RuntimeClient:
    """What one worker says to the Runtime API; not to be shared between workers.

    Polling (`next`, `restore_next`) waits without a limit: a sandbox may idle for hours. Sending an
    answer logs what goes wrong and does not raise: there is nobody left to tell.
    """

    def __init__(self, connect: Connector, host: str) -> None:
        self._connect = connect
        self._host = host
        self._kept: Connection | None = None

    async def next(self) -> Invocation:
        """Wait for the next invocation.

        Raises:
            ConnectionError: the Runtime API cannot be reached or answers something else.
        """
        return Invocation.of(await self._poll("/invocation/next"))

    async def restore_next(self) -> None:
        """Wait until the sandbox is restored from its snapshot; connections made before are gone.

        Raises:
            ConnectionError: as for `next`.
        """
        await self._poll("/restore/next")
        self.close()

    async def respond(self, invocation: Invocation, body: bytes) -> None:
        """Post a whole answer (JSON)."""
        await self._post(_target(invocation, "response"), JSON | _echo(invocation), body)

    async def fail(self, invocation: Invocation, report: ErrorReport) -> None:
        """Report that the invocation failed; only before the first byte of an answer."""
        headers = JSON | _echo(invocation) | {framing.ERROR_TYPE: report.error_type}
        await self._post(_target(invocation, "error"), headers, report.to_json())

    async def fail_phase(self, phase: str, report: ErrorReport) -> None:
        """Report that a phase failed: `init`, or `restore` after a snapshot."""
        headers = JSON | {framing.ERROR_TYPE: report.error_type}
        await self._post(f"/{phase}/error", headers, report.to_json())

    async def open_stream(
        self, invocation: Invocation, first: bytes, on_broken: Callable[[], None]
    ) -> ResponseStream:
        """Begin a streamed answer on a connection of its own and send its first chunk.

        `on_broken` is called once if the answer breaks before it was ended from this side.

        Raises:
            OSError: no connection.
        """
        connection = await self._connect()
        headers = framing.STREAM_HEADERS | _echo(invocation)
        target = framing.API + _target(invocation, "response")
        head = framing.request_head("POST", target, self._host, headers)
        reply = connection.begin(head + framing.chunk(first))
        return ResponseStream(connection, reply, on_broken)

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def _poll(self, target: str) -> Response:
        head = framing.request_head("GET", framing.API + target, self._host, {})
        response = await self._exchange(head)
        if response.status != 200:
            raise ConnectionError(f"{target}: status {response.status}, {response.body[:200]!r}")
        return response

    async def _post(self, target: str, headers: dict[str, str], body: bytes) -> None:
        headers = headers | {"Content-Length": str(len(body))}
        head = framing.request_head("POST", framing.API + target, self._host, headers)
        try:
            async with asyncio.timeout(ACKNOWLEDGE_S):
                response = await self._exchange(head + body)
        except OSError as error:  # TimeoutError is one too
            logger.warning("%s was not delivered: %r", target, error)
        else:
            log_acknowledgement(target, response)

    async def _exchange(self, data: bytes) -> Response:
        """Use the kept connection; if that one turns out to be dead, a fresh one, once."""
        if self._kept is not None and self._kept.usable:
            try:
                return await self._kept.request(data)
            except UnusedConnectionLost:
                logger.debug("the kept connection was dead")
        self._kept = await self._connect()
        return await self._kept.request(data)


class ResponseStream:
    """The open POST of one streamed answer."""

    def __init__(
        self,
        connection: Connection,
        reply: asyncio.Future[Response],
        on_broken: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._reply = reply
        self._ended = False
        self._on_broken = on_broken
        reply.add_done_callback(self._replied)

    async def write(self, data: bytes) -> None:
        """Send one chunk, as one system call; wait only if the peer does not read.

        Raises:
            ClientDisconnected: the Runtime API closed the connection or has answered already.
        """
        connection = self._connection
        if self._reply.done():
            raise ClientDisconnected("the response was cut by the Runtime API")
        connection.write(framing.chunk(data))
        if connection.full is not None:
            await connection.full
            if self._reply.done():
                raise ClientDisconnected("the response was cut by the Runtime API")

    def end(self, last: bytes, report: ErrorReport | None) -> None:
        """Send the last bytes and the end of the body, with trailers if `report` is given."""
        self._ended = True
        framed = framing.chunk(last) if last else b""
        self._connection.write(framed + framing.last_chunk(report))

    async def acknowledged(self) -> None:
        """Wait for the Runtime API to take note, then close the connection."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_S):
                log_acknowledgement("/response", await self._reply)
        except OSError as error:  # TimeoutError is one too
            logger.warning("the streamed response was not acknowledged: %r", error)
        finally:
            self._connection.close()

    def _replied(self, reply: asyncio.Future[Response]) -> None:
        lost = reply.cancelled() or reply.exception() is not None  # looking keeps asyncio quiet
        if not self._ended:
            logger.warning("a streamed response was cut: %s", reply if lost else reply.result())
            self._on_broken()


def log_acknowledgement(target: str, response: Response) -> None:
    """Say in the log what the Runtime API thought of an answer, unless it took it."""
    if response.status == 410:
        logger.warning("%s: 410, this invocation is over; its answer is dropped", target)
    elif response.status != 202:
        logger.error("%s: status %d, %r", target, response.status, response.body[:200])


def _target(invocation: Invocation, what: str) -> str:
    return f"/invocation/{invocation.request_id}/{what}"


def _echo(invocation: Invocation) -> dict[str, str]:
    if invocation.invocation_id is None:
        return {}
    return {"Lambda-Runtime-Invocation-Id": invocation.invocation_id}

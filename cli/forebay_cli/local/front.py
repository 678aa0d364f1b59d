"""The HTTP front: what API Gateway is to the deployed functions, with its limits and its answers.

    http://127.0.0.1:PORT/STAGE/path -> route -> (signature) -> event -> pool.invoke -> relay

A client that hangs up is not reported to the function: its answer runs to the end and is dropped,
as it is behind API Gateway.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from forebay_cli.local.connection import LINGER_S, HttpConnection
from forebay_cli.local.events import Arrival, build_event
from forebay_cli.local.gateway_responses import (
    BAD_REQUEST,
    BAD_SIGNATURE,
    FAILED,
    HEADERS_TOO_LARGE,
    TIMED_OUT,
    TOO_LARGE,
    UNKNOWN_PATH,
    GatewayError,
)
from forebay_cli.local.http1 import End, ParseError, Request, response_head
from forebay_cli.local.invocation import ThrottledError, TooLargeError
from forebay_cli.local.pool import FunctionPool
from forebay_cli.local.relay import BufferedRelay, Exchange, Relay, StreamRelay
from forebay_cli.local.routes import Api, Route
from forebay_cli.local.sigv4_check import SignatureError, Verifier

# Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
MAX_HEAD_BYTES: Final = 10_240
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
IDLE_STREAM_S: Final = 300.0  # a Regional endpoint cuts a stream that is silent for so long
IDLE_CONNECTION_S: Final = 60.0
SWEEP_S: Final = 5.0


@dataclass(slots=True)
class Front:
    """What all connections share. `wall_clock` gives seconds since the epoch."""

    api: Api
    pools: Mapping[str, FunctionPool]
    verifier: Verifier
    wall_clock: Callable[[], float]
    log: Callable[[str], None]
    connections: set["FrontConnection"] = field(default_factory=set)

    def connect(self) -> "FrontConnection":
        """Make the protocol of a new connection (for `loop.create_server`)."""
        return FrontConnection(self)

    async def sweep(self) -> None:
        """Close what has been silent for too long, forever.

        One look at all of them costs less than a timer for each chunk.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            for connection in list(self.connections):
                connection.end_if_silent(loop.time())

    def close(self) -> None:
        """Cut every connection."""
        for connection in list(self.connections):
            connection.transport.abort()


class FrontConnection(HttpConnection):
    """A client's connection."""

    def __init__(self, front: Front) -> None:
        super().__init__(MAX_HEAD_BYTES)
        self._front = front
        self._now = asyncio.get_running_loop().time
        self._seen_s = self._now()
        self._body = bytearray()
        self._request: Request | None = None
        self._relay: Relay | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._request_id = ""
        self._refused = False  # before its body was read

    # The connection.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._front.connections.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._front.connections.discard(self)
        self.resume_writing()  # the rest of an answer is drained, not held

    @override
    def pause_writing(self) -> None:
        if self._relay is not None and self._relay.invocation is not None:
            self._relay.invocation.pause()

    @override
    def resume_writing(self) -> None:
        if self._relay is not None and self._relay.invocation is not None:
            self._relay.invocation.resume()

    def end_if_silent(self, now_s: float) -> None:
        """Close it if nothing came, or cut its stream if nothing went, for too long."""
        if self._relay is not None:
            if now_s - self._relay.last_byte_s > IDLE_STREAM_S:
                self._relay.give_up(TIMED_OUT)
        elif now_s - self._seen_s > IDLE_CONNECTION_S:
            self.close()

    # The request.

    @override
    def on_request(self, request: Request) -> None:
        self._request = request
        self._request_id = str(uuid.uuid4())
        self._body.clear()
        self._seen_s = self._now()
        if int(request.header("content-length") or 0) > MAX_BODY_BYTES:
            self._refuse_and_close(TOO_LARGE)
        elif (request.header("expect") or "").lower() == "100-continue":
            self.transport.write(response_head(100, ()))

    @override
    def on_data(self, data: bytes) -> None:
        self._seen_s = self._now()
        if self._refused:
            return
        self._body += data
        if len(self._body) > MAX_BODY_BYTES:
            self._body.clear()
            self._refuse_and_close(TOO_LARGE)

    @override
    def on_end(self, end: End) -> None:
        request = self._request
        if request is None or self._refused:
            self.close()
            return
        path, _, query = request.target.partition("?")
        prefix = f"/{self._front.api.stage}"
        found = None
        if path == prefix or path.startswith(f"{prefix}/"):
            path = path.removeprefix(prefix) or "/"
            found = self._front.api.find(request.method, path)
        if found is None:
            self.refuse(UNKNOWN_PATH)
            return
        try:
            key = self._access_key(request, found[0])
        except SignatureError as error:
            self._front.log(f"{request.method} {request.target}: {error}")
            self.refuse(BAD_SIGNATURE if request.header("authorization") else UNKNOWN_PATH)
            return
        self._invoke(
            Arrival(
                request=request,
                route=found[0],
                parameters=found[1],
                path=path,
                query=query,
                body=bytes(self._body),
                client=self._client(),
                request_id=self._request_id,
                access_key=key,
                time_s=self._front.wall_clock(),
            )
        )

    @override
    def on_malformed(self, error: ParseError) -> None:
        self._request = None
        if self._relay is None:
            too_large = error.status == HEADERS_TOO_LARGE.status
            self.refuse(HEADERS_TOO_LARGE if too_large else BAD_REQUEST)

    def _access_key(self, request: Request, route: Route) -> str:
        if not route.signed:
            return ""
        return self._front.verifier.check(request, bytes(self._body), self._front.wall_clock())

    def _invoke(self, arrival: Arrival) -> None:
        exchange = Exchange(arrival.request, self._request_id, self._front.log, self._now)
        relay = (StreamRelay if arrival.route.streams else BufferedRelay)(self, exchange)
        event = build_event(self._front.api, arrival)
        self._body.clear()
        self._relay = relay
        timeout_s = arrival.route.timeout_s
        self._deadline = asyncio.get_running_loop().call_later(timeout_s, relay.give_up, TIMED_OUT)
        try:
            relay.invocation = self._front.pools[arrival.route.function].invoke(event, relay)
        except ThrottledError:
            relay.give_up(FAILED)
        except TooLargeError:
            relay.give_up(TOO_LARGE)

    def _client(self) -> tuple[str, int]:
        # None if it was gone before we looked; its request is served all the same.
        address = self.transport.get_extra_info("peername") or ("127.0.0.1", 0)
        return address[0], address[1]

    # The answer (see `relay.Client`).

    def write(self, data: bytes) -> None:
        """Send at once; to a client that is gone, nothing."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def refuse(self, error: GatewayError) -> None:
        """Answer by one of the gateway's own responses."""
        status, headers, body = self._front.api.responses.render(error, self._request_id)
        keep = self._request is not None and self._request.keep_alive and not self._refused
        headers += [
            ("x-amzn-RequestId", self._request_id),
            ("Content-Length", str(len(body))),
            ("Connection", "keep-alive" if keep else "close"),
        ]
        head_only = self._request is not None and self._request.method == "HEAD"
        self.write(response_head(status, headers) + (b"" if head_only else body))
        self.complete()

    def cut(self) -> None:
        """Close without the last chunk, so that nobody takes the answer for whole."""
        self._forget_relay()
        self.close()

    def complete(self) -> None:
        """Be ready for the next request, or close if the client wished so."""
        self._forget_relay()
        self._seen_s = self._now()
        if self._refused:
            return
        if self._request is not None and self._request.keep_alive:
            self.answered()
        else:
            self.close()

    def _forget_relay(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._relay is not None and self._relay.invocation is not None:
            self._relay.invocation.resume()
        self._relay = self._deadline = None

    def _refuse_and_close(self, error: GatewayError) -> None:
        """Answer before the body is read, drop the rest of it, then close.

        Closing at once would reset the connection, and the client might never see the answer.
        """
        self._refused = True
        self.refuse(error)
        asyncio.get_running_loop().call_later(LINGER_S, self.close)

"""Waiting: `/next` has no time-out, silence is broken by comments; proved on a jumping clock."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from lambda_streaming.asgi import AsgiApplication
from lambda_streaming.client import RuntimeClient
from lambda_streaming.clock import Clock
from lambda_streaming.connection import Connection
from lambda_streaming.loop import RuntimeLoop
from lambda_streaming.settings import Settings
from tests.contract.runtime.fake_runtime_api import rest_event
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

# With or without trailers, at the end of what was written.
LAST_CHUNK = re.compile(rb"\r\n0\r\n(Lambda-[^\r]*\r\n)*\r\n$")

SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


class MemoryTransport(asyncio.Transport):
    """One end of a connection without a socket; what is written is kept."""

    def __init__(
        self, protocol: asyncio.Protocol, written: Callable[[MemoryTransport], None]
    ) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self.writes = 0
        self.on_written = written
        protocol.connection_made(self)

    @override
    def write(self, data: Any) -> None:
        self.written += data
        self.writes += 1
        self.on_written(self)

    @override
    def abort(self) -> None:
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0
        assert low is None

    def reply(self, data: bytes, after_s: float = 0.0) -> None:
        asyncio.get_running_loop().call_later(after_s, self.protocol.data_received, data)


class MemoryApi:
    """A Runtime API that hands out one event after `idle_s` seconds of the loop's time.

    The first connection is the one that polls, the second carries the answer.
    """

    def __init__(self, idle_s: float = 1.0, *, acknowledges: bool = True) -> None:
        self.idle_s = idle_s
        self.deadline = idle_s + 10_000
        self.acknowledges = acknowledges
        self.transports: list[MemoryTransport] = []
        self.polls = 0
        self.polled_again = asyncio.Event()

    async def connect(self) -> Connection:
        connection = Connection()
        self.transports.append(MemoryTransport(connection, self._written))
        return connection

    @property
    def streamed(self) -> bytes:
        return bytes(self.transports[1].written)

    def _written(self, transport: MemoryTransport) -> None:
        if transport is self.transports[0]:
            self.polls += 1
            if self.polls == 1:
                transport.reply(self._next(), self.idle_s)
            else:
                self.polled_again.set()
        elif self.acknowledges and LAST_CHUNK.search(transport.written):
            transport.reply(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    def _next(self) -> bytes:
        event = json.dumps(rest_event()).encode()
        head = (
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int(self.deadline * 1000)}\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        )
        return head.encode() + event


async def serve_once(app: Any, api: MemoryApi, keepalive_s: float = 15.0) -> bytes:
    """Serve one invocation in virtual time; returns all that was written for its answer."""
    loop = asyncio.get_running_loop()
    settings = Settings("api:1", "app.app", response_mode="streaming", keepalive_s=keepalive_s)

    def client() -> RuntimeClient:
        return RuntimeClient(api.connect, "api:1")

    clock = Clock(wall=loop.time, monotonic=loop.time)
    runtime = RuntimeLoop(AsgiApplication(app, settings), client, settings, clock, {})
    served = asyncio.create_task(runtime.serve())
    await api.polled_again.wait()
    runtime.stop()
    await served
    return api.streamed


async def brief_app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"at last"})


@pytest.mark.parametrize("idle_s", [3_600.0, 7 * 24 * 3_600.0], ids=["an hour", "a week"])
def test_next_waits_as_long_as_it_takes(idle_s: float) -> None:
    async def main() -> None:
        assert b"at last" in await serve_once(brief_app, MemoryApi(idle_s))
        assert asyncio.get_running_loop().time() >= idle_s

    run_virtual(main())


def silent_app(chunk: bytes, silence_s: float, headers: Any = SSE) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(silence_s)
        await send({"type": "http.response.body", "body": b"data: end\n\n"})

    return app


def comments(app: Any, keepalive_s: float = 15.0) -> int:
    async def main() -> bytes:
        return await serve_once(app, MemoryApi(), keepalive_s)

    return run_virtual(main()).count(b"e\r\n: keep-alive\n\n\r\n")


@pytest.mark.parametrize(
    ("silence_s", "expected"), [(14.9, 0), (15.1, 1), (50.0, 3)], ids=["short", "one", "three"]
)
def test_a_silent_event_stream_gets_a_comment_every_15_seconds(
    silence_s: float, expected: int
) -> None:
    assert comments(silent_app(b"data: 1\n\n", silence_s)) == expected


@pytest.mark.parametrize(
    "chunk", [b"data: 1", b"data: 1\n", b"data: 1\r\n", b"data: 1\n\r"], ids=repr
)
def test_no_comment_is_put_inside_an_event(chunk: bytes) -> None:
    assert comments(silent_app(chunk, 100.0)) == 0


def test_an_event_stream_that_says_nothing_after_its_head_gets_comments() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        await asyncio.sleep(20.0)
        await send({"type": "http.response.body", "body": b"data: end\n\n"})

    async def main() -> None:
        streamed = await serve_once(app, MemoryApi())
        assert bytes(8) + b": keep-alive\n\n\r\n" in streamed
        assert streamed.endswith(b"data: end\n\n\r\n0\r\n\r\n")

    run_virtual(main())


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"application/json")],
        [*SSE, (b"content-encoding", b"gzip")],
        [*SSE, (b"content-length", b"20")],
    ],
    ids=["not events", "compressed", "counted"],
)
def test_what_is_no_plain_event_stream_gets_no_comment(headers: Any) -> None:
    assert comments(silent_app(b"data: 1\n\n", 100.0, headers)) == 0


def test_comments_can_be_turned_off() -> None:
    assert comments(silent_app(b"data: 1\n\n", 100.0), keepalive_s=0.0) == 0


def test_a_lost_acknowledgement_holds_the_sandbox_for_5_seconds() -> None:
    async def main() -> None:
        await serve_once(brief_app, MemoryApi(idle_s=1.0, acknowledges=False))
        assert asyncio.get_running_loop().time() == 6.0

    run_virtual(main())


def test_half_a_second_before_the_deadline_the_app_is_cancelled_and_can_still_say_so() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"data: late\n\n"})
            raise

    async def main() -> None:
        streamed = await serve_once(app, MemoryApi(idle_s=1.0))
        assert asyncio.get_running_loop().time() == 10_000.5
        assert b"data: late\n\n\r\n0\r\n" in streamed
        assert b"Lambda-Runtime-Function-Error-Type: Runtime.DeadlineExceeded\r\n" in streamed

    run_virtual(main())


def test_each_chunk_is_one_write() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        for _ in range(10):
            await send({"type": "http.response.body", "body": b"data\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"data\n\n"})

    async def main() -> None:
        api = MemoryApi()
        await serve_once(app, api)
        assert api.transports[1].writes == 11  # the head goes with the first, the end with the last

    run_virtual(main())

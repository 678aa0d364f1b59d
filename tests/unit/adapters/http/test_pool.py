"""Connections that are made or not, and bodies that are read whole.

Which connection a request uses is proved in `tests/contract/providers/test_connection_reuse.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from forebay.adapters.http.connection import (
    ConnectFailed,
    ConnectionLost,
    Malformed,
    Silent,
    TooLarge,
)
from forebay.adapters.http.pool import ConnectionPool, Origin, Reply
from forebay.adapters.memory import ManualClock
from tests.support.upstream import CERTIFICATE, Peer, Upstream, server_tls

T = TypeVar("T")
GUARD_S = 20.0
"""A test that would wait for ever fails instead."""
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
SIZED = HEAD + b"content-length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Line:
    """A pool and the upstream that it connects to."""

    def __init__(self, upstream: Upstream, pool: ConnectionPool, *, secure: bool) -> None:
        self.upstream = upstream
        self.origin = Origin(secure, "127.0.0.1", upstream.port)
        self.pool = pool

    def send(self, *, connect_s: float = GUARD_S, reuse: bool = True) -> asyncio.Task[Reply]:
        return asyncio.create_task(
            self.pool.send(self.origin, REQUEST, connect_s=connect_s, head_s=None, reuse=reuse)
        )

    async def answered(self, said: bytes, *, reuse: bool = True) -> tuple[Reply, Peer]:
        """Let a new connection carry a request and these bytes."""
        sending = self.send(reuse=reuse)
        peer = await self.upstream.accepted()
        await peer.request()
        peer.say(said)
        return await sending, peer


def on_a_line(
    scenario: Callable[[Line], Coroutine[Any, Any, T]],
    *,
    trusted: ssl.SSLContext | None = None,
    server: ssl.SSLContext | None = None,
    secure: bool = False,
) -> T:
    async def main() -> T:
        async with asyncio.timeout(GUARD_S), Upstream(server) as upstream:
            pool = ConnectionPool(ManualClock(), tls=trusted)
            try:
                return await scenario(Line(upstream, pool, secure=secure))
            finally:
                pool.close()

    return asyncio.run(main())


async def whole(reply: Reply, *, limit_bytes: int = 5, timeout_s: float | None = None) -> bytes:
    return await reply.whole(limit_bytes=limit_bytes, timeout_s=timeout_s)


# --- connecting


def test_over_tls() -> None:
    async def scenario(line: Line) -> tuple[list[bytes], int]:
        reply, peer = await line.answered(SIZED)
        bodies = [await whole(reply)]
        sending = line.send()
        await peer.request()
        peer.say(SIZED)
        bodies.append(await whole(await sending))
        return bodies, line.upstream.connections

    trusted = ssl.create_default_context(cafile=CERTIFICATE)
    result = on_a_line(scenario, trusted=trusted, server=server_tls(), secure=True)
    assert result == ([b"hello", b"hello"], 1)


def test_a_certificate_that_nobody_vouches_for_is_no_connection() -> None:
    async def scenario(line: Line) -> str:
        with pytest.raises(ConnectFailed) as caught:
            await line.send()
        assert line.upstream.connections == 0
        return str(caught.value)

    complaint = on_a_line(scenario, server=server_tls(), secure=True)
    assert "no connection to 127.0.0.1:" in complaint
    assert "CERTIFICATE_VERIFY_FAILED" in complaint


def test_a_handshake_that_hangs_is_no_connection_in_time() -> None:
    async def scenario(line: Line) -> None:
        sending = line.send(connect_s=0.05)
        peer = await line.upstream.accepted()  # speaks no TLS: it waits for a request
        with pytest.raises(ConnectFailed, match=r"no connection in time to 127\.0\.0\.1:\d+"):
            await sending
        await peer.left()

    on_a_line(scenario, secure=True)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
def test_a_name_that_cannot_be_looked_up_is_no_connection(host: str) -> None:
    async def scenario(line: Line) -> None:
        line.origin = Origin(secure=False, host=host, port=80)
        await line.send()

    with pytest.raises(ConnectFailed, match=f"no connection to {host}: "):
        on_a_line(scenario)


def test_nobody_there_is_no_connection_and_says_why() -> None:
    async def main() -> None:
        async with Upstream() as upstream:
            line = Line(upstream, ConnectionPool(ManualClock()), secure=False)
        await line.send()

    with pytest.raises(
        ConnectFailed, match=r"no connection to 127\.0\.0\.1:\d+: .*Connect call failed"
    ):
        asyncio.run(main())


def test_a_request_that_must_not_reuse_a_connection_leaves_it_to_others() -> None:
    async def scenario(line: Line) -> int:
        first, peer = await line.answered(SIZED)
        await whole(first)
        second, _ = await line.answered(SIZED, reuse=False)
        sending = line.send()
        await peer.request()
        peer.say(SIZED)
        await whole(await sending)
        await whole(second)
        return line.upstream.connections

    assert on_a_line(scenario) == 2


# --- a body that is read whole

WHOLE = {
    "a length": SIZED,
    "no length of its own": HEAD + b"\r\nhello",
    "chunks": CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "a connection that closes": HEAD + b"connection: close\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("said", WHOLE.values(), ids=WHOLE)
def test_a_body_is_read_whole(said: bytes) -> None:
    async def scenario(line: Line) -> bytes:
        reply, peer = await line.answered(said)
        peer.close()
        return await whole(reply)

    assert on_a_line(scenario) == b"hello"


def test_a_body_that_comes_in_parts_is_put_together() -> None:
    async def scenario(line: Line) -> bytes:
        reply, peer = await line.answered(CHUNKED)
        reading = asyncio.create_task(whole(reply))
        for part in (b"2\r\nhe\r\n", b"3\r\nl", b"lo\r\n0\r\n", b"\r\n"):
            peer.say(part)
            await asyncio.sleep(0)
        return await reading

    assert on_a_line(scenario) == b"hello"


@pytest.mark.parametrize("said", [SIZED, CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n"])
def test_a_body_that_is_too_large_ends_its_connection(said: bytes) -> None:
    async def scenario(line: Line) -> None:
        reply, peer = await line.answered(said)
        with pytest.raises(TooLarge, match="more than 4 bytes"):
            await whole(reply, limit_bytes=4)
        await peer.left()

    on_a_line(scenario)


def test_bytes_after_a_whole_body_are_an_error_and_end_the_connection() -> None:
    async def scenario(line: Line) -> None:
        reply, peer = await line.answered(SIZED + SIZED)
        with pytest.raises(Malformed, match="bytes after the end"):
            await whole(reply)
        await peer.left()

    on_a_line(scenario)


def test_a_body_that_breaks_off_is_an_error() -> None:
    async def scenario(line: Line) -> None:
        reply, peer = await line.answered(SIZED[:-1])
        peer.close()
        with pytest.raises(ConnectionLost):
            await whole(reply)

    on_a_line(scenario)


def test_a_body_whose_rest_does_not_come_ends_its_connection() -> None:
    async def scenario(line: Line) -> None:
        reply, peer = await line.answered(SIZED[:-1])
        with pytest.raises(Silent):
            await whole(reply, timeout_s=0.01)
        await peer.left()

    on_a_line(scenario)

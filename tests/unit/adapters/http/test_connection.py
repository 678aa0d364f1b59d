"""One HTTP/1.1 exchange at a time: framing at every cut, ends of every kind, back-pressure."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from forebay.adapters.http.connection import (
    HIGH_WATER_BYTES,
    MAX_HEAD_BYTES,
    Connection,
    ConnectionLost,
    Head,
    HttpError,
    Malformed,
    Silent,
)

T = TypeVar("T")
PATIENCE_S = 30.0
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


class Wire(asyncio.Transport):
    """The edge: what goes to the kernel, and what the connection asks of it."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__({"socket": end})
        self.written: list[bytes] = []
        self.paused = False
        self.aborted = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    @override
    def pause_reading(self) -> None:
        self.paused = True

    @override
    def resume_reading(self) -> None:
        self.paused = False

    @override
    def abort(self) -> None:
        self.aborted = True

    @override
    def is_closing(self) -> bool:
        return self.aborted


def exchange(
    *received: bytes, lost: bool = False, error: Exception | None = None
) -> tuple[int, bytes, bool]:
    """Send a request, receive these parts; return status, body and whether another may follow."""

    async def scenario(connection: Connection, _wire: Wire) -> tuple[int, bytes, bool]:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        for part in filter(None, received):
            connection.data_received(part)
        if lost:
            connection.connection_lost(error)
        head = await sending
        body = b""
        while part := await connection.read(timeout_s=PATIENCE_S):
            body += part
        return head.status, body, connection.reusable

    return on_a_wire(scenario)


def on_a_wire(scenario: Callable[[Connection, Wire], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        ours, peers = socket.socketpair()
        with ours, peers:
            connection, wire = Connection(), Wire(ours)
            connection.connection_made(wire)
            return await scenario(connection, wire)

    return asyncio.run(main())


# --- replies

HEAD = b"HTTP/1.1 200 OK\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = HEAD + b"\r\nhello"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"

REPLIES = {
    "a length": (SIZED, (200, b"hello", True)),
    "a length of none": (HEAD + b"content-length: 0\r\n\r\n", (200, b"", True)),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", (200, b"hello", True)),
    "chunks and a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nx: y\r\n\r\n", (200, b"hello", True)),
    "no chunk": (CHUNKED + b"0\r\n\r\n", (200, b"", True)),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    "not modified": (b"HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n", (304, b"", True)),
    "a redirect": (
        b"HTTP/1.1 302 X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
        (302, b"", True),
    ),
    "replies before the reply": (HINTS + SIZED, (200, b"hello", True)),
    "a connection that closes": (
        HEAD + b"connection: close\r\ncontent-length: 5\r\n\r\nhello",
        (200, b"hello", False),
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", (200, b"hello", False)),
}
each_reply = pytest.mark.parametrize(("received", "expected"), REPLIES.values(), ids=REPLIES)
Result = tuple[int, bytes, bool]


@each_reply
def test_a_reply_is_read_whole(received: bytes, expected: Result) -> None:
    assert exchange(received) == expected


@each_reply
def test_a_reply_is_read_byte_by_byte(received: bytes, expected: Result) -> None:
    assert exchange(*(received[at : at + 1] for at in range(len(received)))) == expected


@each_reply
def test_a_cut_anywhere_in_a_reply_changes_nothing(received: bytes, expected: Result) -> None:
    cuts = {exchange(received[:at], received[at:]) for at in range(1, len(received))}

    assert cuts == {expected}


@given(reply=st.sampled_from(list(REPLIES.values())), cuts=st.lists(st.integers(0, 150)))
def test_any_cuts_in_a_reply_change_nothing(reply: tuple[bytes, Result], cuts: list[int]) -> None:
    received, expected = reply
    edges = sorted({0, len(received), *(min(cut, len(received)) for cut in cuts)})

    assert exchange(*(received[a:b] for a, b in pairwise(edges))) == expected


@each_reply
def test_a_reply_that_breaks_off_is_never_taken_for_a_whole_one(
    received: bytes, expected: Result
) -> None:
    del expected
    for at in range(len(received)):
        with pytest.raises(ConnectionLost) as caught:
            exchange(received[:at], lost=True)
        assert caught.value.began is (at > 0)


def head_of(received: bytes) -> Head:
    async def scenario(connection: Connection, _wire: Wire) -> Head:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        connection.data_received(received)
        return await sending

    return on_a_wire(scenario)


def test_names_of_headers_are_in_lower_case() -> None:
    assert head_of(SIZED).headers == {"content-length": "5"}


def test_headers_before_the_reply_are_none_of_its_own() -> None:
    assert "link" not in head_of(HINTS + SIZED).headers


def test_trailers_do_not_become_headers() -> None:
    head = head_of(CHUNKED + b"0\r\ncontent-type: text/html\r\nx: y\r\n\r\n")

    assert head.headers == {"transfer-encoding": "chunked"}


def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    assert exchange(UNTIL_CLOSE, lost=True) == (200, b"hello", False)


def test_a_reply_without_a_length_breaks_off_with_a_reset() -> None:
    with pytest.raises(ConnectionLost):
        exchange(UNTIL_CLOSE, lost=True, error=ConnectionResetError())


def test_a_peer_that_closes_just_after_its_reply_has_answered() -> None:
    assert exchange(SIZED, lost=True) == (200, b"hello", False)


MALFORMED = {
    "garbage": b"hello\r\n\r\n",
    "another version": b"HTTP/2 200 OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "TLS": b"\x15\x03\x03\x00\x02\x02\x50",
    "a page": b"<html>hello</html>",
    "a status that is none": b"HTTP/1.1 two hundred\r\n\r\n",
    "a length that is none": HEAD + b"content-length: many\r\n\r\n",
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\na",
    "a length and chunks": HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "a chunk's length that is none": CHUNKED + b"zz\r\n",
    "a chunk that is longer than it says": CHUNKED + b"2\r\nhello\r\n",
    "a switch of protocols": b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhey",
}


@pytest.mark.parametrize("received", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_an_error(received: bytes) -> None:
    with pytest.raises(Malformed):
        exchange(received)


@given(received=st.binary(max_size=400))
def test_random_bytes_are_never_a_reply(received: bytes) -> None:
    with pytest.raises(HttpError):
        exchange(received, lost=True)


@pytest.mark.parametrize("start", [HEAD + b"x: ", HINTS * 10 + HEAD + b"x: "])
def test_an_endless_head_is_an_error(start: bytes) -> None:
    half = b"x" * (MAX_HEAD_BYTES // 2)

    with pytest.raises(Malformed, match="a head of more than 65536 bytes"):
        exchange(start, half, half)


def test_a_long_head_is_read() -> None:
    assert exchange(HEAD + b"x: ", b"x" * 60_000, b"\r\n" + SIZED[len(HEAD) :])[0] == 200


def test_what_came_before_garbage_is_read_first() -> None:
    async def scenario(connection: Connection, wire: Wire) -> tuple[bytes, bool]:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        connection.data_received(CHUNKED + b"2\r\nhe\r\n")
        await sending
        connection.data_received(b"garbage")
        body = await connection.read(timeout_s=PATIENCE_S)
        with pytest.raises(Malformed):
            await connection.read(timeout_s=PATIENCE_S)
        return body, wire.aborted

    assert on_a_wire(scenario) == (b"he", True)


# --- whether another exchange may follow

UNASKED = {
    "a second reply at once": ((SIZED + SIZED,), (200, b"hello", False)),
    "a second reply later": ((SIZED, SIZED), (200, b"hello", False)),
    "garbage at once": ((SIZED + b"garbage",), (200, b"hello", False)),
    "garbage later": ((SIZED, b"g"), (200, b"hello", False)),
}


@pytest.mark.parametrize(("received", "expected"), UNASKED.values(), ids=UNASKED)
def test_what_nobody_asked_for_ends_the_connection(
    received: tuple[bytes, ...], expected: Result
) -> None:
    assert exchange(*received) == expected


@pytest.mark.parametrize(
    ("received", "overrun"),
    [((SIZED,), False), *((received, True) for received, _ in UNASKED.values())],
    ids=["a reply", *UNASKED],
)
def test_what_nobody_asked_for_is_noticed(received: tuple[bytes, ...], *, overrun: bool) -> None:
    async def scenario(connection: Connection, _wire: Wire) -> bool:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        for part in received:
            connection.data_received(part)
        await sending
        return connection.overrun

    assert on_a_wire(scenario) is overrun


def test_a_connection_carries_one_exchange_after_another() -> None:
    async def scenario(connection: Connection, wire: Wire) -> list[bytes]:
        for body in (b"one", b"two"):
            sending = asyncio.create_task(connection.send(body, timeout_s=PATIENCE_S))
            await asyncio.sleep(0)
            connection.data_received(HEAD + b"content-length: 3\r\n\r\n" + body)
            await sending
            assert await connection.read(timeout_s=PATIENCE_S) == body
        return wire.written

    assert on_a_wire(scenario) == [b"one", b"two"]


def test_a_connection_that_is_lost_says_whether_it_had_carried_an_exchange() -> None:
    async def scenario(connection: Connection, _wire: Wire) -> bool:
        for _ in range(2):
            sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
            await asyncio.sleep(0)
            connection.data_received(HEAD + b"content-length: 0\r\n\r\n")
            await sending
        connection.connection_lost(None)
        with pytest.raises(ConnectionLost) as caught:
            await connection.send(REQUEST, timeout_s=PATIENCE_S)
        return caught.value.reused

    assert on_a_wire(scenario)


def test_a_connection_whose_reply_is_unread_carries_no_other() -> None:
    async def scenario(connection: Connection, _wire: Wire) -> list[bool]:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        connection.data_received(SIZED)
        await sending
        before = connection.reusable
        await connection.read(timeout_s=PATIENCE_S)
        return [before, connection.reusable]

    assert on_a_wire(scenario) == [False, True]


def test_a_closed_connection_carries_nothing() -> None:
    async def scenario(connection: Connection, wire: Wire) -> list[bytes]:
        connection.connection_lost(None)
        with pytest.raises(ConnectionLost) as caught:
            await connection.send(REQUEST, timeout_s=PATIENCE_S)
        assert (caught.value.began, caught.value.reused) == (False, False)
        connection.abort()
        return wire.written

    assert on_a_wire(scenario) == []


# --- silence, cancellation, back-pressure


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200", SIZED[:-1]])
def test_silence_is_an_error_and_ends_the_connection(received: bytes) -> None:
    async def scenario(connection: Connection, wire: Wire) -> bool:
        exchanging = asyncio.create_task(read_all(connection, timeout_s=0.01))
        await asyncio.sleep(0)
        if received:
            connection.data_received(received)
        with pytest.raises(Silent):
            await exchanging
        return wire.aborted

    assert on_a_wire(scenario)


async def read_all(connection: Connection, *, timeout_s: float = PATIENCE_S) -> bytes:
    await connection.send(REQUEST, timeout_s=timeout_s)
    body = b""
    while part := await connection.read(timeout_s=timeout_s):
        body += part
    return body


@pytest.mark.parametrize("received", [b"", SIZED[:-1]], ids=["the head", "the body"])
def test_who_stops_waiting_ends_the_connection(received: bytes) -> None:
    """A late reply must never be taken for the next request's."""

    async def scenario(connection: Connection, wire: Wire) -> bool:
        exchanging = asyncio.create_task(read_all(connection))
        await asyncio.sleep(0)
        if received:
            connection.data_received(received)
        await asyncio.sleep(0)
        exchanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchanging
        return wire.aborted

    assert on_a_wire(scenario)


def test_a_body_that_nobody_reads_makes_the_peer_wait() -> None:
    async def scenario(connection: Connection, wire: Wire) -> list[bool]:
        sending = asyncio.create_task(connection.send(REQUEST, timeout_s=PATIENCE_S))
        await asyncio.sleep(0)
        connection.data_received(CHUNKED)
        await sending
        paused = []
        for _ in range(2):
            connection.data_received(b"%x\r\n" % HIGH_WATER_BYTES + b"x" * HIGH_WATER_BYTES)
            paused.append(wire.paused)
            connection.data_received(b"\r\n1\r\ny\r\n")
            paused.append(wire.paused)
            assert len(await connection.read(timeout_s=PATIENCE_S)) == HIGH_WATER_BYTES + 1
            paused.append(wire.paused)
        return paused

    assert on_a_wire(scenario) == [False, True, False] * 2

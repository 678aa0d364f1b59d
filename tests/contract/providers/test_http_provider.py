"""A provider over real sockets: what it sends, and what it makes of replies."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from forebay.adapters.http.connection import HIGH_WATER_BYTES
from forebay.errors import UpstreamCut, UpstreamUnavailable
from forebay.model import UpstreamRequest
from forebay.settings import TimeoutSettings
from tests.contract.providers.line import (
    CHUNKED,
    HASTY,
    HEAD,
    KEY,
    LAST_CHUNK,
    PATIENT,
    SIZED,
    STREAMED,
    WHOLE,
    Line,
    body_of,
    on_a_line,
)
from tests.support.upstream import Peer, Upstream

# --- what is sent


def sent(request: UpstreamRequest, key: str | None = KEY) -> bytes:
    async def scenario(line: Line) -> bytes:
        sending = line.send(request)
        peer = await line.upstream.accepted()
        received = await peer.request()
        peer.say(SIZED)
        await body_of(await sending)
        return received.replace(str(line.upstream.port).encode(), b"PORT")

    return on_a_line(scenario, key=key)


def test_a_request_goes_below_the_base_url_with_the_provider_s_key() -> None:
    body = '{"x": "é"}'.encode()
    request = UpstreamRequest("/chat/completions", {"content-type": "application/json"}, body, True)

    assert sent(request).split(b"\r\n") == [
        b"POST /base/v1/chat/completions HTTP/1.1",
        b"host: 127.0.0.1:PORT",
        b"accept-encoding: identity",
        b"accept: text/event-stream",
        b"user-agent: forebay",
        b"content-length: 11",
        b"content-type: application/json",
        b"authorization: Bearer sk-CANARY",
        b"",
        body,
    ]


def test_an_unstreamed_request_accepts_json() -> None:
    assert b"\r\naccept: application/json\r\n" in sent(WHOLE)


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_no_authorization(key: str | None) -> None:
    assert b"authorization" not in sent(STREAMED, key)


def test_a_large_request_is_sent_whole() -> None:
    body = b"x" * 6_000_000

    assert sent(UpstreamRequest("/p", {}, body, True)).endswith(b"\r\n\r\n" + body)


def test_small_packets_are_not_held_back() -> None:
    async def scenario(line: Line) -> int:
        await line.exchange()
        (connections,) = line.pool._idle.values()
        transport = connections[0]._transport
        assert transport is not None
        raw: socket.socket = transport.get_extra_info("socket")
        return raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert on_a_line(scenario) != 0


# --- what becomes of replies


@pytest.mark.parametrize("status", [200, 302, 401, 404, 429, 500, 503])
def test_a_reply_of_any_status_is_a_reply(status: int) -> None:
    async def scenario(line: Line) -> tuple[int, str, bytes, int]:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(b"HTTP/1.1 %d X\r\nLocation: /x\r\ncontent-length: 2\r\n\r\nno" % status)
        reply = await sending
        location = reply.headers["location"]
        return reply.status, location, await body_of(reply), line.upstream.connections

    assert on_a_line(scenario) == (status, "/x", b"no", 1)


def test_a_chunk_is_there_before_the_next_was_sent() -> None:
    async def scenario(line: Line) -> list[bytes]:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED)
        async with await sending as reply:
            body, parts = reply.chunks(), []
            for text in (b"one", b"two"):
                peer.say(b"3\r\n" + text + b"\r\n")
                parts.append(await anext(body))
            peer.say(LAST_CHUNK)
            parts += [part async for part in body]
        return parts

    assert on_a_line(scenario) == [b"one", b"two"]


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def scenario(line: Line) -> bytes:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(HEAD + b"\r\nhello")
        peer.close()
        return await body_of(await sending)

    assert on_a_line(scenario) == b"hello"


def unanswered(scenario: Callable[[Line, Peer], None], timeouts: TimeoutSettings = PATIENT) -> str:
    """Let the peer fail before the head of its reply; return what the error says."""

    async def main(line: Line) -> str:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        scenario(line, peer)
        with pytest.raises(UpstreamUnavailable) as caught:
            await sending
        await peer.left()
        assert caught.value.target == "acme"
        return caught.value.message

    return on_a_line(main, timeouts)


NO_HEADS: dict[str, tuple[Callable[[Line, Peer], None], TimeoutSettings, str]] = {
    "closes": (lambda _, peer: peer.close(), PATIENT, "closed the connection before it answered"),
    "resets": (lambda _, peer: peer.reset(), PATIENT, "closed the connection before it answered"),
    "speaks no HTTP": (
        lambda _, peer: peer.say(b"SSH-2.0-x\r\n"),
        PATIENT,
        "does not speak HTTP/1.1",
    ),
    "says nothing": (lambda *_: None, HASTY, "fell silent"),
}


@pytest.mark.parametrize(("act", "timeouts", "complaint"), NO_HEADS.values(), ids=NO_HEADS)
def test_a_peer_without_an_answer_is_unavailable(
    act: Callable[[Line, Peer], None], timeouts: TimeoutSettings, complaint: str
) -> None:
    message = unanswered(act, timeouts)

    assert complaint in message
    assert KEY not in message


def test_a_peer_that_is_not_there_is_unavailable() -> None:
    async def main() -> str:
        async with Upstream() as upstream:
            line = Line(upstream, PATIENT, KEY)
        with pytest.raises(UpstreamUnavailable) as caught:
            await line.provider.send(STREAMED)
        return caught.value.message

    assert "acme did not answer: no connection to 127.0.0.1:" in asyncio.run(main())


BREAKS: dict[str, tuple[Callable[[Peer], None], TimeoutSettings, type[Exception]]] = {
    "closes": (lambda peer: peer.close(), PATIENT, UpstreamCut),
    "resets": (lambda peer: peer.reset(), PATIENT, UpstreamCut),
    "sends garbage": (lambda peer: peer.say(b"garbage"), PATIENT, UpstreamCut),
    "falls silent": (lambda _: None, HASTY, UpstreamUnavailable),
}


@pytest.mark.parametrize(("act", "timeouts", "kind"), BREAKS.values(), ids=BREAKS)
def test_a_body_that_breaks_off_is_an_error_after_what_came(
    act: Callable[[Peer], None], timeouts: TimeoutSettings, kind: type[Exception]
) -> None:
    async def scenario(line: Line) -> bytes:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED + b"3\r\none\r\n")
        body = (await sending).chunks()
        first = await anext(body)
        act(peer)
        with pytest.raises(kind) as caught:
            await anext(body)
        await peer.left()
        assert KEY not in str(caught.value)
        return first

    assert on_a_line(scenario, timeouts) == b"one"


def test_who_stops_waiting_leaves_the_connection() -> None:
    async def scenario(line: Line) -> None:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        sending.cancel()
        await peer.left()

    on_a_line(scenario)


def test_a_body_that_nobody_reads_makes_the_peer_wait() -> None:
    async def scenario(line: Line) -> tuple[bool, int]:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        size = 64 * HIGH_WATER_BYTES
        peer.say(HEAD + b"content-length: %d\r\n\r\n" % size + b"x" * size)
        reply = await sending
        connection = reply._reply._connection
        await until(lambda: connection._paused)
        waits = peer.unsent_bytes > 0
        return waits, len(await body_of(reply)) - size

    assert on_a_line(scenario) == (True, 0)


async def until(reached: Callable[[], bool]) -> None:
    """Turn the loop until something holds of which nobody is told."""
    while not reached():  # noqa: ASYNC110 - see above
        await asyncio.sleep(0)

"""Which connection a request uses: a kept one if it surely stands, else a new one."""

import asyncio
from collections.abc import Callable

import pytest

from forebay.adapters.http.pool import DRAIN_S, IDLE_S
from forebay.adapters.providers.http import HttpReply
from forebay.errors import UpstreamError
from tests.contract.providers.line import (
    CHUNKED,
    HEAD,
    LAST_CHUNK,
    SIZED,
    STREAMED,
    Line,
    body_of,
    on_a_line,
)
from tests.support.upstream import Peer


def test_a_second_request_uses_the_first_one_s_connection() -> None:
    async def scenario(line: Line) -> int:
        peer = await line.exchange()
        await line.exchange(peer)
        await line.exchange(peer, CHUNKED + b"5\r\nhello\r\n" + LAST_CHUNK)
        await line.exchange(peer)
        return line.upstream.connections

    assert on_a_line(scenario) == 1


def test_requests_at_the_same_time_have_a_connection_each_and_share_them_later() -> None:
    async def scenario(line: Line) -> int:
        sending = [line.send(), line.send()]
        peers = [await line.upstream.accepted() for _ in sending]
        for peer in peers:
            await peer.request()
            peer.say(SIZED)
        for each in sending:
            await body_of(await each)
        again = [line.send(), line.send()]
        for peer in peers:
            await peer.request()
            peer.say(SIZED)
        for each in again:
            await body_of(await each)
        return line.upstream.connections

    assert on_a_line(scenario) == 2


def test_a_reply_that_was_whole_when_it_was_left_leaves_its_connection() -> None:
    """`[DONE]` ends the reading; the end of the body comes with it, or a moment later."""

    async def scenario(line: Line) -> int:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED + b"5\r\nhello\r\n")
        async with await sending as reply:
            assert await anext(reply.chunks()) == b"hello"
            peer.say(b"1\r\n\n\r\n" + LAST_CHUNK)
        await line.exchange(peer)
        return line.upstream.connections

    assert on_a_line(scenario) == 1


def test_a_reply_whose_end_does_not_come_is_left_with_its_connection() -> None:
    async def scenario(line: Line) -> int:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED + b"5\r\nhello\r\n")
        async with await sending as reply:
            await anext(reply.chunks())
        await peer.left()
        await line.exchange()
        return line.upstream.connections

    assert DRAIN_S < 0.1
    assert on_a_line(scenario) == 2


def test_a_reply_that_is_left_with_an_error_takes_its_connection_with_it() -> None:
    async def scenario(line: Line) -> int:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED + b"5\r\nhello\r\n")
        with pytest.raises(ZeroDivisionError):
            await fail_within(await sending, peer)
        await peer.left()
        await line.exchange()
        return line.upstream.connections

    async def fail_within(reply: HttpReply, peer: Peer) -> None:
        async with reply:
            peer.say(LAST_CHUNK)
            raise ZeroDivisionError

    assert on_a_line(scenario) == 2


LAST_REPLIES = {
    "says that it closes": HEAD + b"connection: close\r\ncontent-length: 5\r\n\r\nhello",
    "speaks HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "says more than it was asked": SIZED + SIZED,
}


@pytest.mark.parametrize("said", LAST_REPLIES.values(), ids=LAST_REPLIES)
def test_a_connection_is_not_used_again_whose_peer(said: bytes) -> None:
    async def scenario(line: Line) -> int:
        peer = await line.exchange(said=said)
        await peer.left()
        await line.exchange()
        return line.upstream.connections

    assert on_a_line(scenario) == 2


BREAKS: dict[str, Callable[[Peer], None]] = {
    "closes": lambda peer: peer.close(),
    "resets": lambda peer: peer.reset(),
    "sends garbage": lambda peer: peer.say(b"garbage"),
}


@pytest.mark.parametrize("act", BREAKS.values(), ids=BREAKS)
def test_a_connection_is_not_used_again_after_an_answer_whose_peer(
    act: Callable[[Peer], None],
) -> None:
    async def scenario(line: Line) -> int:
        sending = line.send()
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(CHUNKED + b"5\r\nhello\r\n")
        reply = await sending
        act(peer)
        with pytest.raises(UpstreamError):
            await body_of(reply)
        await peer.left()
        await line.exchange()
        return line.upstream.connections

    assert on_a_line(scenario) == 2


AT_ONCE: dict[str, Callable[[Peer], None]] = {
    "closes": lambda peer: peer.end(),
    "sends garbage": lambda peer: peer.say(b"garbage"),
}


@pytest.mark.parametrize("act", AT_ONCE.values(), ids=AT_ONCE)
def test_an_idle_connection_is_not_used_again_whose_peer(act: Callable[[Peer], None]) -> None:
    """As after a short freeze, the loop has not yet heard of it when the request comes."""

    async def scenario(line: Line) -> int:
        act(await line.exchange())
        answering = asyncio.create_task(answer(line))
        assert await body_of(await line.provider.send(STREAMED)) == b"hello"
        await answering
        return line.upstream.connections

    async def answer(line: Line) -> None:
        peer = await line.upstream.accepted()
        await peer.request()
        peer.say(SIZED)

    assert on_a_line(scenario) == 2


@pytest.mark.parametrize(
    ("idle_s", "connections"),
    [(0.0, 1), (IDLE_S, 1), (IDLE_S + 0.1, 2), (600.0, 2), (-1.0, 2)],
    ids=["not at all", "short", "long", "frozen", "clock set back"],
)
def test_a_connection_that_a_freeze_may_have_killed_is_not_used(
    idle_s: float, connections: int
) -> None:
    """While a sandbox is frozen only the wall clock goes on, and no peer is heard."""

    async def scenario(line: Line) -> int:
        peer = await line.exchange()
        line.clock.freeze(idle_s)
        await line.exchange(peer if connections == 1 else None)
        return line.upstream.connections

    assert on_a_line(scenario) == connections


def test_after_a_freeze_in_which_the_peer_closed_a_request_succeeds_on_a_fresh_connection() -> None:
    async def scenario(line: Line) -> int:
        old = await line.exchange()
        line.clock.freeze(600)
        old.close()
        fresh = await line.exchange()
        await line.exchange(fresh)
        return line.upstream.connections

    assert on_a_line(scenario) == 2


def test_of_idle_connections_only_the_old_ones_are_given_up() -> None:
    async def scenario(line: Line) -> int:
        sending = [line.send(), line.send()]
        first, second = [await line.upstream.accepted() for _ in sending]
        for peer in (first, second):
            await peer.request()
        first.say(SIZED)
        await body_of(await sending[0])
        line.clock.advance(IDLE_S - 1)
        second.say(SIZED)
        await body_of(await sending[1])
        line.clock.advance(2)
        await line.exchange(second)
        await first.left()
        return line.upstream.connections

    assert on_a_line(scenario) == 2


def test_closing_the_pool_closes_what_is_idle() -> None:
    async def scenario(line: Line) -> int:
        peer = await line.exchange()
        line.pool.close()
        await peer.left()
        await line.exchange()
        return line.upstream.connections

    assert on_a_line(scenario) == 2


def test_a_cancelled_request_does_not_hurt_the_next() -> None:
    async def scenario(line: Line) -> int:
        peer = await line.exchange()
        sending = line.send()
        await peer.request()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        peer.say(SIZED)
        await line.exchange()
        return line.upstream.connections

    assert on_a_line(scenario) == 2

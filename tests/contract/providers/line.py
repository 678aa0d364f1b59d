"""A provider and the upstream that it calls, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.authentication import ApiKey
from forebay.adapters.providers.http import HttpAddress, HttpProvider, HttpReply
from forebay.model import UpstreamRequest
from forebay.settings import TimeoutSettings
from tests.support.upstream import Peer, Upstream

T = TypeVar("T")
KEY = "sk-CANARY"
STREAMED = UpstreamRequest("/chat/completions", {"content-type": "application/json"}, b"{}", True)
WHOLE = UpstreamRequest("/chat/completions", {"content-type": "application/json"}, b"{}", False)
PATIENT = TimeoutSettings()
HASTY = TimeoutSettings(first_byte_s=0.01, whole_answer_s=0.01, idle_s=0.01)
"""Shorter than any setting may be; for those tests whose subject is a real timer."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
SIZED = HEAD + b"content-length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


GUARD_S = 20.0
"""A test that would wait for ever fails instead."""


class Line:
    """A provider and the upstream that it calls."""

    def __init__(self, upstream: Upstream, timeouts: TimeoutSettings, key: str | None) -> None:
        self.upstream = upstream
        self.clock = ManualClock()
        self.pool = ConnectionPool(self.clock)

        async def find_key() -> str | None:
            return key

        url = f"http://127.0.0.1:{upstream.port}/base/v1"
        self.provider = HttpProvider(
            "acme", HttpAddress(url), ApiKey(find_key), timeouts, self.pool
        )

    def send(self, request: UpstreamRequest = STREAMED) -> asyncio.Task[HttpReply]:
        return asyncio.create_task(self.provider.send(request))

    async def exchange(self, peer: Peer | None = None, said: bytes = SIZED) -> Peer:
        """Let one whole exchange happen, over a new connection or a peer's."""
        sending = self.send()
        peer = peer or await self.upstream.accepted()
        await peer.request()
        peer.say(said)
        assert await body_of(await sending) == b"hello"
        return peer


async def body_of(reply: HttpReply) -> bytes:
    async with reply:
        return b"".join([part async for part in reply.chunks()])


def on_a_line(
    scenario: Callable[[Line], Coroutine[Any, Any, T]],
    timeouts: TimeoutSettings = PATIENT,
    key: str | None = KEY,
) -> T:
    async def main() -> T:
        async with asyncio.timeout(GUARD_S), Upstream() as upstream:
            line = Line(upstream, timeouts, key)
            try:
                return await scenario(line)
            finally:
                line.pool.close()

    return asyncio.run(main())

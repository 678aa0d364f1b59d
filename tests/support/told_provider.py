"""A provider that does as it is told, in process: each test states what comes, step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Self

from forebay.model import UpstreamRequest

Step = bytes | asyncio.Event | Exception
"""Bytes are sent, an event is waited for, an exception is raised."""

STREAM: Mapping[str, str] = {"content-type": "text/event-stream"}
JSON: Mapping[str, str] = {"content-type": "application/json"}


def chunk(content: str | None = None, *, finish: str | None = None) -> bytes:
    """One event of an OpenAI stream."""
    delta = {} if content is None else {"content": content}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def event(data: object) -> bytes:
    """Any JSON as an event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def usage(input_tokens: int, output_tokens: int) -> bytes:
    """The last chunk, where usage was asked for."""
    counts = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
    return event({"choices": [], "usage": counts})


DONE = b"data: [DONE]\n\n"


class ToldProvider:
    """Port `Provider`.

    Args:
        steps: Of the reply's body.
        status: Of the reply.
        headers: Of the reply.
        head: A step before the reply's head.
    """

    def __init__(
        self,
        *steps: Step,
        status: int = 200,
        headers: Mapping[str, str] = STREAM,
        head: Step | None = None,
    ) -> None:
        self.requests: list[UpstreamRequest] = []
        self.left = 0
        """Replies that were given back or closed."""
        self.waiting = asyncio.Event()
        """Set while a step waits for its event."""
        self.status = status
        self.headers = headers
        self._steps = steps
        self._head = head

    @property
    def asked(self) -> dict[str, Any]:
        """The body of the last request."""
        body: dict[str, Any] = json.loads(self.requests[-1].body)
        return body

    async def send(self, request: UpstreamRequest) -> ToldReply:
        self.requests.append(request)
        if self._head is not None:
            await self.do(self._head)
        return ToldReply(self, self._play())

    async def do(self, step: Step) -> bytes:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            self.waiting.set()
            await step.wait()
            self.waiting.clear()
            return b""
        return step

    async def _play(self) -> AsyncGenerator[bytes]:
        for step in self._steps:
            data = await self.do(step)
            if data:
                yield data


class ToldReply:
    """Port `UpstreamReply`."""

    def __init__(self, provider: ToldProvider, body: AsyncGenerator[bytes]) -> None:
        self.status = provider.status
        self.headers = provider.headers
        self._provider = provider
        self._body = body

    def chunks(self) -> AsyncGenerator[bytes]:
        return self._body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._provider.left += 1
        await self._body.aclose()

"""A provider that needs no network: deterministic answers, timed and broken as its settings say.

It speaks OpenAI's chat completions like any other upstream, in bytes, so what is tested with it
is the path that ships.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from itertools import cycle, islice
from types import TracebackType
from typing import Any, Self

import msgspec

from forebay.dialects import sse
from forebay.dialects.openai_chat import DONE
from forebay.errors import UpstreamCut, UpstreamUnavailable
from forebay.model import UpstreamRequest
from forebay.ports import Clock
from forebay.settings import ScriptedFailure, ScriptedSettings

TEXT = """Water waits behind the gate until the wheel can take it; what comes too fast is held,
what is held is not lost, and what is let through turns the mill."""
"""What it says, over and over: a forebay is the pool above a water wheel."""

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_HEAD_FAILURES: Mapping[ScriptedFailure, tuple[int, dict[str, str], bytes]] = {
    ScriptedFailure.STATUS_500: (
        500,
        {"content-type": JSON},
        b'{"error":{"message":"scripted failure","type":"server_error","param":null,"code":null}}',
    ),
    ScriptedFailure.STATUS_429: (
        429,
        {"content-type": JSON, "retry-after": "1"},
        b'{"error":{"message":"scripted","type":"rate_limit_error","param":null,"code":null}}',
    ),
    ScriptedFailure.HTML: (
        200,
        {"content-type": "text/html"},
        b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    ),
}
"""Failures that need no script: status, headers and body."""


class ScriptedProvider:
    """One scripted upstream.

    Args:
        name: Its configured name, for errors.
        script: What it does.
        clock: Waits between tokens.
    """

    def __init__(self, name: str, script: ScriptedSettings, clock: Clock) -> None:
        self._name = name
        self._script = script
        self._clock = clock

    async def send(self, request: UpstreamRequest) -> ScriptedReply:
        """Answer a request. See `ports.Provider`."""
        fail = self._script.fail
        if fail is ScriptedFailure.REFUSE:
            raise UpstreamUnavailable(f"{self._name} refuses by its script.", target=self._name)
        if fail in _HEAD_FAILURES:
            status, headers, body = _HEAD_FAILURES[fail]
            return ScriptedReply(status, headers, _once(body))
        writer = _Writer(msgspec.json.decode(request.body), self._script.tokens)
        chunks = self._stream(writer) if request.stream else self._whole(writer)
        content_type = EVENT_STREAM if request.stream else JSON
        return ScriptedReply(200, {"content-type": content_type}, chunks)

    async def _stream(self, writer: _Writer) -> AsyncGenerator[bytes]:
        script = self._script
        await self._clock.sleep(script.first_token_ms / 1000)
        if script.fail is ScriptedFailure.EMPTY:
            return
        if script.fail is ScriptedFailure.GARBAGE:
            yield sse.event(b"{this is no JSON")
            return
        yield writer.chunk({"role": "assistant", "content": ""})
        for index, word in enumerate(writer.words):
            await self._fail_after(index)
            if index:
                await self._clock.sleep(script.token_gap_ms / 1000)
            yield writer.chunk({"content": word})
        await self._fail_after(len(writer.words))
        yield writer.chunk({}, finish_reason=writer.finish_reason)
        if writer.include_usage:
            yield writer.usage_chunk()
        yield sse.event(DONE)

    async def _whole(self, writer: _Writer) -> AsyncGenerator[bytes]:
        script, count = self._script, len(writer.words)
        await self._clock.sleep((script.first_token_ms + count * script.token_gap_ms) / 1000)
        await self._fail_after(count)
        if script.fail is ScriptedFailure.GARBAGE:
            yield b"{this is no JSON"
        elif script.fail is not ScriptedFailure.EMPTY:
            yield writer.completion()

    async def _fail_after(self, tokens: int) -> None:
        """Cut or stall once so many tokens are out; a short answer, at its end."""
        if tokens < min(self._script.fail_after_tokens, self._script.tokens):
            return
        if self._script.fail is ScriptedFailure.CUT:
            raise UpstreamCut(f"{self._name} breaks off by its script.", target=self._name)
        if self._script.fail is ScriptedFailure.STALL:
            await self._clock.sleep(STALL_S)
            raise UpstreamUnavailable(f"{self._name} fell silent.", target=self._name)


STALL_S = 60.0
"""How long a stalled script is silent: the idle time-out that a provider over HTTP would have."""


class _Writer:
    """Writes one answer in OpenAI's shapes; equal requests get equal bytes."""

    def __init__(self, request: Mapping[str, Any], tokens: int) -> None:
        limit = request.get("max_completion_tokens") or request.get("max_tokens")
        written = min(tokens, limit) if isinstance(limit, int) else tokens
        words = islice(cycle(TEXT.split()), written)
        self.words = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
        self.finish_reason = "length" if written < tokens else "stop"
        self.include_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self._model = str(request.get("model"))
        self._choices = request.get("n") or 1
        prompt = msgspec.json.encode(request.get("messages")).decode()
        prompt_tokens = max(1, len(prompt.split()))
        completion_tokens = written * self._choices
        self._usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }

    def chunk(self, delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
        choices = [
            {"index": index, "delta": delta, "finish_reason": finish_reason}
            for index in range(self._choices)
        ]
        return sse.event(self._encode("chat.completion.chunk", choices=choices))

    def usage_chunk(self) -> bytes:
        return sse.event(self._encode("chat.completion.chunk", choices=[], usage=self._usage))

    def completion(self) -> bytes:
        message = {"role": "assistant", "content": "".join(self.words)}
        choices = [
            {"index": index, "message": message, "finish_reason": self.finish_reason}
            for index in range(self._choices)
        ]
        return self._encode("chat.completion", choices=choices, usage=self._usage)

    def _encode(self, kind: str, **fields: object) -> bytes:
        head = {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": self._model}
        return msgspec.json.encode({**head, **fields})


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


class ScriptedReply:
    """A reply out of the script. See `ports.UpstreamReply`."""

    def __init__(
        self, status: int, headers: Mapping[str, str], chunks: AsyncGenerator[bytes]
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as the script has it."""
        return self._chunks

    async def __aenter__(self) -> Self:
        """Hold the reply."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the script where it is."""
        await self._chunks.aclose()

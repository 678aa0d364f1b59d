"""Answers of Amazon Bedrock's ConverseStream, event by event.

Its events come in a binary framing, whose parser belongs to the adapter
(`adapters/providers/event_stream.py`). What gets here is a line of JSON for each frame:

    {"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"}}}
    {"exception":{"type":"throttlingException","message":"…"}}

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html and
API_runtime_ConverseStreamOutput.html there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.bedrock_converse_reader import (
    CamelStruct,
    TokenUsage,
    error_object,
    foreign_content,
    to_stop_reason,
    usage_events,
)
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Longest line that is kept in memory; a frame has at most 24 MB."""


class _Start(CamelStruct):
    role: str


class _ToolStart(CamelStruct):
    tool_use_id: str
    name: str


class _BlockStart(CamelStruct):
    tool_use: _ToolStart | None = None


class _BlockStartEvent(CamelStruct):
    content_block_index: int
    start: _BlockStart


class _ToolDelta(CamelStruct):
    input: str


class _ReasoningDelta(CamelStruct):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(CamelStruct):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None


class _DeltaEvent(CamelStruct):
    content_block_index: int
    delta: _Delta


class _Stop(CamelStruct):
    stop_reason: str


class _Metadata(CamelStruct):
    usage: TokenUsage


class _Exception(CamelStruct):
    type: str
    message: str = ""


class _Line(CamelStruct):
    """One event; just one of them is there."""

    message_start: _Start | None = None
    content_block_start: _BlockStartEvent | None = None
    content_block_delta: _DeltaEvent | None = None
    message_stop: _Stop | None = None
    metadata: _Metadata | None = None
    exception: _Exception | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


class ConverseStreamReader:
    """Reads a ConverseStream, line by line. See `canonical.AnswerReader`.

    Whole is an answer that has had its `messageStop` (invariant 3); `metadata` with the usage
    follows it, so the end of the answer is not yet the end of what to read.

    Args:
        answer_id: Of the answer: Bedrock gives it none.
        model: The target's model, which the stream does not name.
    """

    def __init__(self, answer_id: str, model: str) -> None:
        self._started = Started(answer_id, model)
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self._tools: dict[int, int] = {}
        self._began = False
        self._stopped = False
        self._ended = False
        self._failure: DialectError | None = None

    @property
    def ended(self) -> bool:
        """Whether the usage has come after the answer, or something that is no answer."""
        return self._ended

    def feed(self, received: bytes) -> list[Event]:
        """Take what came; return what it means."""
        events: list[Event] = []
        try:
            for line in self._lines(received):
                if self._ended:
                    break
                for event in self._read(line):
                    events.append(event)  # noqa: PERF402 - what came before a fault is kept
        except DialectError as error:
            self._failure, self._ended = error, True
        return events

    def end(self) -> list[Event]:
        """Take the end of the body.

        Raises:
            UpstreamReported: Bedrock sent an exception in place of an event.
            DialectError: It sent something else that is no event, or the answer is not whole.
        """
        if self._failure is not None:
            raise self._failure
        if not self._stopped:
            raise DialectError("the stream ended before the answer did")
        return []

    def _lines(self, received: bytes) -> Iterator[bytes]:
        *whole, rest = received.split(b"\n")
        for line in whole:
            yield b"".join((*self._partial, line))
            self._partial.clear()
            self._partial_bytes = 0
        self._partial.append(rest)
        self._partial_bytes += len(rest)
        if self._partial_bytes > MAX_LINE_BYTES:
            raise DialectError(f"an event of over {MAX_LINE_BYTES} bytes")

    def _read(self, data: bytes) -> Iterator[Event]:
        try:
            line = _decode_line(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DialectError("bytes that are no event of ConverseStream") from error
        if line.exception is not None:
            raise UpstreamReported(error_object(line.exception.message, line.exception.type))
        if line.message_start is not None:
            self._began = True
            yield self._started
        if line.content_block_start is not None:
            yield from self._block_started(line.content_block_start)
        if line.content_block_delta is not None:
            yield self._delta(line.content_block_delta)
        if line.message_stop is not None:
            yield self._stop(line.message_stop)
        if line.metadata is not None:
            self._ended = self._stopped
            yield from usage_events(line.metadata.usage)

    def _block_started(self, event: _BlockStartEvent) -> Iterator[Event]:
        self._check_within_message()
        tool = event.start.tool_use
        if tool is not None:
            position = self._tools.setdefault(event.content_block_index, len(self._tools))
            yield ToolUseStarted(position, tool.tool_use_id, tool.name)

    def _delta(self, event: _DeltaEvent) -> Event:
        self._check_within_message()
        delta = event.delta
        if delta.text is not None:
            return TextDelta(delta.text)
        if delta.tool_use is not None:
            position = self._tools.get(event.content_block_index)
            if position is None:
                raise DialectError("arguments of a tool that has no name")
            return ToolArgumentsDelta(position, delta.tool_use.input)
        if delta.reasoning_content is not None:
            thought = delta.reasoning_content
            return ThinkingDelta(thought.text or "", thought.signature, thought.redacted_content)
        raise foreign_content()

    def _stop(self, event: _Stop) -> Event:
        self._check_within_message()
        reason = to_stop_reason(event.stop_reason)
        self._stopped = True
        return Finished(reason)

    def _check_within_message(self) -> None:
        if not self._began or self._stopped:
            raise DialectError("content outside of a message")

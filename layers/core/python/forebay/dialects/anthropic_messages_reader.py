"""Anthropic's answers, streamed and whole, as events.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming,
https://platform.claude.com/docs/en/api/messages/create. Whole is an answer with a stop reason, and
a streamed one only with `message_stop` (invariant 3). Events, deltas and blocks of types that are
not known are passed over, as Anthropic's versioning policy asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from forebay.dialects import DialectError, UpstreamReported, sse
from forebay.dialects.anthropic_messages import (
    ReportedUsage,
    read_stop_reason,
    read_usage,
    updated,
)
from forebay.dialects.anthropic_messages_events import (
    DELTA_TYPES,
    Begun,
    BlockDelta,
    BlockStart,
    BlockStop,
    Change,
    Error,
    Known,
    MessageDelta,
    MessageStart,
    MessageStop,
    read_block,
    read_event,
)
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    UsageReported,
)
from forebay.dialects.exchange import Collected


@dataclass(slots=True)
class MessageStreamReader:
    """Reads a streamed answer.

    Usage is reported with `message_delta` only: what `message_start` says (one token of output) is
    not what a stream took that is cut later.
    """

    ended: bool = False
    """Whether there is no more to wait for: it is whole, or no answer."""
    begun: bool = False
    """Whether the answer's first event has come."""
    _events: sse.EventReader = field(default_factory=sse.EventReader)
    _failure: DialectError | None = None
    _usage: ReportedUsage = field(default_factory=ReportedUsage)
    _blocks: dict[int, int | None] = field(default_factory=dict)
    """Every block so far: a tool's position, or None."""
    _open: set[int] = field(default_factory=set)
    _tools: int = 0
    _change: Change = field(default_factory=Change)

    def feed(self, received: bytes) -> list[Event]:
        """Take what came; return what it means. See `AnswerReader.feed`."""
        events: list[Event] = []
        try:
            for data in self._events.feed(received):
                if self.ended:
                    break
                events += self.take(read_event(data))
        except DialectError as error:
            self._failure, self.ended = error, True
        return events

    def end(self) -> list[Event]:
        """Take the end of the body. See `AnswerReader.end`."""
        if self._failure is not None:
            raise self._failure
        if not self.ended:
            raise DialectError("the stream ended before the answer did")
        return []

    def take(self, event: Known | None) -> list[Event]:
        """Take one event of `read_event`; return what it means.

        Raises:
            UpstreamReported: It is an error object.
            DialectError: It cannot come here.
        """
        if event is None:
            return []
        if isinstance(event, Error):
            raise UpstreamReported(event.error)
        if isinstance(event, MessageStart):
            return self._start(event.message)
        if not self.begun:
            raise DialectError("an answer without a beginning")
        if isinstance(event, MessageStop):
            return self._stop()
        return self._continue(event)

    def _continue(self, event: BlockStart | BlockDelta | BlockStop | MessageDelta) -> list[Event]:
        match event:
            case BlockDelta():
                return self._read_delta(event)
            case BlockStart():
                return self._start_block(event)
            case BlockStop():
                return self._stop_block(event.index)
            case _:
                return self._change_message(event)

    def _start(self, message: Begun) -> list[Event]:
        if self.begun:
            raise DialectError("an answer with two beginnings")
        self.begun = True
        self._usage = message.usage or self._usage
        return [Started(message.id, message.model)]

    def _start_block(self, start: BlockStart) -> list[Event]:
        if start.index in self._blocks:
            raise DialectError("two content blocks of one index")
        is_tool = start.content_block.get("type") == "tool_use"
        events = read_block(start.content_block, self._tools)
        self._blocks[start.index] = self._tools if is_tool else None
        self._open.add(start.index)
        self._tools += is_tool
        return events

    def _read_delta(self, event: BlockDelta) -> list[Event]:
        if event.index not in self._open:
            raise DialectError("a delta of no open content block")
        match event.delta:
            case {"type": "text_delta", "text": str(text)}:
                return [TextDelta(text)]
            case {"type": "input_json_delta", "partial_json": str(text)}:
                position = self._blocks[event.index]
                # None: the input of a tool that Anthropic runs itself.
                return [] if position is None else [ToolArgumentsDelta(position, text)]
            case {"type": "thinking_delta", "thinking": str(text)}:
                return [ThinkingDelta(text)]
            case {"type": "signature_delta", "signature": str(signature)}:
                return [ThinkingDelta(signature=signature)]
            case {"type": str(kind)} if kind not in DELTA_TYPES:
                return []
            case _:
                raise DialectError("a delta that is none")

    def _stop_block(self, index: int) -> list[Event]:
        if index not in self._open:
            raise DialectError("the end of no open content block")
        self._open.remove(index)
        return []

    def _change_message(self, event: MessageDelta) -> list[Event]:
        if event.delta.stop_reason is not None:
            self._change = event.delta
        if event.usage is None:
            return []
        self._usage = updated(self._usage, event.usage)
        usage = read_usage(self._usage)
        return [] if usage is None else [UsageReported(usage)]

    def _stop(self) -> list[Event]:
        change = self._change
        if change.stop_reason is None or self._open:
            raise DialectError("the end of an answer that is not whole")
        self.ended = True
        return [Finished(read_stop_reason(change.stop_reason), change.stop_sequence)]


# --- an answer in one piece


class _Message(msgspec.Struct):
    id: str
    model: str
    content: list[dict[str, Any]]
    stop_reason: str
    stop_sequence: str | None = None
    usage: ReportedUsage | None = None


class _Failed(msgspec.Struct):
    error: dict[str, Any]


_decode_message = msgspec.json.Decoder(_Message).decode
_decode_failed = msgspec.json.Decoder(_Failed).decode


@dataclass(slots=True)
class MessageReader:
    """Reads an answer in one piece."""

    _body: Collected = field(default_factory=Collected)

    @property
    def ended(self) -> bool:
        """Whether reading on is of no use."""
        return self._body.too_large

    def feed(self, received: bytes) -> list[Event]:
        """Take what came. See `AnswerReader.feed`."""
        self._body.add(received)
        return []

    def end(self) -> list[Event]:
        """Take the end of the body; return the whole answer. See `AnswerReader.end`."""
        message = _read_message(self._body.whole())
        events: list[Event] = [Started(message.id, message.model)]
        tools = 0
        for block in message.content:
            events += read_block(block, tools)
            tools += block.get("type") == "tool_use"
        usage = read_usage(message.usage or ReportedUsage())
        if usage is not None:
            events.append(UsageReported(usage))
        reason = read_stop_reason(message.stop_reason)
        return [*events, Finished(reason, message.stop_sequence)]


def _read_message(body: bytes) -> _Message:
    try:
        return _decode_message(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            reported = _decode_failed(body).error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise DialectError("bytes that are no message") from error
        raise UpstreamReported(reported) from error

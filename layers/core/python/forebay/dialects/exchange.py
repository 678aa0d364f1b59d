"""One request to one target, and its answer on the way back to the caller.

Two ways: `ChatStreamExchange` and `WholeExchange` pass bytes on to a caller of the same dialect as
they came (`anthropic_messages_exchange` has the like for Anthropic's); `TranslatedExchange`
reads one dialect and writes another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    AnswerReader,
    AnswerWriter,
    Event,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.openai_chat import ChatRequest, parse_completion
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.model import UpstreamRequest, Usage

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Largest unstreamed reply that is kept in memory; an answer of 128k tokens is under 1 MB."""

EVENT_STREAM = "text/event-stream"

UsageNote = Callable[[Usage], Mapping[str, str]]
"""What only the gateway knows of a usage, e.g. `{"cost_usd": "0.000064250"}`."""

ReadWhole = Callable[[bytes], tuple[list[str], Usage | None]]
"""Reads the text and the usage of an answer in one piece."""


class Exchange(Protocol):
    """Carries one answer from a target's bytes to the caller's. Sans-IO."""

    @property
    def request(self) -> UpstreamRequest:
        """What is sent to the target."""
        ...

    @property
    def content_type(self) -> str:
        """What the reply's content type must begin with; empty: anything."""
        ...

    @property
    def text(self) -> list[str]:
        """The answer so far, in pieces, for counting tokens; always the same list."""
        ...

    @property
    def usage(self) -> Usage | None:
        """As reported so far."""
        ...

    @property
    def ended(self) -> bool:
        """Whether there is no more to wait for."""
        ...

    def feed(self, received: bytes) -> bytes:
        """Take bytes of the target and return what the caller gets for them, maybe nothing."""
        ...

    def end(self) -> bytes:
        """Return the end of a whole answer (all of it, if it goes out in one piece).

        Raises:
            UpstreamReported: The target reported an error in its answer.
            DialectError: The answer is none, or not whole.
        """
        ...


class ChatStreamExchange:
    """OpenAI's stream to an OpenAI caller, chunk by chunk as it came."""

    content_type = EVENT_STREAM

    def __init__(self, asked: ChatRequest, request: UpstreamRequest, note: UsageNote) -> None:
        self.request = request
        self._stream = ChatStream(asked.choices, asked.include_usage)
        self._note = note

    @property
    def text(self) -> list[str]:
        """The answer so far."""
        return self._stream.text

    @property
    def usage(self) -> Usage | None:
        """As reported so far."""
        return self._stream.usage

    @property
    def ended(self) -> bool:
        """Whether the target has said `[DONE]`."""
        return self._stream.ended

    def feed(self, received: bytes) -> bytes:
        """Pass on what came, as far as it is meant for the caller."""
        return self._stream.feed(received)

    def end(self) -> bytes:
        """Return the usage chunk, if it was asked for, and `[DONE]`."""
        usage = self._stream.usage
        return self._stream.end(dict(self._note(usage)) if usage else None)


class WholeExchange:
    """An answer in one piece, as it came.

    Args:
        request: What is sent to the target.
        read: Reads the text and the usage of a body; raises what `Exchange.end` does.
    """

    content_type = ""

    def __init__(self, request: UpstreamRequest, read: ReadWhole) -> None:
        self.request = request
        self.text: list[str] = []
        self.usage: Usage | None = None
        self._read = read
        self._body = Collected()

    @property
    def ended(self) -> bool:
        """Whether reading on is of no use."""
        return self._body.too_large

    def feed(self, received: bytes) -> bytes:
        """Keep what came."""
        self._body.add(received)
        return b""

    def end(self) -> bytes:
        """Return the answer, once it is known to be one."""
        body = self._body.whole()
        text, self.usage = self._read(body)
        self.text += text
        return body


def read_completion(body: bytes) -> tuple[list[str], Usage | None]:
    """Read OpenAI's answer in one piece."""
    completion = parse_completion(body)
    return [completion.text], completion.usage


class TranslatedExchange:
    """One dialect's answer in another's words."""

    def __init__(
        self,
        request: UpstreamRequest,
        content_type: str,
        reader: AnswerReader,
        writer: AnswerWriter,
        note: UsageNote,
    ) -> None:
        self.request = request
        self.content_type = content_type
        self.text: list[str] = []
        self.usage: Usage | None = None
        self._reader = reader
        self._writer = writer
        self._note = note

    @property
    def ended(self) -> bool:
        """Whether the target's answer is over."""
        return self._reader.ended

    def feed(self, received: bytes) -> bytes:
        """Translate what came."""
        return self._pass_on(self._reader.feed(received))

    def end(self) -> bytes:
        """Translate what the end of the body completes, and end the answer."""
        rest = self._pass_on(self._reader.end())
        return rest + self._writer.end(self._note(self.usage) if self.usage else None)

    def _pass_on(self, events: list[Event]) -> bytes:
        self.text += text_of(events)
        self.usage = usage_of(events) or self.usage
        return self._writer.write(events)


def text_of(events: list[Event]) -> list[str]:
    """Return what events add to an answer, in pieces, for counting tokens."""
    texts: list[str] = []
    for event in events:
        match event:
            case TextDelta() | RefusalDelta() | ThinkingDelta() | ToolArgumentsDelta():
                texts.append(event.text)
            case ToolUseStarted():
                texts.append(event.name)
            case _:
                pass
    return texts


def usage_of(events: list[Event]) -> Usage | None:
    """Return the last usage that events report."""
    reported = [event.usage for event in events if isinstance(event, UsageReported)]
    return reported[-1] if reported else None


class Collected:
    """A body on its way into memory, up to `MAX_REPLY_BYTES`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def too_large(self) -> bool:
        """Whether more came than is kept."""
        return self._size > MAX_REPLY_BYTES

    def add(self, part: bytes) -> None:
        """Keep a part."""
        self._size += len(part)
        if not self.too_large:
            self._parts.append(part)

    def whole(self) -> bytes:
        """Return the body.

        Raises:
            DialectError: It was over the limit.
        """
        if self.too_large:
            raise DialectError(f"an answer of too many bytes, over {MAX_REPLY_BYTES}")
        return b"".join(self._parts)

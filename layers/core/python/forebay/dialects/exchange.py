"""One request to one target, and its answer on the way back to the caller.

Two ways: bytes are passed on as they came to a caller of the same dialect (`WholeExchange`, and for
streams `openai_chat_exchange` and `anthropic_messages_exchange`); `TranslatedExchange` reads one
dialect and writes another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

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
from forebay.dialects.continuation import Interrupted
from forebay.dialects.held_tools import HeldTools
from forebay.dialects.shown import Shown
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

    @property
    def shown(self) -> bool:
        """Whether anything that `feed` returned means something to the caller.

        Until then it is but a preface (a role, an id): a caller who did not get it misses nothing.
        """
        ...

    def feed(self, received: bytes) -> bytes:
        """Take bytes of the target and return what the caller gets for them, maybe nothing."""
        ...

    def interrupted(self) -> Interrupted | None:
        """Return what another target would go on from, if the caller has all that `feed` returned.

        None: nothing was shown, or nobody else could go on after what was.
        """
        ...

    def end(self) -> bytes:
        """Return the end of a whole answer (all of it, if it goes out in one piece).

        Raises:
            UpstreamReported: The target reported an error in its answer.
            DialectError: The answer is none, or not whole.
        """
        ...


class WholeExchange:
    """An answer in one piece, as it came.

    Args:
        request: What is sent to the target.
        read: Reads the text and the usage of a body; raises what `Exchange.end` does.
    """

    content_type = ""
    shown = False

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

    def interrupted(self) -> Interrupted | None:
        """Return None: nothing goes out before the end."""
        return None

    def end(self) -> bytes:
        """Return the answer, once it is known to be one."""
        body = self._body.whole()
        text, self.usage = self._read(body)
        self.text += text
        return body


class TranslatedExchange:
    """One dialect's answer in another's words.

    Args:
        request: What is sent to the target.
        content_type: What the reply's must begin with.
        reader: Reads the target's answer.
        writer: Writes the caller's.
        note: What only the gateway knows of a usage.
        hold_tools: Whether what comes from the first tool call on waits for the end.
    """

    def __init__(
        self,
        request: UpstreamRequest,
        content_type: str,
        reader: AnswerReader,
        writer: AnswerWriter,
        note: UsageNote,
        *,
        hold_tools: bool = True,
    ) -> None:
        self.request = request
        self.content_type = content_type
        self.text: list[str] = []
        self.usage: Usage | None = None
        self._reader = reader
        self._writer = writer
        self._note = note
        self._tools = HeldTools(on=hold_tools)
        self._shown = Shown()

    @property
    def ended(self) -> bool:
        """Whether the target's answer is over."""
        return self._reader.ended

    @property
    def shown(self) -> bool:
        """Whether anything that means something was written."""
        return self._shown.anything

    def feed(self, received: bytes) -> bytes:
        """Translate what came."""
        ready = self._tools.take(self._read(self._reader.feed(received)))
        return b"".join([self._write(event) for event in ready])

    def interrupted(self) -> Interrupted | None:
        """Return what another target would go on from: the same writer writes on."""
        return self._shown.interrupted(self._writer, self.usage)

    def end(self) -> bytes:
        """Translate what the end of the body completes, and end the answer."""
        last = self._tools.take(self._read(self._reader.end()))
        rest = self._writer.write([*last, *self._tools.release()])
        return rest + self._writer.end(self._note(self.usage) if self.usage else None)

    def _write(self, event: Event) -> bytes:
        """Write an event; what has no place in the caller's dialect is not shown."""
        written = self._writer.write([event])
        if written:
            self._shown.saw([event])
        return written

    def _read(self, events: list[Event]) -> list[Event]:
        self.text += text_of(events)
        self.usage = usage_of(events) or self.usage
        return events


_WITH_TEXT: Final = (TextDelta, RefusalDelta, ThinkingDelta, ToolArgumentsDelta)


def text_of(events: list[Event]) -> list[str]:
    """Return what events add to an answer, in pieces, for counting tokens."""
    texts: list[str] = []
    for event in events:
        if isinstance(event, _WITH_TEXT):
            texts.append(event.text)
        elif isinstance(event, ToolUseStarted):
            texts.append(event.name)
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

"""Anthropic's answers to an Anthropic caller, as they came.

The readers that translate answers elsewhere read along: they know what is a whole answer
(invariant 3), its text and its usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from forebay.dialects import DialectError, sse
from forebay.dialects.anthropic_messages_events import event_type
from forebay.dialects.anthropic_messages_reader import MessageReader, MessageStreamReader
from forebay.dialects.exchange import EVENT_STREAM, Collected, UsageNote, text_of, usage_of
from forebay.model import UpstreamRequest, Usage


class MessageStreamExchange:
    """A stream, event by event as it came; `usage` of `message_delta` gets the gateway's note.

    `message_stop` goes out only after a whole answer. What comes before `message_start` is no
    sign of an answer, and is not passed on.
    """

    content_type = EVENT_STREAM

    def __init__(self, request: UpstreamRequest, note: UsageNote) -> None:
        self.request = request
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.ended = False
        self._note = note
        self._events = sse.EventReader()
        self._reader = MessageStreamReader()
        self._failure: DialectError | None = None
        self._stop = b""

    def feed(self, received: bytes) -> bytes:
        """Pass on what came. What is no event ends the stream; `end` raises it."""
        passed_on: list[bytes] = []
        try:
            for data in self._events.feed(received):
                if self.ended:
                    break
                passed_on.append(self._pass_on(data))
        except DialectError as error:
            self._failure, self.ended = error, True
        return b"".join(passed_on)

    def end(self) -> bytes:
        """Return `message_stop`."""
        if self._failure is not None:
            raise self._failure
        if not self.ended:
            raise DialectError("the stream ended before the answer did")
        return self._stop

    def _pass_on(self, data: bytes) -> bytes:
        events = self._reader.read(data)
        self.text += text_of(events)
        self.usage = usage_of(events) or self.usage
        kind = event_type(data)
        if kind == "message_delta" and self.usage is not None:
            data = _with_usage_note(data, self._note(self.usage))
        event = b"event: %b\n%b" % (kind.encode(), sse.event(data))
        if self._reader.ended:
            self._stop, self.ended = event, True
            return b""
        return event if self._reader.begun else b""


class MessageWholeExchange:
    """An answer in one piece, as it came."""

    content_type = ""

    def __init__(self, request: UpstreamRequest) -> None:
        self.request = request
        self.text: list[str] = []
        self.usage: Usage | None = None
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
        reader = MessageReader()
        reader.feed(body)
        events = reader.end()
        self.text += text_of(events)
        self.usage = usage_of(events)
        return body


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_usage = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def _with_usage_note(data: bytes, note: Mapping[str, str]) -> bytes:
    """Add `usage.forebay` to an event that may have a usage object; all else stays as it came."""
    fields: dict[str, Any] = dict(_decode_fields(data))
    usage = _decode_usage(fields.get("usage", b"null"))
    if usage is None:
        return data
    return msgspec.json.encode({**fields, "usage": {**usage, "forebay": note}})

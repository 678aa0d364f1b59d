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
from forebay.dialects.exchange import EVENT_STREAM, UsageNote, text_of, usage_of
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
        event = sse.event(data, name=kind)
        if self._reader.ended:
            self._stop, self.ended = event, True
            return b""
        return event if self._reader.begun else b""


def read_message(body: bytes) -> tuple[list[str], Usage | None]:
    """Read an answer in one piece."""
    reader = MessageReader()
    reader.feed(body)
    events = reader.end()
    return text_of(events), usage_of(events)


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_usage = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def _with_usage_note(data: bytes, note: Mapping[str, str]) -> bytes:
    """Add `usage.forebay` to an event that may have a usage object; all else stays as it came."""
    fields: dict[str, Any] = dict(_decode_fields(data))
    usage = _decode_usage(fields.get("usage", b"null"))
    if usage is None:
        return data
    return msgspec.json.encode({**fields, "usage": {**usage, "forebay": note}})

"""Anthropic's answers to an Anthropic caller, as they came.

The readers that translate answers elsewhere read along: they know what is a whole answer
(invariant 3), its text and its usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from typing_extensions import override

from forebay.dialects import DialectError, sse
from forebay.dialects.anthropic_messages_events import event_type, read_event
from forebay.dialects.anthropic_messages_reader import MessageReader, MessageStreamReader
from forebay.dialects.anthropic_messages_shown import ShownMessage
from forebay.dialects.continuation import Interrupted
from forebay.dialects.event_by_event import EventByEvent
from forebay.dialects.exchange import EVENT_STREAM, UsageNote, text_of, usage_of
from forebay.dialects.held_tools import HeldTools
from forebay.model import UpstreamRequest, Usage


class MessageStreamExchange(EventByEvent):
    """A stream, event by event as it came; `usage` of `message_delta` gets the gateway's note.

    `message_stop` goes out only after a whole answer. What comes before `message_start` is no
    sign of an answer, and is not passed on.

    Args:
        request: What is sent to the target.
        note: What only the gateway knows of a usage.
        hold_tools: Whether what comes from the first tool call on waits for the end.
    """

    content_type = EVENT_STREAM

    def __init__(
        self, request: UpstreamRequest, note: UsageNote, *, hold_tools: bool = True
    ) -> None:
        self.request = request
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.ended = False
        self._note = note
        self._events = sse.EventReader()
        self._reader = MessageStreamReader()
        self._failure: DialectError | None = None
        self._tools = HeldTools(on=hold_tools)
        self._last: list[bytes] = []
        self._shown = ShownMessage()

    @property
    def shown(self) -> bool:
        """Whether anything that means something was passed on."""
        return self._shown.anything

    def interrupted(self) -> Interrupted | None:
        """Return what another target would go on from."""
        return self._shown.interrupted(self.usage)

    def end(self) -> bytes:
        """Return what waited for the end, and `message_stop`."""
        self._check()
        if not self.ended:
            raise DialectError("the stream ended before the answer did")
        self._tools.release()  # for its checks: what goes out is what came
        return b"".join(self._last)

    @override
    def _pass_on(self, data: bytes) -> bytes:
        event = read_event(data)
        meaning = self._reader.take(event)
        self.text += text_of(meaning)
        self.usage = usage_of(meaning) or self.usage
        kind = event_type(event, data)
        if kind == "message_delta" and self.usage is not None:
            data = _with_usage_note(data, self._note(self.usage))
        written = sse.event(data, name=kind)
        self._tools.take(meaning)
        self.ended = self._reader.ended
        if self.ended or self._tools.holding:
            self._last.append(written)
            return b""
        if not self._reader.begun:
            return b""
        if kind != "ping":
            self._shown.saw(event, meaning)
        return written


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

"""Events as the output items of a response: which is open, its index, what goes into it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)
from forebay.dialects.openai_responses_secrets import close_secret

ItemEvent = dict[str, Any]
"""`response.output_item.added`, … without `sequence_number`."""

Status = Literal["completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class _PartKind:
    """What a kind of part is called."""

    item: Literal["message", "reasoning"]
    """The type of the item that it belongs to."""
    parts: str
    """The item's list of parts."""
    type: str
    key: str
    """The part's text."""
    index: str
    part_event: str
    text_event: str
    of_part: Mapping[str, Any] = field(default_factory=dict)
    of_text_event: Mapping[str, Any] = field(default_factory=dict)


_TEXT: Final = _PartKind(
    "message",
    "content",
    "output_text",
    "text",
    "content_index",
    "response.content_part",
    "response.output_text",
    {"annotations": [], "logprobs": []},
    {"logprobs": []},
)
_REFUSAL: Final = _PartKind(
    "message",
    "content",
    "refusal",
    "refusal",
    "content_index",
    "response.content_part",
    "response.refusal",
)
# What providers show of a model's reasoning is a summary of it, in most cases.
_SUMMARY: Final = _PartKind(
    "reasoning",
    "summary",
    "summary_text",
    "text",
    "summary_index",
    "response.reasoning_summary_part",
    "response.reasoning_summary_text",
)


@dataclass(slots=True)
class _Open:
    """An item that is not done."""

    index: int
    fields: dict[str, Any]
    part: _PartKind | None = None
    pieces: list[str] = field(default_factory=list)
    """Text of the open part, or arguments of a call."""

    def event(self, kind: str, **more: Any) -> ItemEvent:
        return {
            "type": kind,
            "item_id": self.fields["id"],
            "output_index": self.index,
            **more,
        }


@dataclass(slots=True)
class Items:
    """Turns events into those of output items.

    One message or one thought is open at a time. Calls of functions stay open until the answer
    ends, since some providers interleave their arguments.

    Args:
        id: The response's, without its prefix; items' ids are made of it.
    """

    id: str
    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Items that are done, by their index."""
    _next: int = 0
    _spoken: _Open | None = None
    _calls: dict[int, _Open] = field(default_factory=dict)
    """By the tool's position."""

    def take(self, event: Event) -> list[ItemEvent]:
        """Return what an event means for the items, maybe nothing.

        Raises:
            DialectError: Arguments of a function whose call did not begin.
        """
        match event:
            case TextDelta(text=text):
                return self._say(_TEXT, text)
            case RefusalDelta(text=text):
                return self._say(_REFUSAL, text)
            case ThinkingDelta():
                return self._think(event)
            case ToolUseStarted():
                return self._call(event)
            case ToolArgumentsDelta():
                return self._argue(event)
            case _:
                return []

    def close(self, status: Status) -> list[ItemEvent]:
        """End what is open: the answer has ended.

        Args:
            status: Of what is open: `incomplete` if the answer was cut off at a limit.
        """
        events = self._close_spoken(status)
        for call in self._calls.values():
            events += self._close_call(call, status)
        self._calls.clear()
        return events

    # --- messages and reasoning

    def _say(self, kind: _PartKind, text: str) -> list[ItemEvent]:
        if not text:
            return []
        events: list[ItemEvent] = []
        spoken = self._spoken
        if spoken is None or spoken.fields["type"] != kind.item:
            events, spoken = self._open_spoken(kind.item)
        if spoken.part is not kind:
            events += _close_part(spoken)
            events.append(_open_part(spoken, kind))
        spoken.pieces.append(text)
        events.append(_text_event(spoken, kind, "delta", delta=text))
        return events

    def _think(self, thought: ThinkingDelta) -> list[ItemEvent]:
        secret = close_secret(signature=thought.signature, redacted=thought.redacted)
        events = self._close_spoken() if thought.redacted is not None else []
        events += self._say(_SUMMARY, thought.text)
        if secret is None:
            return events
        spoken = self._spoken  # a secret ends the thought that it belongs to
        if spoken is None or spoken.fields["type"] != "reasoning":
            opened, spoken = self._open_spoken("reasoning")
            events += opened
        spoken.fields["encrypted_content"] = secret
        return events + self._close_spoken()

    def _open_spoken(self, kind: str) -> tuple[list[ItemEvent], _Open]:
        events = self._close_spoken()
        if kind == "message":
            item = self._item(f"msg_{self.id}_{self._next}", kind, role="assistant", content=[])
        else:
            item = self._item(f"rs_{self.id}_{self._next}", kind, summary=[])
        self._spoken = item
        return [*events, _added(item)], item

    def _close_spoken(self, status: Status = "completed") -> list[ItemEvent]:
        spoken, self._spoken = self._spoken, None
        if spoken is None:
            return []
        return [*_close_part(spoken), self._done(spoken, status)]

    # --- calls

    def _call(self, tool: ToolUseStarted) -> list[ItemEvent]:
        events = self._close_spoken()
        call = {"call_id": tool.id, "name": tool.name, "arguments": ""}
        item = self._item(f"fc_{self.id}_{self._next}", "function_call", **call)
        self._calls[tool.position] = item
        return [*events, _added(item)]

    def _argue(self, event: ToolArgumentsDelta) -> list[ItemEvent]:
        call = self._calls.get(event.position)
        if call is None:
            raise DialectError("arguments of no open tool use")
        if not event.text:
            return []
        call.pieces.append(event.text)
        return [call.event("response.function_call_arguments.delta", delta=event.text)]

    def _close_call(self, call: _Open, status: Status) -> list[ItemEvent]:
        whole = "".join(call.pieces)
        # Empty means "no arguments"; what was cut off before it began stays as it is.
        arguments = whole if whole or status == "incomplete" else "{}"
        call.fields["arguments"] = arguments
        said = call.event("response.function_call_arguments.done", arguments=arguments)
        return [said, self._done(call, status)]

    # --- any item

    def _item(self, item_id: str, kind: str, **fields: Any) -> _Open:
        item = _Open(self._next, {"id": item_id, "type": kind, "status": "in_progress", **fields})
        self._next += 1
        return item

    def _done(self, item: _Open, status: Status) -> ItemEvent:
        whole = {**item.fields, "status": status}
        self.done[item.index] = whole
        return {"type": "response.output_item.done", "output_index": item.index, "item": whole}


def _added(item: _Open) -> ItemEvent:
    bare = {name: [] if isinstance(value, list) else value for name, value in item.fields.items()}
    return {"type": "response.output_item.added", "output_index": item.index, "item": bare}


def _part_event(spoken: _Open, kind: _PartKind, step: str, text: str) -> ItemEvent:
    index = {kind.index: len(spoken.fields[kind.parts])}
    part = {"type": kind.type, kind.key: text, **kind.of_part}
    return spoken.event(f"{kind.part_event}.{step}", **index, part=part)


def _text_event(spoken: _Open, kind: _PartKind, step: str, **text: str) -> ItemEvent:
    index = {kind.index: len(spoken.fields[kind.parts])}
    return spoken.event(f"{kind.text_event}.{step}", **index, **text, **kind.of_text_event)


def _open_part(spoken: _Open, kind: _PartKind) -> ItemEvent:
    spoken.part = kind
    return _part_event(spoken, kind, "added", "")


def _close_part(spoken: _Open) -> list[ItemEvent]:
    kind, spoken.part = spoken.part, None
    if kind is None:
        return []
    text = "".join(spoken.pieces)
    spoken.pieces.clear()
    said = _text_event(spoken, kind, "done", **{kind.key: text})
    done = _part_event(spoken, kind, "done", text)
    spoken.fields[kind.parts].append(done["part"])
    return [said, done]

"""Events as an answer of Anthropic's messages, streamed and whole.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming,
https://platform.claude.com/docs/en/api/messages/create.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages import WRITTEN_STOP_REASONS, write_event, write_usage
from forebay.dialects.anthropic_messages_blocks import BlockEvent, Blocks
from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    UsageReported,
)
from forebay.model import Usage


@dataclass(slots=True)
class _Ending:
    """What comes last of an answer, as far as it is known."""

    usage: Usage | None = None
    _finished: Finished | None = None
    _refused: bool = False

    def take(self, event: Event) -> None:
        match event:
            case UsageReported():
                self.usage = event.usage
            case Finished():
                self._finished = event
            case RefusalDelta():
                self._refused = True
            case _:
                pass

    def reason(self) -> dict[str, Any]:
        """Write the stop reason.

        Raises:
            DialectError: There is none: the answer is not whole, whoever says so.
        """
        if self._finished is None:
            raise DialectError("the end of an answer that did not finish")
        reason = StopReason.REFUSAL if self._refused else self._finished.reason
        return {
            "stop_reason": WRITTEN_STOP_REASONS[reason],
            "stop_sequence": self._finished.stop_sequence,
        }

    def usage_with(self, note: Mapping[str, str] | None) -> dict[str, Any]:
        usage = write_usage(self.usage)
        return usage if note is None else {**usage, "forebay": note}


@dataclass(slots=True)
class MessageStreamWriter:
    """Writes a streamed answer.

    Args:
        blocks: Where it stands: at its beginning, or where another stopped.
    """

    blocks: Blocks = field(default_factory=Blocks)
    _ending: _Ending = field(default_factory=_Ending)

    def write(self, events: list[Event]) -> bytes:
        """Return what the caller gets now. See `AnswerWriter.write`."""
        for event in events:
            self._ending.take(event)
        return b"".join(write_event(fields) for event in events for fields in self._events(event))

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the end of a whole answer. See `AnswerWriter.end`."""
        delta, usage = self._ending.reason(), self._ending.usage_with(note)
        last: list[dict[str, Any]] = [
            *self.blocks.close(),
            {"type": "message_delta", "delta": delta, "usage": usage},
            {"type": "message_stop"},
        ]
        return b"".join(write_event(fields) for fields in last)

    def _events(self, event: Event) -> list[dict[str, Any]]:
        match event:
            case Started():
                usage = {**write_usage(self._ending.usage), "output_tokens": 0}
                return [{"type": "message_start", "message": _message(event, usage)}]
            case Finished():
                return self.blocks.close()
            case _:
                return self.blocks.take(event)


@dataclass(slots=True)
class MessageWriter:
    """Writes an answer in one piece."""

    _blocks: Blocks = field(default_factory=Blocks)
    _ending: _Ending = field(default_factory=_Ending)
    _started: Started = field(default_factory=lambda: Started("", ""))
    _events: list[BlockEvent] = field(default_factory=list)

    def write(self, events: list[Event]) -> bytes:
        """Keep what the answer consists of. See `AnswerWriter.write`."""
        for event in events:
            self._ending.take(event)
            self._events += self._blocks.take(event)
            if isinstance(event, Started):
                self._started = event
        return b""

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the answer. See `AnswerWriter.end`."""
        self._events += self._blocks.close()
        reason, usage = self._ending.reason(), self._ending.usage_with(note)
        content = _content(self._events, cut=reason["stop_reason"] == "max_tokens")
        return msgspec.json.encode(_message(self._started, usage, content=content, **reason))


def _message(started: Started, usage: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    return {
        "id": started.id,
        "type": "message",
        "role": "assistant",
        "model": started.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
        **known,
    }


_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _content(events: list[BlockEvent], *, cut: bool) -> list[dict[str, Any]]:
    """Put the pieces of the blocks together.

    Args:
        events: What the blocks consist of.
        cut: Whether the answer ended at its limit: then a tool's input may be incomplete, and
            such a tool is left out, since nobody may call it.

    Raises:
        DialectError: The input of a tool is no JSON object.
    """
    blocks: list[dict[str, Any]] = []
    pieces: list[dict[str, list[str]]] = []
    for event in events:
        if "content_block" in event:
            blocks.append(event["content_block"])
            pieces.append({})
        elif "delta" in event:
            ((name, text),) = ((k, v) for k, v in event["delta"].items() if k != "type")
            pieces[-1].setdefault(name, []).append(text)
    whole: list[dict[str, Any]] = []
    for block, parts in zip(blocks, pieces, strict=True):
        texts = {name: "".join(texts) for name, texts in parts.items()}
        try:
            whole.append({**block, **_with_input(texts)})
        except DialectError:
            if not cut:
                raise
    return whole


def _with_input(texts: dict[str, str]) -> dict[str, Any]:
    """Turn the text of a tool's input into the input."""
    arguments = texts.pop("partial_json", None)
    if arguments is None:
        return texts
    try:
        _decode_object(arguments)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DialectError("a tool's input that is no JSON object") from error
    return {"input": msgspec.Raw(arguments)}

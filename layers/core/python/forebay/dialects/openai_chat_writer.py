"""Writes chat completions, streamed or whole, for OpenAI callers of targets of other dialects.

Source: https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming. Reasoning
goes into `reasoning_content`, where DeepSeek and vLLM put it (OpenAI shows none); what its provider
needs to take it back (signatures, redacted blocks) has no place in this dialect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from forebay.dialects import sse
from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.openai_chat import DONE
from forebay.model import Usage

FINISH_REASONS: Final = {
    StopReason.END: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.LENGTH: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.FILTERED: "content_filter",
    StopReason.REFUSAL: "content_filter",
}
"""OpenAI ends a refusal that the model put into words (`refusal`) with `stop`; one without words
is a classifier's, and that it calls `content_filter`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What each chunk of one answer repeats.

    Args:
        id: The answer's, e.g. `chatcmpl-…`.
        model: As the caller is to see it.
        created: Epoch seconds.
    """

    id: str
    model: str
    created: int

    def head(self, kind: str) -> dict[str, Any]:
        """Return the fields that an object of this kind begins with."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class ShownIdentity:
    """What each chunk of an answer repeats that another wrote the beginning of.

    Args:
        fields: As they stand in those chunks.
    """

    fields: Mapping[str, msgspec.Raw]

    @classmethod
    def of(cls, chunk: bytes) -> ShownIdentity:
        """Take it from one of the chunks that were written."""
        fields = _decode_fields(chunk)
        return cls({n: fields[n] for n in ("id", "created", "model") if n in fields})

    def head(self, kind: str) -> dict[str, Any]:
        """Return the fields that an object of this kind begins with."""
        return {"object": kind, **self.fields}


def _finish_reason(finished: Finished, *, refused: bool) -> str:
    if refused and finished.reason is StopReason.REFUSAL:
        return "stop"
    return FINISH_REASONS[finished.reason]


def _usage(usage: Usage, note: Mapping[str, str] | None) -> dict[str, Any]:
    written = usage.cache_write_input_tokens + usage.cache_write_1h_input_tokens
    fields: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            **({"cache_write_tokens": written} if written else {}),
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    return {**fields, "forebay": note} if note else fields


class ChatStreamWriter:
    """Writes `chat.completion.chunk`s. See `AnswerWriter`.

    Args:
        identity: See `Identity`; with `ShownIdentity` it goes on where another stopped.
        include_usage: Whether the caller asked for the usage chunk; each chunk before it says
            `usage: null` then.
        begun: Whether the caller has had the role of the one choice.
    """

    def __init__(
        self, identity: Identity | ShownIdentity, *, include_usage: bool, begun: bool = False
    ) -> None:
        self._head = identity.head("chat.completion.chunk")
        if include_usage:
            self._head["usage"] = None
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._begun = {0} if begun else set()
        self._refused: set[int] = set()

    def write(self, events: list[Event]) -> bytes:
        """Return the chunks of these events."""
        return b"".join(chunk for event in events for chunk in self._chunks(event))

    def _chunks(self, event: Event) -> Iterator[bytes]:
        match event:
            case Started():
                yield from self._role(0)
            case UsageReported(usage=usage):
                self._usage = usage
            case Finished(choice=choice):
                yield from self._role(choice)
                reason = _finish_reason(event, refused=choice in self._refused)
                yield self._chunk({}, choice, reason)
            case _:
                if delta := self._delta(event):
                    yield from self._role(event.choice)
                    yield self._chunk(delta, event.choice)

    def _role(self, choice: int) -> Iterator[bytes]:
        """A choice begins with its role and empty content."""
        if choice not in self._begun:
            self._begun.add(choice)
            yield self._chunk({"role": "assistant", "content": ""}, choice)

    def _delta(self, event: _Delta) -> dict[str, Any] | None:
        match event:
            case TextDelta(text=text):
                return {"content": text}
            case RefusalDelta(text=text, choice=choice):
                self._refused.add(choice)
                return {"refusal": text}
            case ThinkingDelta(text=text):
                return {"reasoning_content": text} if text else None
            case ToolUseStarted(position=position, id=tool_id, name=name):
                function = {"name": name, "arguments": ""}
                call = {"index": position, "id": tool_id, "type": "function", "function": function}
                return {"tool_calls": [call]}
            case _:
                call = {"index": event.position, "function": {"arguments": event.text}}
                return {"tool_calls": [call]}

    def _chunk(self, delta: dict[str, Any], choice: int, reason: str | None = None) -> bytes:
        fields = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse.event(msgspec.json.encode({**self._head, "choices": [fields]}))

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the usage chunk, if it was asked for, and `[DONE]`."""
        last = b""
        if self._include_usage and self._usage is not None:
            usage = _usage(self._usage, note)
            last = sse.event(msgspec.json.encode({**self._head, "choices": [], "usage": usage}))
        return last + sse.event(DONE)


_Delta = TextDelta | RefusalDelta | ThinkingDelta | ToolUseStarted | ToolArgumentsDelta


@dataclass(slots=True)
class _Message:
    """One choice, as far as it has come."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    tools: dict[int, tuple[ToolUseStarted, list[str]]] = field(default_factory=dict)
    finished: Finished | None = None

    def take(self, event: _Delta | Finished) -> None:
        match event:
            case TextDelta(text=text):
                self.texts.append(text)
            case RefusalDelta(text=text):
                self.refusals.append(text)
            case ThinkingDelta(text=text):
                self.thoughts.append(text)
            case ToolUseStarted(position=position):
                self.tools[position] = (event, [])
            case ToolArgumentsDelta(position=position, text=text):
                self.tools[position][1].append(text)
            case _:
                self.finished = event

    def fields(self) -> dict[str, Any]:
        calls = [
            {
                "id": tool.id,
                "type": "function",
                "function": {"name": tool.name, "arguments": "".join(arguments)},
            }
            for _, (tool, arguments) in sorted(self.tools.items())
        ]
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self.texts) or None,
            "refusal": "".join(self.refusals) or None,
        }
        if thoughts := "".join(self.thoughts):
            message["reasoning_content"] = thoughts
        if calls:
            message["tool_calls"] = calls
        return message

    def choice(self, index: int) -> dict[str, Any]:
        reason = self.finished and _finish_reason(self.finished, refused=bool(self.refusals))
        return {
            "index": index,
            "message": self.fields(),
            "logprobs": None,
            "finish_reason": reason,
        }


class ChatWholeWriter:
    """Writes a `chat.completion` in one piece. See `AnswerWriter`.

    Args:
        identity: See `Identity`.
    """

    def __init__(self, identity: Identity) -> None:
        self._head = identity.head("chat.completion")
        self._messages: dict[int, _Message] = {}
        self._usage: Usage | None = None

    def write(self, events: list[Event]) -> bytes:
        """Keep the events."""
        for event in events:
            match event:
                case Started():
                    pass
                case UsageReported(usage=usage):
                    self._usage = usage
                case _:
                    self._messages.setdefault(event.choice, _Message()).take(event)
        return b""

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the completion."""
        choices = [message.choice(index) for index, message in sorted(self._messages.items())]
        fields = {**self._head, "choices": choices}
        if self._usage is not None:
            fields["usage"] = _usage(self._usage, note)
        return msgspec.json.encode(fields)

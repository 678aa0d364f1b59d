"""Reads chat completions, streamed or whole, of OpenAI and what is compatible with it.

Source: https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming. Not
OpenAI's: `reasoning_content` (DeepSeek, vLLM; newer vLLM and Ollama: `reasoning`), and vLLM's
`stop_reason`, which says what stopped a choice
(https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported, sse
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
from forebay.dialects.exchange import Collected
from forebay.dialects.openai_chat import DONE, ReportedUsage, error_object, to_usage
from forebay.dialects.wholeness import Wholeness

STOP_REASONS: Final = {
    "stop": StopReason.END,
    "length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.FILTERED,
}
"""By `finish_reason`. Any other (vLLM's `abort`, DeepSeek's `insufficient_system_resource`) is no
end of a whole answer."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Said(msgspec.Struct):
    """A message, or a part of one."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Reply(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] = []
    usage: ReportedUsage | None = None
    service_tier: Any = None
    error: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def _parse(data: bytes) -> _Reply:
    try:
        reply = _decode_reply(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no chat completion") from error
    if reply.error:
        raise UpstreamReported(error_object(reply.error))
    return reply


@dataclass(slots=True)
class _OpenTools:
    """The tool calls of one choice: which position has which upstream index and id."""

    positions: dict[int, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """Turns replies (chunks, or a whole one) into events."""

    wholeness: Wholeness
    _id: str | None = None
    _tools: dict[int, _OpenTools] = field(default_factory=dict)
    _refused: set[int] = field(default_factory=set)
    _tier: object = None

    def events(self, reply: _Reply) -> Iterator[Event]:
        # Azure's first chunk has neither choices nor an id.
        if self._id is None and reply.choices:
            self._id = reply.id or ""
            yield Started(self._id, reply.model or "")
        for choice in reply.choices:
            said = choice.delta or choice.message
            if said is not None:
                yield from self._said(said, choice.index)
            yield from self._finished(choice)
        self._tier = reply.service_tier or self._tier
        if (usage := to_usage(reply.usage, self._tier)) is not None:
            yield UsageReported(usage)

    def _said(self, said: _Said, choice: int) -> Iterator[Event]:
        if thinking := said.reasoning_content or said.reasoning:
            yield ThinkingDelta(thinking, choice=choice)
        if said.content:
            yield TextDelta(said.content, choice)
        if said.refusal:
            self._refused.add(choice)
            yield RefusalDelta(said.refusal, choice)
        for call in said.tool_calls or ():
            yield from self._called(call, choice)
        if said.function_call is not None:
            yield from self._called(_ToolCall(index=0, function=said.function_call), choice)

    def _called(self, call: _ToolCall, choice: int) -> Iterator[Event]:
        """A tool begins with its name; then its arguments come, as the index says."""
        tools = self._tools.setdefault(choice, _OpenTools())
        function = call.function or _Function()
        index = len(tools.ids) if call.index is None else call.index
        known = tools.positions.get(index)
        # A second id and name under one index are a second tool: older Ollama counts none.
        if known is None or (function.name and call.id and call.id != tools.ids[known]):
            if not function.name:
                raise DialectError("a tool call without a name")
            known = tools.positions[index] = len(tools.ids)
            tools.ids.append(call.id or f"{self._id}-{choice}-{known}")
            yield ToolUseStarted(known, tools.ids[known], function.name, choice)
        if function.arguments:
            yield ToolArgumentsDelta(known, function.arguments, choice)

    def _finished(self, choice: _Choice) -> Iterator[Event]:
        repeated = self.wholeness.has_finished(choice.index)
        self.wholeness.saw((choice.index,), (choice.index,) if choice.finish_reason else ())
        if not choice.finish_reason or repeated:
            return
        reason = STOP_REASONS.get(choice.finish_reason)
        if reason is None:
            raise DialectError("a finish reason that ends no whole answer")
        yield self._end(choice, reason)

    def _end(self, choice: _Choice, reason: StopReason) -> Finished:
        """Say more closely what `stop` means.

        OpenAI ends in it also where a tool had to be called:
        https://community.openai.com/t/731488/13
        """
        index = choice.index
        if reason is not StopReason.END:
            return Finished(reason, choice=index)
        if index in self._refused:
            return Finished(StopReason.REFUSAL, choice=index)
        if index in self._tools:
            return Finished(StopReason.TOOL_USE, choice=index)
        if isinstance(choice.stop_reason, str):
            return Finished(StopReason.STOP_SEQUENCE, choice.stop_reason, index)
        return Finished(reason, choice=index)


class ChatStreamReader:
    """Reads a stream of chunks. See `AnswerReader`.

    Args:
        choices: How many answers the request asks for (`n`).
    """

    def __init__(self, choices: int = 1) -> None:
        self.ended = False
        self._events = sse.EventReader()
        self._answer = _Answer(Wholeness(choices))
        self._failure: DialectError | None = None

    def feed(self, received: bytes) -> list[Event]:
        """Take what came; return what it means."""
        meant: list[Event] = []
        if self.ended:
            return meant
        try:
            for data in self._events.feed(received):
                if data == DONE:
                    self.ended = True
                    break
                meant.extend(self._answer.events(_parse(data)))
        except DialectError as error:
            self._failure, self.ended = error, True
        return meant

    def end(self) -> list[Event]:
        """Take the end of the body.

        Raises:
            UpstreamReported: The target sent an error in place of a chunk.
            DialectError: It sent something else that is no chunk, or the answer is not whole.
        """
        if self._failure is not None:
            raise self._failure
        self._answer.wholeness.check(target_is_done=self.ended)
        return []


class ChatWholeReader:
    """Reads a completion that comes in one piece. See `AnswerReader`."""

    def __init__(self) -> None:
        self._body = Collected()

    @property
    def ended(self) -> bool:
        """Whether reading on is of no use."""
        return self._body.too_large

    def feed(self, received: bytes) -> list[Event]:
        """Keep what came."""
        self._body.add(received)
        return []

    def end(self) -> list[Event]:
        """Return the whole answer.

        Raises:
            UpstreamReported: It is an error object.
            DialectError: It is anything else.
        """
        answer = _Answer(Wholeness())
        meant = list(answer.events(_parse(self._body.whole())))
        answer.wholeness.check(target_is_done=True)
        return meant

"""Answers of Amazon Bedrock's Converse: one JSON document (`bedrock_converse_stream`: as a stream).

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
API_runtime_Message.html there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.exchange import Collected
from forebay.dialects.reported import believed
from forebay.model import Usage

STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "end_turn": StopReason.END,
    "tool_use": StopReason.TOOL_USE,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "guardrail_intervened": StopReason.FILTERED,
    "content_filtered": StopReason.FILTERED,
}
"""Source: API_runtime_MessageStopEvent.html. `malformed_model_output` and `malformed_tool_use`,
which it names too, end no whole answer."""


class CamelStruct(msgspec.Struct, rename="camel"):
    """Converse's names are `camelCase`; what it names beyond ours is passed over."""


class _CacheDetail(CamelStruct):
    """What was written to the cache for one length of time (API_runtime_CacheDetail.html)."""

    input_tokens: int
    ttl: str


class TokenUsage(CamelStruct):
    """Tokens of an answer. Source: API_runtime_TokenUsage.html."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[_CacheDetail] | None = None


class _Tool(CamelStruct):
    tool_use_id: str
    name: str
    input: msgspec.Raw


class _ReasoningText(CamelStruct):
    text: str
    signature: str | None = None


class _Reasoning(CamelStruct):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Block(CamelStruct):
    text: str | None = None
    tool_use: _Tool | None = None
    reasoning_content: _Reasoning | None = None


class _Message(CamelStruct):
    content: list[_Block]


class _Output(CamelStruct):
    message: _Message


class _Reply(CamelStruct):
    output: _Output
    stop_reason: str
    usage: TokenUsage


_decode_reply = msgspec.json.Decoder(_Reply).decode


class ConverseReader:
    """Reads an answer of Converse. See `canonical.AnswerReader`.

    Args:
        answer_id: Of the answer: Bedrock gives it none.
        model: The target's model, which the answer does not name.
    """

    def __init__(self, answer_id: str, model: str) -> None:
        self._started = Started(answer_id, model)
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
            DialectError: It is none.
        """
        try:
            reply = _decode_reply(self._body.whole())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DialectError("bytes that are no answer of Converse") from error
        return [
            self._started,
            *_content(reply.output.message.content),
            Finished(to_stop_reason(reply.stop_reason)),
            *usage_events(reply.usage),
        ]


def _content(blocks: list[_Block]) -> Iterator[Event]:
    tools = 0
    for block in blocks:
        if block.text is not None:
            yield TextDelta(block.text)
        elif block.tool_use is not None:
            yield ToolUseStarted(tools, block.tool_use.tool_use_id, block.tool_use.name)
            yield ToolArgumentsDelta(tools, bytes(block.tool_use.input).decode())
            tools += 1
        elif block.reasoning_content is not None:
            yield _thought(block.reasoning_content)
        else:
            raise foreign_content()


def _thought(reasoning: _Reasoning) -> Event:
    if reasoning.reasoning_text is None:
        return ThinkingDelta(redacted=reasoning.redacted_content)
    return ThinkingDelta(reasoning.reasoning_text.text, reasoning.reasoning_text.signature)


def foreign_content() -> DialectError:
    """An image, a citation, a server's tool: nobody asked for one, and no caller could get it."""
    return DialectError("content of a kind that was not asked for")


def to_stop_reason(reported: str) -> StopReason:
    """Read a stop reason.

    Raises:
        DialectError: It ends no whole answer.
    """
    reason = STOP_REASONS.get(reported)
    if reason is None:
        raise DialectError("an answer that ended for no reason that makes it whole")
    return reason


def usage_events(reported: TokenUsage) -> list[Event]:
    """Return the usage, if the report says any."""
    usage = to_usage(reported)
    return [] if usage is None else [UsageReported(usage)]


def to_usage(reported: TokenUsage) -> Usage | None:
    """Read a usage: what the cache gave and took stands beside `inputTokens`, not within it.

    Source: Bedrock's user guide, prompt-caching.html.

    Returns:
        None if it does not say what the request took.
    """
    read = max(reported.cache_read_input_tokens or 0, 0)
    details = reported.cache_details or ()
    written_1h = sum(max(each.input_tokens, 0) for each in details if each.ttl == "1h")
    written = max(reported.cache_write_input_tokens or 0, written_1h)
    return believed(
        Usage(
            input_tokens=max(reported.input_tokens, 0) + read + written,
            output_tokens=reported.output_tokens,
            cached_input_tokens=read,
            cache_write_input_tokens=written - written_1h,
            cache_write_1h_input_tokens=written_1h,
        )
    )


# --- errors


class _Error(msgspec.Struct):
    message: str | None = None
    Message: str | None = None
    """As the services in front of Bedrock write it (authentication, throttling)."""


_decode_error = msgspec.json.Decoder(_Error).decode


def parse_error(body: bytes) -> Mapping[str, Any] | None:
    """Read the message of a failed reply, or None where there is none to read.

    Its type is in the header `x-amzn-errortype`. Source: API_runtime_Converse.html, Errors.
    """
    try:
        error = _decode_error(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    message = error.message or error.Message
    return error_object(message) if message else None


def error_object(message: str, kind: str | None = None) -> dict[str, Any]:
    """Write an error as callers of any dialect get it.

    Args:
        message: Bedrock's own.
        kind: The name of its exception, e.g. `throttlingException`.
    """
    return {"message": message, "type": kind, "param": None, "code": kind}

"""The dialects that targets speak: how to ask in each, and how to read its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from forebay.dialects import (
    anthropic_messages_encode,
    anthropic_messages_errors,
    bedrock_converse,
    bedrock_converse_reader,
    gemini_generate,
    gemini_generate_replies,
    openai_chat,
    openai_chat_encode,
)
from forebay.dialects.anthropic_messages_reader import MessageReader, MessageStreamReader
from forebay.dialects.bedrock_converse_reader import ConverseReader
from forebay.dialects.bedrock_converse_stream import ConverseStreamReader
from forebay.dialects.canonical import AnswerReader, Conversation
from forebay.dialects.exchange import EVENT_STREAM
from forebay.dialects.gemini_generate_reader import StreamReader, WholeReader
from forebay.dialects.openai_chat_encode import Surface
from forebay.dialects.openai_chat_reader import ChatStreamReader, ChatWholeReader
from forebay.dialects.output_limit import LimitField
from forebay.dialects.question import AnswerIdentity
from forebay.model import UpstreamRequest

DEFAULT_OUTPUT_TOKENS = 4096
"""For targets that demand a limit, where the caller gave none."""

Encode = Callable[[Conversation, str], UpstreamRequest]
MakeReader = Callable[[Conversation, AnswerIdentity], AnswerReader]
ParseError = Callable[[bytes], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class TargetDialect:
    """One surface of one kind of provider."""

    encode: Encode
    """Write a conversation for a model of the target.

    Raises `InvalidRequest` where the target cannot do what is asked; `param` names the field.
    """
    reader: MakeReader
    parse_error: ParseError
    """Read the error object of a failed reply; None where there is none."""
    stream_type: str = EVENT_STREAM
    """Content type of its streams."""
    limit_field: LimitField = "max_completion_tokens"
    """What it calls the limit of output tokens, where it speaks OpenAI's chat dialect."""
    speaks_chat: bool = False
    """Whether it takes OpenAI's chat dialect as it comes."""
    speaks_messages: bool = False
    """Whether it takes Anthropic's messages as they come."""


def _openai_compatible(surface: Surface) -> TargetDialect:
    def encode(conversation: Conversation, model: str) -> UpstreamRequest:
        return openai_chat_encode.encode_conversation(conversation, model=model, surface=surface)

    def reader(conversation: Conversation, _: AnswerIdentity) -> AnswerReader:
        return ChatStreamReader(conversation.choices) if conversation.stream else ChatWholeReader()

    return TargetDialect(
        encode,
        reader,
        openai_chat.parse_error,
        limit_field=surface.limit_field,
        speaks_chat=True,
    )


OPENAI = _openai_compatible(openai_chat_encode.OPENAI)
VLLM = _openai_compatible(openai_chat_encode.VLLM)
OLLAMA = _openai_compatible(openai_chat_encode.OLLAMA)
LOCALAI = _openai_compatible(openai_chat_encode.LOCALAI)

ANTHROPIC = TargetDialect(
    encode=lambda conversation, model: anthropic_messages_encode.encode_request(
        conversation, model=model, default_max_tokens=DEFAULT_OUTPUT_TOKENS
    ),
    reader=lambda conversation, _: (
        MessageStreamReader() if conversation.stream else MessageReader()
    ),
    parse_error=anthropic_messages_errors.parse_error,
    speaks_messages=True,
)
GEMINI = TargetDialect(
    encode=lambda conversation, model: gemini_generate.encode_request(conversation, model=model),
    reader=lambda conversation, _: (
        StreamReader(conversation.choices)
        if conversation.stream
        else WholeReader(conversation.choices)
    ),
    parse_error=gemini_generate_replies.parse_error,
)
BEDROCK = TargetDialect(
    encode=lambda conversation, model: bedrock_converse.encode_request(conversation, model=model),
    reader=lambda conversation, identity: (
        ConverseStreamReader(identity.id, identity.model)
        if conversation.stream
        else ConverseReader(identity.id, identity.model)
    ),
    parse_error=bedrock_converse_reader.parse_error,
    stream_type="application/vnd.amazon.eventstream",
)

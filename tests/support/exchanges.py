"""Every way from a target's stream to a caller's, with all the streams that go it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from forebay.dialects.anthropic_messages_exchange import MessageStreamExchange
from forebay.dialects.anthropic_messages_reader import MessageStreamReader
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter
from forebay.dialects.bedrock_converse_stream import ConverseStreamReader
from forebay.dialects.canonical import AnswerReader, AnswerWriter
from forebay.dialects.exchange import Exchange, TranslatedExchange
from forebay.dialects.gemini_generate_reader import StreamReader
from forebay.dialects.openai_chat import parse_request
from forebay.dialects.openai_chat_exchange import ChatStreamExchange
from forebay.dialects.openai_chat_reader import ChatStreamReader
from forebay.dialects.openai_chat_writer import ChatStreamWriter, Identity
from forebay.dialects.openai_responses_writer import Identity as ResponseIdentity
from forebay.dialects.openai_responses_writer import ResponseStreamWriter
from forebay.model import UpstreamRequest, Usage
from tests.support import bedrock
from tests.support.anthropic_streams import ANTHROPIC_STREAMS
from tests.support.gemini import GEMINI_STREAMS
from tests.support.sdk_answers import CHAT, MESSAGES, RESPONSES, CallerDialect
from tests.support.streams import STREAMS

REQUEST = UpstreamRequest("/p", {}, b"{}", stream=True)
ECHO = {
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "metadata": {},
    "instructions": None,
    "temperature": 1.0,
    "top_p": 1.0,
}


def note(usage: Usage) -> dict[str, str]:
    return {"cost_usd": str(usage.output_tokens)}


def chat_exchange(
    *, choices: int = 1, show_usage: bool = False, hold_tools: bool = True
) -> ChatStreamExchange:
    """Pass OpenAI's chunks on to an OpenAI caller."""
    asked = {
        "model": "m",
        "messages": [{"role": "user"}],
        "stream": True,
        "n": choices,
        "stream_options": {"include_usage": show_usage},
    }
    request = parse_request(json.dumps(asked).encode())
    return ChatStreamExchange(request, REQUEST, note, hold_tools=hold_tools)


def messages_exchange(*, hold_tools: bool = True) -> MessageStreamExchange:
    """Pass Anthropic's events on to an Anthropic caller."""
    return MessageStreamExchange(REQUEST, note, hold_tools=hold_tools)


def chat_writer() -> AnswerWriter:
    return ChatStreamWriter(Identity("chatcmpl-1", "m", 1_800_000_000), include_usage=True)


def responses_writer() -> AnswerWriter:
    return ResponseStreamWriter(ResponseIdentity("01X", "m", 1_800_000_000, ECHO))


WRITERS: dict[CallerDialect, Callable[[], AnswerWriter]] = {
    CHAT: chat_writer,
    MESSAGES: MessageStreamWriter,
    RESPONSES: responses_writer,
}


def translated(
    reader: Callable[[], AnswerReader],
    writer: Callable[[], AnswerWriter],
    *,
    hold_tools: bool = True,
) -> TranslatedExchange:
    """Read one dialect and write another."""
    return TranslatedExchange(REQUEST, "", reader(), writer(), note, hold_tools=hold_tools)


@dataclass(frozen=True)
class Way:
    """One stream of a target on its way to a caller."""

    name: str
    caller: CallerDialect
    make: Callable[[], Exchange]
    sent: bytes


def _targets() -> Iterator[tuple[str, Callable[[], AnswerReader], bytes]]:
    for chat in STREAMS:
        yield chat.name, partial(ChatStreamReader, chat.choices), chat.sent
    for message in ANTHROPIC_STREAMS:
        yield message.name, MessageStreamReader, message.sent
    for gemini in GEMINI_STREAMS:
        yield gemini.name, partial(StreamReader, len(gemini.texts)), gemini.sent
    for name, events in (("bedrock_text", bedrock.TEXT), ("bedrock_tools", bedrock.TOOLS)):
        yield name, partial(ConverseStreamReader, "id", "model"), bedrock.lines(*events)


def _ways() -> Iterator[Way]:
    for chat in STREAMS:
        for show_usage in (False, True):
            make = partial(chat_exchange, choices=chat.choices, show_usage=show_usage)
            usage = "with usage" if show_usage else "without usage"
            yield Way(f"{chat.name} as it came {usage}", CHAT, make, chat.sent)
    for message in ANTHROPIC_STREAMS:
        yield Way(f"{message.name} as it came", MESSAGES, messages_exchange, message.sent)
    for name, reader, sent in _targets():
        for caller, writer in WRITERS.items():
            yield Way(f"{name} to {caller.name}", caller, partial(translated, reader, writer), sent)


WAYS = tuple(_ways())

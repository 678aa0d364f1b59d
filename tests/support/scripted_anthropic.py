"""A scripted provider that speaks Anthropic's messages, streamed and whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from forebay.adapters.providers.scripted import BROKEN, ScriptedProvider, ScriptedReply
from forebay.dialects import DialectError, sse
from forebay.dialects.anthropic_messages_parse import parse_request
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter, MessageWriter
from forebay.dialects.canonical import AnswerReader, AnswerWriter
from forebay.dialects.openai_chat_encode import VLLM, encode_conversation
from forebay.dialects.openai_chat_reader import ChatStreamReader, ChatWholeReader
from forebay.model import UpstreamRequest


class AnthropicScripted:
    """Port `Provider`. What it says, when, and what goes wrong, is as its script has it.

    Args:
        scripted: Speaks OpenAI's dialect; its `script` may be replaced at any time.
    """

    def __init__(self, scripted: ScriptedProvider) -> None:
        self.scripted = scripted

    async def send(self, request: UpstreamRequest) -> ScriptedReply:
        conversation = parse_request(request.body)
        asked = encode_conversation(conversation, model="m", surface=VLLM)
        reply = await self.scripted.send(
            replace(asked, timeouts=request.timeouts, until=request.until)
        )
        if reply.status != 200 or reply.headers["content-type"] == "text/html":
            return reply
        return ScriptedReply(200, reply.headers, _translated(reply, stream=request.stream))


async def _translated(reply: ScriptedReply, *, stream: bool) -> AsyncGenerator[bytes]:
    reader: AnswerReader = ChatStreamReader() if stream else ChatWholeReader()
    writer: AnswerWriter = MessageStreamWriter() if stream else MessageWriter()
    received = b""
    async with reply:
        async for received in reply.chunks():
            yield writer.write(reader.feed(received))
    try:
        yield writer.write(reader.end()) + writer.end(None)
    except DialectError:
        if received:  # else it had no body
            yield sse.event(BROKEN) if stream else BROKEN

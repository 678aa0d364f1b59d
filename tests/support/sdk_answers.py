"""Streams as the official SDKs understand them, and their text as a caller sees it grow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import anthropic
import httpx2
import openai

from forebay.dialects.sse import EventReader


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    id: str
    text: str
    finish: str | None
    """Why it ended, in the dialect's own words."""
    tools: tuple[tuple[str, str, object], ...] = ()
    """Id, name and arguments of each call."""


@dataclass
class _Server:
    """Answers each request with the same body."""

    body: bytes = b""
    http: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx2.Client(transport=httpx2.MockTransport(self._answer))

    def _answer(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=self.body
        )


@cache
def _openai() -> tuple[_Server, openai.OpenAI]:
    server = _Server()
    return server, openai.OpenAI(api_key="k", base_url="http://g/v1", http_client=server.http)


@cache
def _anthropic() -> tuple[_Server, anthropic.Anthropic]:
    server = _Server()
    return server, anthropic.Anthropic(
        api_key="k", http_client=server.http, max_retries=0, _strict_response_validation=True
    )


def read_chat(body: bytes) -> Answer:
    server, client = _openai()
    server.body = body
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "a"}]
    ) as stream:
        completion = stream.get_final_completion()
    choice = completion.choices[0]
    calls = tuple(
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls or ()
    )
    return Answer(completion.id, choice.message.content or "", choice.finish_reason, calls)


def read_messages(body: bytes) -> Answer:
    server, client = _anthropic()
    server.body = body
    with client.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "a"}]
    ) as stream:
        message = stream.get_final_message()
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = tuple(
        (block.id, block.name, block.input) for block in message.content if block.type == "tool_use"
    )
    return Answer(message.id, text, message.stop_reason, calls)


def read_responses(body: bytes) -> Answer:
    server, client = _openai()
    server.body = body
    with client.responses.stream(model="m", input="a") as stream:
        response = stream.get_final_response()
    calls = tuple(
        (item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    )
    return Answer(response.id, response.output_text, response.status, calls)


def events_in(body: bytes) -> list[Any]:
    """Decode the data of a stream's whole events, without OpenAI's `[DONE]`."""
    return [json.loads(data) for data in EventReader().feed(body) if data != b"[DONE]"]


def _chat_text(event: Any) -> str:
    texts = [choice["delta"].get("content") for choice in event["choices"] if choice["index"] == 0]
    return "".join(text or "" for text in texts)


def _messages_text(event: Any) -> str:
    if event["type"] == "content_block_start":
        return str(event["content_block"].get("text", ""))
    delta = event.get("delta")
    is_text = event["type"] == "content_block_delta" and delta["type"] == "text_delta"
    return str(delta["text"]) if is_text else ""


def _responses_text(event: Any) -> str:
    return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""


@dataclass(frozen=True)
class CallerDialect:
    """What a caller speaks."""

    name: str
    read: Callable[[bytes], Answer]
    """Reads a whole stream with the official SDK."""
    text_of_event: Callable[[Any], str]
    tool_marks: tuple[bytes, ...]
    """Bytes that no stream without tool calls has."""
    finish: str
    """How it calls an answer that came to its end."""

    def text_in(self, sent: bytes) -> str:
        """Return the text that a caller of these bytes sees."""
        return "".join(self.text_of_event(event) for event in events_in(sent))


CHAT = CallerDialect("chat", read_chat, _chat_text, (b'"tool_calls":[', b'"tool_calls": ['), "stop")
MESSAGES = CallerDialect(
    "messages", read_messages, _messages_text, (b"tool_use", b"input_json_delta"), "end_turn"
)
RESPONSES = CallerDialect(
    "responses", read_responses, _responses_text, (b"function_call",), "completed"
)

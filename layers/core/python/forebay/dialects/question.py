"""What a caller asks, in its own dialect, and who writes the answer in that dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from forebay.dialects import (
    anthropic_messages_parse,
    anthropic_messages_request,
    completions,
    openai_chat,
    openai_responses_parse,
    openai_responses_writer,
)
from forebay.dialects.anthropic_messages_request import MessagesRequest
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter, MessageWriter
from forebay.dialects.canonical import AnswerWriter, Conversation, conversation_text
from forebay.dialects.completions import CompletionRequest
from forebay.dialects.openai_chat import ChatRequest
from forebay.dialects.openai_chat_conversation import to_conversation
from forebay.dialects.openai_chat_writer import ChatStreamWriter, ChatWholeWriter, Identity
from forebay.dialects.openai_responses_writer import ResponseStreamWriter, ResponseWriter
from forebay.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class AnswerIdentity:
    """What an answer bears that its target does not give, or gives in another form."""

    id: str
    """Of the request; unique."""
    model: str
    """The target's name of the model."""
    created_s: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class Question:
    """A parsed request, whatever its dialect."""

    model: str
    """As the caller names it."""
    stream: bool
    conversation: Callable[[], Conversation]
    """Translates it; done only for targets of another dialect."""
    text: Callable[[], str]
    """All text of it, for counting tokens."""
    writer: Callable[[AnswerIdentity], AnswerWriter]
    """Makes the writer of one answer."""
    chat: ChatRequest | None = None
    """The request as it came, if it speaks OpenAI's chat dialect."""
    messages: MessagesRequest | None = None
    """The request as it came, if it speaks Anthropic's."""
    completion: CompletionRequest | None = None
    """The request as it came, if it is a legacy completion: it cannot be translated."""


def chat_question(body: bytes) -> Question:
    """Read a `POST /v1/chat/completions`.

    Raises:
        InvalidRequest: It is none; `param` says where.
    """
    request = openai_chat.parse_request(body)

    def writer(identity: AnswerIdentity) -> AnswerWriter:
        bears = Identity(f"chatcmpl-{identity.id}", identity.model, identity.created_s)
        if request.stream:
            return ChatStreamWriter(bears, include_usage=request.include_usage)
        return ChatWholeWriter(bears)

    return Question(
        model=request.model,
        stream=request.stream,
        conversation=lambda: to_conversation(request),
        text=lambda: openai_chat.prompt_text(request),
        writer=writer,
        chat=request,
    )


def messages_question(body: bytes, headers: Mapping[str, str]) -> Question:
    """Read a `POST /v1/messages`.

    Args:
        body: As it came.
        headers: Of the request, names in lower case.

    Raises:
        InvalidRequest: It is none; `param` says where. (What only a translation needs to
            understand is looked at by `conversation`, which raises it then.)
    """
    request = anthropic_messages_request.parse_request(body, headers)
    return Question(
        model=request.model,
        stream=request.stream,
        conversation=lambda: anthropic_messages_parse.parse_request(body),
        text=lambda: anthropic_messages_request.request_text(request),
        writer=lambda _: MessageStreamWriter() if request.stream else MessageWriter(),
        messages=request,
    )


def responses_question(body: bytes) -> Question:
    """Read a `POST /v1/responses`.

    Raises:
        InvalidRequest: It is none; `param` says where.
    """
    request = openai_responses_parse.parse_request(body)
    conversation = request.conversation

    def writer(identity: AnswerIdentity) -> AnswerWriter:
        bears = openai_responses_writer.Identity(
            identity.id, identity.model, identity.created_s, request.echo
        )
        return ResponseStreamWriter(bears) if conversation.stream else ResponseWriter(bears)

    return Question(
        model=conversation.model,
        stream=conversation.stream,
        conversation=lambda: conversation,
        text=lambda: conversation_text(conversation),
        writer=writer,
    )


def completions_question(body: bytes) -> Question:
    """Read a `POST /v1/completions`.

    Raises:
        InvalidRequest: It is none; `param` says where. (`conversation` raises it always.)
    """
    request = completions.parse_request(body)

    def refuse() -> NoReturn:
        raise InvalidRequest(
            f"'{request.model}' answers no legacy completions: only providers that speak OpenAI's "
            "API do. Ask it by POST /v1/chat/completions.",
            param="model",
        )

    return Question(
        model=request.model,
        stream=request.stream,
        conversation=refuse,
        text=lambda: completions.prompt_text(request),
        writer=lambda _: refuse(),
        completion=request,
    )

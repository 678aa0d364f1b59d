"""What carries an answer between a caller and a target."""

from __future__ import annotations

from forebay.dialects import anthropic_messages_request, openai_chat
from forebay.dialects.anthropic_messages_exchange import MessageStreamExchange, read_message
from forebay.dialects.anthropic_messages_request import MessagesRequest
from forebay.dialects.exchange import (
    ChatStreamExchange,
    Exchange,
    TranslatedExchange,
    UsageNote,
    WholeExchange,
    read_completion,
)
from forebay.dialects.openai_chat import ChatRequest
from forebay.dialects.question import AnswerIdentity, Question
from forebay.model import UpstreamRequest, Usage
from forebay.money import format_usd
from forebay.service.catalog import Target


def exchange_for(asked: Question, target: Target, identity: AnswerIdentity) -> Exchange:
    """Prepare the exchange of a caller's request with a target.

    Where both speak OpenAI's chat dialect, or both Anthropic's messages, nothing is translated.

    Raises:
        InvalidRequest: The target cannot do what the caller asks for; `param` names the field.
    """

    def note(usage: Usage) -> dict[str, str]:
        return {"cost_usd": format_usd(target.cost(usage))}

    if asked.chat is not None and target.dialect.speaks_chat:
        return _chat_as_it_came(asked.chat, target.model, note)
    if asked.messages is not None and target.dialect.speaks_messages:
        return _messages_as_they_came(asked.messages, target.model, note)
    conversation = asked.conversation()
    return TranslatedExchange(
        target.dialect.encode(conversation, target.model),
        target.dialect.stream_type if asked.stream else "",
        target.dialect.reader(conversation, identity),
        asked.writer(identity),
        note,
    )


def _chat_as_it_came(asked: ChatRequest, model: str, note: UsageNote) -> Exchange:
    request = UpstreamRequest(
        path=openai_chat.PATH,
        headers={"content-type": "application/json"},
        body=openai_chat.encode_request(asked, model=model),
        stream=asked.stream,
    )
    if asked.stream:
        return ChatStreamExchange(asked, request, note)
    return WholeExchange(request, read_completion)


def _messages_as_they_came(asked: MessagesRequest, model: str, note: UsageNote) -> Exchange:
    request = anthropic_messages_request.encode_request(asked, model=model)
    if asked.stream:
        return MessageStreamExchange(request, note)
    return WholeExchange(request, read_message)

"""What carries an answer between a caller and a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from forebay.dialects import anthropic_messages_request, openai_chat
from forebay.dialects.anthropic_messages_exchange import MessageStreamExchange, read_message
from forebay.dialects.anthropic_messages_request import MessagesRequest
from forebay.dialects.completions import CompletionRequest
from forebay.dialects.completions_exchange import (
    CompletionStreamExchange,
    upstream_request,
    whole_reader,
)
from forebay.dialects.continuation import (
    Interrupted,
    continued,
    may_continue,
    way_to_continue,
)
from forebay.dialects.continued import ContinuedExchange, Resumption
from forebay.dialects.exchange import Exchange, TranslatedExchange, UsageNote, WholeExchange
from forebay.dialects.openai_body import encode_request
from forebay.dialects.openai_chat import ChatRequest
from forebay.dialects.openai_chat_exchange import ChatStreamExchange, read_completion
from forebay.dialects.question import AnswerIdentity, Question
from forebay.dialects.seam import Seam, opening_for
from forebay.dialects.service_tiers import Fields, sold_to_chat, sold_to_messages
from forebay.model import UpstreamRequest, Usage
from forebay.money import NanoUsd, format_usd
from forebay.service.catalog import Target
from forebay.settings import Continuing

AsItCame = TypeVar("AsItCame", ChatRequest, MessagesRequest, CompletionRequest)

Spent = Callable[[], NanoUsd]
"""What earlier attempts of the same request have cost by the time it is asked."""


def exchange_for(
    asked: Question,
    target: Target,
    identity: AnswerIdentity,
    *,
    spent: Spent,
    hold_tools: bool = True,
) -> Exchange:
    """Prepare the exchange of a caller's request with a target.

    Where both speak OpenAI's chat dialect, or both Anthropic's messages, nothing is translated.

    Args:
        asked: The request.
        target: The target.
        identity: What the answer bears.
        spent: Shown together with what this one costs.
        hold_tools: Whether tool calls go out only with the end of a whole answer.

    Raises:
        InvalidRequest: The target cannot do what the caller asks for; `param` names the field.
    """
    note = _note(target, spent)
    if asked.chat is not None and target.dialect.speaks_chat:
        chat = _with(asked.chat, sold_to_chat(asked.chat.fields, target.price.sells))
        return _chat_as_it_came(chat, target.model, note, hold_tools=hold_tools)
    if asked.messages is not None and target.dialect.speaks_messages:
        sold = sold_to_messages(asked.messages.fields, target.price.sells)
        messages = _with(asked.messages, sold)
        return _messages_as_they_came(messages, target.model, note, hold_tools=hold_tools)
    if asked.completion is not None and target.dialect.speaks_chat:
        sold = sold_to_chat(asked.completion.fields, target.price.sells)
        completion = _with(asked.completion, sold)
        return _completion_as_it_came(completion, target.model, note)
    conversation = asked.conversation()
    return TranslatedExchange(
        target.dialect.encode(conversation, target.model),
        target.dialect.stream_type if asked.stream else "",
        target.dialect.reader(conversation, identity),
        asked.writer(identity),
        note,
        hold_tools=hold_tools,
    )


def continued_exchange(
    asked: Question,
    target: Target,
    identity: AnswerIdentity,
    interrupted: Interrupted,
    *,
    delivered: Usage,
    spent: Spent,
) -> Exchange | None:
    """Prepare a target's exchange for the rest of an answer; None: it cannot go on with this one.

    Args:
        asked: The caller's request; its `conversation` is translated, whatever the target speaks.
        target: The target.
        identity: As of any exchange with it; the caller sees the first answer's.
        interrupted: What the caller has.
        delivered: Tokens of the original input, and of the output that the caller has.
        spent: See `exchange_for`.

    Raises:
        InvalidRequest: The target cannot do what the caller asks for.
    """
    conversation = asked.conversation()
    how = way_to_continue(conversation, target.continuing)
    opening = opening_for(interrupted.text, how)
    if how is Continuing.NONE or opening is None or not may_continue(conversation, interrupted):
        return None
    resumed = continued(
        conversation, interrupted.text, how, delivered_tokens=delivered.output_tokens
    )
    return ContinuedExchange(
        target.dialect.encode(resumed, target.model),
        target.dialect.stream_type,
        target.dialect.reader(resumed, identity),
        Resumption(interrupted, Seam(interrupted.text, opening, conversation.stop), delivered),
        _note(target, spent),
    )


def _with(request: AsItCame, fields: Fields) -> AsItCame:
    """Return the request with these members; itself, if they are its own."""
    return request if fields is request.fields else replace(request, fields=fields)


def _note(target: Target, spent: Spent) -> UsageNote:
    return lambda usage: {"cost_usd": format_usd(NanoUsd(spent() + target.cost(usage)))}


def _chat_as_it_came(
    asked: ChatRequest, model: str, note: UsageNote, *, hold_tools: bool
) -> Exchange:
    request = UpstreamRequest(
        path=openai_chat.PATH,
        headers={"content-type": "application/json"},
        body=encode_request(asked, model=model),
        stream=asked.stream,
    )
    if asked.stream:
        return ChatStreamExchange(asked, request, note, hold_tools=hold_tools)
    return WholeExchange(request, read_completion)


def _messages_as_they_came(
    asked: MessagesRequest, model: str, note: UsageNote, *, hold_tools: bool
) -> Exchange:
    request = anthropic_messages_request.encode_request(asked, model=model)
    if asked.stream:
        return MessageStreamExchange(request, note, hold_tools=hold_tools)
    return WholeExchange(request, read_message)


def _completion_as_it_came(asked: CompletionRequest, model: str, note: UsageNote) -> Exchange:
    request = upstream_request(asked, model=model)
    if asked.stream:
        return CompletionStreamExchange(asked, request, note)
    return WholeExchange(request, whole_reader(asked))

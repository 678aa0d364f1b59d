"""Sets the limit of an answer's tokens in a request that is passed on as it came.

A conversation that is translated has `Conversation.max_output_tokens`, which every target's encoder
writes into that target's own field.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, TypeVar

import msgspec

from forebay.dialects.anthropic_messages_request import MessagesRequest
from forebay.dialects.completions import CompletionRequest
from forebay.dialects.demand_chat import LIMITS
from forebay.dialects.openai_chat import ChatRequest
from forebay.dialects.question import Question

LimitField = Literal["max_completion_tokens", "max_tokens"]

_Request = TypeVar("_Request", ChatRequest, MessagesRequest, CompletionRequest)

_NAMES: Final = {
    ChatRequest: LIMITS,
    MessagesRequest: ("max_tokens",),
    CompletionRequest: ("max_tokens",),
}


def with_output_limit(
    request: _Request, limit: int, *, field: LimitField = "max_completion_tokens"
) -> _Request:
    """Return the request with a limit for each of its answers.

    The caller's own name for it stays where the target knows both: OpenAI refuses `max_tokens` for
    newer models, many servers that are compatible know nothing else. Of two, one is left.

    Args:
        request: As it came.
        limit: Tokens, at least 1.
        field: Of chat completions: what the target calls it. One that says `max_tokens` may pass
            over the other name in silence, and answer without a limit.
    """
    names = _NAMES[type(request)]
    stated = [name for name in names if name in request.fields]
    name = names[0] if len(names) == 1 else field
    if field == "max_completion_tokens" and len(stated) == 1:
        name = stated[0]
    others = {key: value for key, value in request.fields.items() if key not in names}
    return replace(request, fields={**others, name: msgspec.Raw(b"%d" % limit)})


def limited(
    asked: Question, limit: int, *, field: LimitField = "max_completion_tokens"
) -> Question:
    """Return the question with a limit for each of its answers, whatever its dialect."""
    conversation = asked.conversation
    return replace(
        asked,
        conversation=lambda: replace(conversation(), max_output_tokens=limit),
        chat=asked.chat and with_output_limit(asked.chat, limit, field=field),
        messages=asked.messages and with_output_limit(asked.messages, limit),
        completion=asked.completion and with_output_limit(asked.completion, limit),
    )

"""What a request can cost, in no dialect's words: see `model.Demand`.

One entry for all surfaces. It is the same whatever the target: what a translation adds is within
the few tokens that stand around each message.
"""

from __future__ import annotations

from typing import Final

import msgspec

from forebay.dialects.canonical import (
    Conversation,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from forebay.dialects.demand_chat import chat_demand, completion_demand
from forebay.dialects.demand_messages import messages_demand
from forebay.dialects.demand_parts import Gathered, output_limit
from forebay.dialects.embeddings import EmbeddingsRequest, input_text, token_bound
from forebay.dialects.question import Question
from forebay.model import Demand, Picture

LARGE_REQUEST: Final = 64 * 1024
"""Bytes of a body that take 5 ms at worst."""


def demand_of(asked: Question) -> Demand:
    """Tell what an answer can cost.

    Cost: O(n) of the request, 1-80 ns a byte (the dear ones are thousands of tiny messages), so
    one over `LARGE_REQUEST` bytes belongs on a thread.
    """
    if asked.chat is not None:
        return chat_demand(asked.chat)
    if asked.messages is not None:
        return messages_demand(asked.messages)
    if asked.completion is not None:
        return completion_demand(asked.completion)
    return conversation_demand(asked.conversation())


def conversation_demand(asked: Conversation) -> Demand:
    """Tell what a conversation can cost."""
    gathered = Gathered()
    gathered.texts += asked.system
    for message in asked.turns:
        for part in message.parts:
            _take(gathered, part)
    schemas = [
        msgspec.json.encode([tool.name, tool.description, tool.schema]) for tool in asked.tools
    ]
    if asked.json_output is not None:
        schemas.append(msgspec.json.encode(asked.json_output))
    return Demand(
        texts=tuple(gathered.texts),
        schemas=tuple(schema.decode() for schema in schemas),
        framed=len(asked.turns) + len(asked.system),
        tools=len(asked.tools),
        pictures=tuple(gathered.pictures),
        answers=asked.choices,
        output_limit=output_limit(asked.max_output_tokens),
        reasons=asked.reasoning is not None and asked.reasoning.enabled,
    )


def embeddings_demand(asked: EmbeddingsRequest) -> Demand:
    """Tell what vectors can cost."""
    if asked.of_tokens:
        ids = sum(token_bound(each, of_tokens=True) for each in asked.inputs)
        return Demand(token_ids=ids, framed=len(asked.inputs), answers=0)
    texts = tuple(input_text(each, of_tokens=False) for each in asked.inputs)
    return Demand(texts=texts, framed=len(texts), answers=0)


def _take(gathered: Gathered, part: Part) -> None:
    match part:
        case Text() | Refusal():
            gathered.texts.append(part.text)
        case Thinking():
            gathered.texts += [part.text, part.signature or "", part.redacted or ""]
        case ToolUse():
            gathered.texts += [part.id, part.name, part.arguments]
        case ToolResult():
            gathered.texts.append(part.id)
            for each in part.content:
                _take(gathered, each)
        case _:
            _take_image(gathered, part)


def _take_image(gathered: Gathered, image: Image) -> None:
    if image.data is None:
        gathered.pictures.append(Picture(detail=image.detail))
    else:
        gathered.picture(f"data:,{image.data}", image.detail)

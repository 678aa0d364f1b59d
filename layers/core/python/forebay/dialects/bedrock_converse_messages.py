"""What is said in a conversation, in the words of Amazon Bedrock's Converse.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
    Unsupported,
)
from forebay.errors import InvalidRequest

PROVIDER: Final = "Amazon Bedrock"

_IMAGE_FORMATS: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}

Fields = dict[str, Any]
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def encode_messages(conversation: Conversation) -> list[Fields]:
    """Write the turns; Converse wants the roles to alternate, so neighbours of one role are one."""
    turns: list[Fields] = []
    for message in conversation.turns:
        blocks = _blocks(conversation, message.parts)
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message.role, "content": blocks})
    return turns


def _blocks(conversation: Conversation, parts: tuple[Part, ...]) -> list[Fields]:
    blocks = (_block(conversation, part) for part in parts)
    return [block for block in blocks if block is not None]


def _block(conversation: Conversation, part: Part) -> Fields | None:
    """Write one part; None if nothing is to be said."""
    match part:
        case Text() | Refusal():
            return {"text": part.text} if part.text else None  # Converse refuses blank ones
        case Image():
            return _image(conversation, part)
        case ToolUse():
            return {
                "toolUse": {
                    "toolUseId": part.id,
                    "name": part.name,
                    "input": _arguments(part.arguments),
                }
            }
        case ToolResult():
            return _tool_result(conversation, part)
        case _:  # Thinking
            return _thinking(part)


def _image(conversation: Conversation, image: Image) -> Fields:
    """Write a picture. An address is refused, S3's too: the gateway may read what a caller may not.

    Source: API_runtime_ImageBlock.html; on the wire the bytes are base64.
    """
    if image.url is not None:
        raise Unsupported(conversation, "image.url", PROVIDER)
    if image.media_type not in _IMAGE_FORMATS:
        raise Unsupported(conversation, "image.media_type", PROVIDER)
    if image.detail == "low":  # to see less for less money; there is but one way to see here
        raise Unsupported(conversation, "image.detail", PROVIDER)
    return {"image": {"format": _IMAGE_FORMATS[image.media_type], "source": {"bytes": image.data}}}


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        return _decode_object(text) if text else {}
    except (msgspec.DecodeError, RecursionError) as error:
        message = "The arguments of a tool call are no JSON object."
        raise InvalidRequest(message, param="messages") from error


def _tool_result(conversation: Conversation, result: ToolResult) -> Fields:
    fields: Fields = {"toolUseId": result.id, "content": _blocks(conversation, result.content)}
    if result.is_error:  # not every model takes a status, and success is what it is without
        fields["status"] = "error"
    return {"toolResult": fields}


def _thinking(thinking: Thinking) -> Fields | None:
    """Write reasoning that its model can take back: signed, or for its eyes only.

    What is neither (another provider's reasoning, or a model's that takes none back) would be
    refused with the whole request. Source: API_runtime_ReasoningContentBlock.html.
    """
    if thinking.redacted is not None:
        return {"reasoningContent": {"redactedContent": thinking.redacted}}
    if thinking.signature is None or thinking.is_tagged:
        return None
    text = {"text": thinking.text, "signature": thinking.signature}
    return {"reasoningContent": {"reasoningText": text}}

"""What is said in a conversation, in Gemini's words: contents and their parts.

Source: https://ai.google.dev/api/caching#Content (Content, Part, Blob, FileData, FunctionCall,
FunctionResponse), v1beta.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
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

PROVIDER: Final = "Gemini"

SIGNATURE_PREFIX: Final = "gemini:"
"""Begins a signature that Gemini made. Gemini refuses any other provider's, so in a conversation
that has changed providers it gets its own reasoning back and no other's."""

UNSIGNED: Final = "skip_thought_signature_validator"
"""Stands where Gemini 3 and later demand a signature and the history has none: it was made by
another model, or the caller's dialect has no place for one.
Source: https://ai.google.dev/gemini-api/docs/thought-signatures, FAQ."""

FILES: Final = "https://generativelanguage.googleapis.com/"
"""Where files lie that were uploaded to Gemini; other addresses it is not asked to fetch."""

_ROLES: Final = {"user": "user", "assistant": "model"}

_check_arguments = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def encode_contents(conversation: Conversation, model: str) -> list[dict[str, Any]]:
    """Write the turns; those of one role that follow each other become one.

    Gemini wants all results of a turn's function calls in the next turn.

    Raises:
        Unsupported: There is a picture by an address.
        InvalidRequest: See `gemini_generate.encode_request`.
    """
    tool_names = {
        part.id: part.name
        for message in conversation.messages
        for part in message.parts
        if isinstance(part, ToolUse)
    }
    contents = []
    for role, messages in groupby(conversation.messages, key=lambda message: message.role):
        said = (part for message in messages for part in message.parts)
        if parts := _parts(said, conversation, tool_names):
            if is_gemini_3(model):
                _sign_first_call(parts)
            contents.append({"role": _ROLES[role], "parts": parts})
    if not contents:
        raise _invalid(conversation, "There is no message with content.")
    return contents


def is_gemini_3(model: str) -> bool:
    """Whether a model is of Gemini 3 or later, as aliases like `gemini-flash-latest` are.

    They demand signatures, and know levels of thinking where the older ones know budgets.
    """
    return not model.startswith(("gemini-1", "gemini-2"))


def _sign_first_call(parts: list[dict[str, Any]]) -> None:
    """Give a turn's first function call the signature that is demanded of it, if it has none."""
    for part in parts:
        if "functionCall" in part:
            part.setdefault("thoughtSignature", UNSIGNED)
            break


def _parts(
    said: Iterable[Part], conversation: Conversation, tool_names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Write one turn; a signature goes back on the part that follows its reasoning."""
    parts: list[dict[str, Any]] = []
    signature: str | None = None
    for part in said:
        if isinstance(part, Thinking):
            if _is_own(part):
                parts += _signature_alone(signature)
                parts += [{"text": part.text, "thought": True}] if part.text else []
                signature = part.signature
        elif not isinstance(part, Text | Refusal) or part.text:  # Gemini refuses an empty text
            encoded = _part(part, conversation, tool_names)
            if signature is not None:
                encoded["thoughtSignature"] = signature.removeprefix(SIGNATURE_PREFIX)
                signature = None
            parts.append(encoded)
    return parts + _signature_alone(signature)


def _is_own(thinking: Thinking) -> bool:
    return thinking.signature is not None and thinking.signature.startswith(SIGNATURE_PREFIX)


def _signature_alone(signature: str | None) -> list[dict[str, Any]]:
    """Write a signature that no part followed, as Gemini sends it at the end of a stream."""
    if signature is None:
        return []
    return [{"text": "", "thoughtSignature": signature.removeprefix(SIGNATURE_PREFIX)}]


def _part(
    part: Text | Refusal | Image | ToolUse | ToolResult,
    conversation: Conversation,
    tool_names: Mapping[str, str],
) -> dict[str, Any]:
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Image():
            return _image(part, conversation)
        case ToolUse():
            arguments = _arguments(part, conversation)
            return {"functionCall": {"id": part.id, "name": part.name, "args": arguments}}
        case _:  # a ToolResult, says mypy
            return _tool_result(part, conversation, tool_names)


def _image(image: Image, conversation: Conversation) -> dict[str, Any]:
    if image.data is not None:
        if image.media_type is None:
            raise _invalid(conversation, "An image does not say its type.")
        return {"inlineData": {"mimeType": image.media_type, "data": image.data}}
    if image.url is None or not image.url.startswith(FILES):
        raise Unsupported(conversation, "image.url", PROVIDER)
    media_type = {"mimeType": image.media_type} if image.media_type else {}
    return {"fileData": {**media_type, "fileUri": image.url}}


def _arguments(call: ToolUse, conversation: Conversation) -> msgspec.Raw:
    """Pass a tool's arguments on as the model wrote them, once they are known to be an object."""
    arguments = call.arguments or "{}"
    try:
        _check_arguments(arguments)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _invalid(conversation, "The arguments of a tool are no JSON object.") from error
    return msgspec.Raw(arguments.encode())


def _tool_result(
    result: ToolResult, conversation: Conversation, tool_names: Mapping[str, str]
) -> dict[str, Any]:
    """Write what a tool answered: `output` or `error`, and pictures as parts of their own.

    Gemini wants the function's name too, which only the call has.
    """
    if result.id not in tool_names:
        raise _invalid(conversation, "There is a result of a tool that was not called before.")
    text = "\n".join(part.text for part in result.content if isinstance(part, Text))
    images = [_image(part, conversation) for part in result.content if isinstance(part, Image)]
    response: dict[str, Any] = {
        "id": result.id,
        "name": tool_names[result.id],
        "response": {"error" if result.is_error else "output": text},
    }
    if images:
        response["parts"] = images
    return {"functionResponse": response}


def _invalid(conversation: Conversation, complaint: str) -> InvalidRequest:
    return InvalidRequest(complaint, param=conversation.field_names.get("messages", "messages"))

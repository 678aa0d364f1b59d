"""A conversation as a request to Anthropic.

Source: https://platform.claude.com/docs/en/api/messages/create; JSON output:
https://platform.claude.com/docs/en/build-with-claude/structured-outputs; effort:
https://platform.claude.com/docs/en/build-with-claude/effort. Which model takes which field
(newer ones refuse sampling parameters and thinking budgets) is not known here: Anthropic says so
with a 400 that names the field.
"""

from __future__ import annotations

from itertools import chain, groupby
from typing import Any, Final

import msgspec

from forebay.dialects.anthropic_messages import PATH, PROVIDER, VERSION
from forebay.dialects.canonical import (
    Conversation,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Unsupported,
    refuse_untranslated,
)
from forebay.errors import InvalidRequest
from forebay.model import UpstreamRequest

EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
"""Anthropic's values of `output_config.effort`."""

_CHOICE_TYPES: Final = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def encode_request(
    conversation: Conversation, *, model: str, default_max_tokens: int
) -> UpstreamRequest:
    """Write the request for Anthropic.

    Args:
        conversation: What is asked.
        model: The target's model.
        default_max_tokens: Output limit where the conversation has none: Anthropic wants one.

    Raises:
        InvalidRequest: Anthropic has no way to do what a field asks for (mostly as `Unsupported`),
            or the arguments of an earlier tool use are no JSON object.
    """
    refuse_untranslated(conversation, PROVIDER)
    _refuse_unsupported(conversation)
    sampling = conversation.sampling
    fields: dict[str, Any] = {
        "model": model,
        "max_tokens": conversation.max_output_tokens or default_max_tokens,
        "messages": _turns(conversation),
        "system": [_text(text) for text in conversation.system if text],
        "stream": conversation.stream or None,
        "stop_sequences": conversation.stop,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "tools": [_tool(tool) for tool in conversation.tools],
        "tool_choice": _tool_choice(conversation),
        "thinking": _thinking(conversation.reasoning),
        "output_config": _output_config(conversation),
        "metadata": None if conversation.user is None else {"user_id": conversation.user},
    }
    given = {name: value for name, value in fields.items() if value not in (None, [], (), {})}
    return UpstreamRequest(
        path=PATH,
        headers={"content-type": "application/json", "anthropic-version": VERSION},
        body=msgspec.json.encode({"messages": [], **given}),
        stream=conversation.stream,
    )


def _refuse_unsupported(conversation: Conversation) -> None:
    sampling, output = conversation.sampling, conversation.json_output
    effort = conversation.reasoning and conversation.reasoning.effort
    asked = {
        "choices": conversation.choices > 1,
        "sampling.seed": sampling.seed is not None,
        "sampling.frequency_penalty": bool(sampling.frequency_penalty),
        "sampling.presence_penalty": bool(sampling.presence_penalty),
        # Anthropic's goes from 0 to 1, OpenAI's to 2; the scales are not the same stretched.
        "sampling.temperature": (sampling.temperature or 0) > 1,
        "json_output": output is not None and output.schema is None,
        "reasoning.effort": effort is not None and effort not in EFFORTS,
    }
    for name, unsupported in asked.items():
        if unsupported:
            raise Unsupported(conversation, name, PROVIDER)


def _turns(conversation: Conversation) -> list[dict[str, Any]]:
    """Write the messages, those of one role in sequence as one; what is empty is left out.

    (Anthropic refuses empty texts and turns.) A prefill is the last one; newer models refuse it,
    and say so: https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6.
    """
    turns = []
    for role, messages in groupby(conversation.turns, key=lambda message: message.role):
        parts = chain.from_iterable(message.parts for message in messages)
        blocks = [block for part in parts if (block := _block(part, conversation))]
        if blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _block(part: Part, conversation: Conversation) -> dict[str, Any] | None:
    match part:
        case Text(text) | Refusal(text):
            return _text(text) if text else None
        case Image():
            return _image(part, conversation)
        case ToolUse():
            return {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": _arguments(part.arguments),
            }
        case ToolResult():
            return _tool_result(part, conversation)
        case _:
            return _thought(part)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(image: Image, conversation: Conversation) -> dict[str, Any]:
    if image.detail == "low":  # to see less for less money; "high" is what Anthropic does
        raise Unsupported(conversation, "image.detail", PROVIDER)
    source: dict[str, Any] = {"type": "url", "url": image.url}
    if image.data is not None:
        source = {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "image", "source": source}


def _arguments(arguments: str) -> msgspec.Raw:
    try:
        _decode_object(arguments or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(
            "The arguments of a tool call in 'messages' are no JSON object.", param="messages"
        ) from error
    return msgspec.Raw(arguments or "{}")


def _tool_result(result: ToolResult, conversation: Conversation) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.id}
    blocks = [block for part in result.content if (block := _block(part, conversation))]
    if blocks:
        fields["content"] = blocks
    if result.is_error:
        fields["is_error"] = True
    return fields


def _thought(thought: Thinking) -> dict[str, Any] | None:
    """Write earlier reasoning.

    Without a signature, or with a tagged one, it is another provider's: Anthropic would refuse it,
    and the model that is asked now did not think it.
    """
    if thought.redacted is not None:
        return {"type": "redacted_thinking", "data": thought.redacted}
    if thought.signature is None or thought.is_tagged:
        return None
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object", **tool.schema}}
    if tool.description is not None:
        fields["description"] = tool.description
    if tool.strict is not None:
        fields["strict"] = tool.strict
    return fields


def _tool_choice(conversation: Conversation) -> dict[str, Any] | None:
    choice = conversation.tool_choice
    if choice is None and conversation.tools and conversation.parallel_tools is False:
        choice = ToolChoice("auto")
    if choice is None:
        return None
    fields: dict[str, Any] = {"type": _CHOICE_TYPES[choice.mode]}
    if choice.name is not None:
        fields["name"] = choice.name
    if choice.mode != "none" and conversation.parallel_tools is not None:
        fields["disable_parallel_tool_use"] = not conversation.parallel_tools
    return fields


def _thinking(reasoning: Reasoning | None) -> dict[str, Any] | None:
    if reasoning is None:
        return None
    if not reasoning.enabled:
        return {"type": "disabled"}
    if reasoning.budget_tokens is not None:
        return {"type": "enabled", "budget_tokens": reasoning.budget_tokens}
    return {"type": "adaptive"}


def _output_config(conversation: Conversation) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if conversation.reasoning is not None and conversation.reasoning.effort is not None:
        fields["effort"] = conversation.reasoning.effort
    if conversation.json_output is not None:
        # Its name is a label of OpenAI's, and Anthropic is always as strict as `strict` asks.
        fields["format"] = {"type": "json_schema", "schema": conversation.json_output.schema}
    return fields

"""Gemini's generateContent: requests out (`gemini_generate_reader` reads what comes back).

Source: https://ai.google.dev/api/generate-content and, for contents, parts and functions,
https://ai.google.dev/api/caching; both of v1beta. Not sent is what asks nothing of the answer and
has no place there: the caller's `user`, the name of a JSON schema, and another provider's reasoning
(see `SIGNATURE_PREFIX` in `gemini_generate_contents`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from forebay.dialects.canonical import (
    Conversation,
    Image,
    Tool,
    ToolResult,
    Unsupported,
    refuse_untranslated,
)
from forebay.dialects.gemini_generate_contents import PROVIDER, encode_contents, is_gemini_3
from forebay.model import UpstreamRequest

MAX_STOP_SEQUENCES: Final = 5
MAX_SEED: Final = 2**31 - 1

_CALLING_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
"""Source: FunctionCallingConfig.Mode."""

_LEVELS: Final = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
"""Source: ThinkingConfig.ThinkingLevel; Gemini 3 and later."""

_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""Thinking tokens for models that know no level: Google's own reading of OpenAI's efforts.
Source: https://ai.google.dev/gemini-api/docs/openai#thinking."""

_RESOLUTIONS: Final = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
"""Source: GenerationConfig.MediaResolution."""


def encode_request(conversation: Conversation, *, model: str) -> UpstreamRequest:
    """Write a conversation for Gemini.

    Args:
        conversation: What is asked.
        model: Gemini's name of the model, e.g. `gemini-2.5-flash`.

    Raises:
        Unsupported: It asks for what Gemini cannot do.
        InvalidRequest: It is none: no content, a result of a tool that nobody called, arguments
            of a tool that are no JSON object, an image without a type.
    """
    refuse_untranslated(conversation, PROVIDER)
    if conversation.prefill is not None:  # a model's turn at the end is one of old
        raise Unsupported(conversation, "prefill", PROVIDER)
    method = "streamGenerateContent?alt=sse" if conversation.stream else "generateContent"
    body = {
        "contents": encode_contents(conversation, model),
        "systemInstruction": _system(conversation),
        "tools": _tools(conversation),
        "toolConfig": _tool_config(conversation),
        "generationConfig": _generation_config(conversation, model),
    }
    return UpstreamRequest(
        path=f"/models/{quote(model, safe='')}:{method}",
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(_given(body)),
        stream=conversation.stream,
    )


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not asked for."""
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def _system(conversation: Conversation) -> dict[str, Any] | None:
    parts = [{"text": prompt} for prompt in conversation.system if prompt]
    return {"parts": parts} if parts else None


def _tools(conversation: Conversation) -> list[dict[str, Any]]:
    if not conversation.tools:
        return []
    return [{"functionDeclarations": [_declaration(tool) for tool in conversation.tools]}]


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration = {"description": tool.description, "parametersJsonSchema": dict(tool.schema)}
    return {"name": tool.name, **_given(declaration)}


def _tool_config(conversation: Conversation) -> dict[str, Any] | None:
    """Write whether functions must be called; calls that keep to the schema are `VALIDATED`."""
    if conversation.tools and conversation.parallel_tools is False:
        raise Unsupported(conversation, "parallel_tools", PROVIDER)
    choice = conversation.tool_choice
    mode = _CALLING_MODES[choice.mode] if choice else None
    if mode in (None, "AUTO") and any(tool.strict for tool in conversation.tools):
        mode = "VALIDATED"
    if mode is None:
        return None
    named = [choice.name] if choice and choice.name else None
    return {"functionCallingConfig": _given({"mode": mode, "allowedFunctionNames": named})}


def _generation_config(conversation: Conversation, model: str) -> dict[str, Any]:
    sampling, stop = conversation.sampling, conversation.stop
    if len(stop) > MAX_STOP_SEQUENCES:
        raise Unsupported(conversation, "stop", PROVIDER)
    if sampling.seed is not None and abs(sampling.seed) > MAX_SEED:
        raise Unsupported(conversation, "sampling.seed", PROVIDER)
    config: dict[str, Any] = {
        "maxOutputTokens": conversation.max_output_tokens,
        "stopSequences": list(stop),
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "seed": sampling.seed,
        "candidateCount": conversation.choices if conversation.choices != 1 else None,
        "mediaResolution": _media_resolution(conversation),
        "thinkingConfig": _thinking_config(conversation, model),
    }
    if output := conversation.json_output:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = output.schema
    return _given(config)


def _thinking_config(conversation: Conversation, model: str) -> dict[str, Any] | None:
    """Write how much the model may think; a model that cannot do so little says so itself."""
    reasoning = conversation.reasoning
    if reasoning is None:
        return None
    if not reasoning.enabled or reasoning.effort == "none":
        return {"thinkingBudget": 0}
    shown = {"includeThoughts": True}
    if reasoning.effort is None:
        return {**shown, **_given({"thinkingBudget": reasoning.budget_tokens})}
    if reasoning.budget_tokens is not None or reasoning.effort not in _LEVELS:
        raise Unsupported(conversation, "reasoning.effort", PROVIDER)  # one of the two, never both
    if is_gemini_3(model):
        return {**shown, "thinkingLevel": _LEVELS[reasoning.effort]}
    return {**shown, "thinkingBudget": _BUDGETS[reasoning.effort]}


def _media_resolution(conversation: Conversation) -> str | None:
    """Read the pictures' `detail`, which Gemini takes for all of them at once."""
    details = {image.detail for image in _images(conversation)} - {None, "auto"}
    if not details:
        return None
    detail = details.pop()
    if details or detail not in _RESOLUTIONS:
        raise Unsupported(conversation, "image.detail", PROVIDER)
    return _RESOLUTIONS[detail]


def _images(conversation: Conversation) -> Iterable[Image]:
    for message in conversation.messages:
        for part in message.parts:
            if isinstance(part, Image):
                yield part
            elif isinstance(part, ToolResult):
                yield from (inner for inner in part.content if isinstance(inner, Image))

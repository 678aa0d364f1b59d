"""A conversation as a chat completion request, for OpenAI and what is compatible with it.

Source: https://platform.openai.com/docs/api-reference/chat/create.

What a history holds and this surface has no place for:

- A model's reasoning (`Thinking`) is left out: it is its provider's own, signed for or readable by
  that provider alone, and DeepSeek and OpenAI want none back.
- A tool's failure (`is_error`) is said in the text, as OpenAI's guide on function calling asks for
  ("return a string to indicate success or failure").
- Words of an assistant's turn stand before its tool calls, whatever their order was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
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
from forebay.dialects.openai_chat import PATH
from forebay.model import UpstreamRequest


@dataclass(frozen=True, slots=True)
class Surface:
    """How an OpenAI-compatible target differs.

    Args:
        name: For error messages.
        limit_field: Its name for the limit of output tokens.
        cannot: Fields of a conversation that it refuses or passes over in silence.
        has_refusals: Whether it takes `refusal` back; else what the model refused with is text.
        prefill_fields: What it wants to be told, to write on from an assistant's last turn.
    """

    name: str
    limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    cannot: frozenset[str] = frozenset({"sampling.top_k"})
    has_refusals: bool = True
    prefill_fields: Mapping[str, bool] = field(default_factory=dict)


OPENAI: Final = Surface("OpenAI")
"""OpenAI itself never writes on from an assistant's last turn; servers that are compatible with it
may, and are asked to where their operator says so."""

OLLAMA: Final = Surface(
    "Ollama",
    "max_tokens",
    frozenset({"sampling.top_k", "choices", "parallel_tools", "tool_choice"}),
    has_refusals=False,
)
"""Source: https://docs.ollama.com/api/openai-compatibility, "Supported request fields"; `openai.go`
in https://github.com/ollama/ollama (a field that is missing there is passed over)."""

VLLM: Final = Surface(
    "vLLM",
    cannot=frozenset(),
    has_refusals=False,
    prefill_fields={"continue_final_message": True, "add_generation_prompt": False},
)
"""Source: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (of
`continue_final_message`: "cannot be used at the same time as `add_generation_prompt`")."""

LOCALAI: Final = Surface("LocalAI", "max_tokens", frozenset({"parallel_tools"}), has_refusals=False)
"""Source: `core/schema/openai.go` and `prediction.go` in https://github.com/mudler/LocalAI."""

DEFAULTS: Final = {"parallel_tools": True, "tool_choice": "auto"}
"""What happens anyway may be asked of a target that cannot choose."""

JSON_NAME: Final = "answer"
"""Name of a JSON schema whose caller has none for it; OpenAI wants one."""

TOOL_FAILED: Final = "The tool failed."
"""Goes before what a tool said of its failure."""

EFFORT_OF_BUDGET: Final = ((1_024, "low"), (8_192, "medium"))
"""Effort for up to so many tokens of reasoning; above: `high`. OpenAI knows no budgets.

Source: Google's table for the same translation, https://ai.google.dev/gemini-api/docs/openai.
"""


def encode_conversation(
    conversation: Conversation, *, model: str, surface: Surface = OPENAI
) -> UpstreamRequest:
    """Write a conversation for an OpenAI-compatible target.

    Usage is always asked for on streams: the ledger needs it.

    Raises:
        Unsupported: The target cannot do what a field asks for.
    """
    refuse_untranslated(conversation, surface.name)
    fields = {
        "model": model,
        "messages": list(_messages(conversation, surface)),
        **{name: value for name, value in _wishes(conversation, surface) if value is not None},
    }
    if conversation.prefill is not None:
        fields |= surface.prefill_fields
    if conversation.stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return UpstreamRequest(
        path=PATH,
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(fields),
        stream=conversation.stream,
    )


def _wishes(asked: Conversation, surface: Surface) -> Iterator[tuple[str, Any]]:
    """Yield each field with its value; None: it is not asked for."""
    sampling = asked.sampling
    wishes = (
        ("max_output_tokens", surface.limit_field, asked.max_output_tokens),
        ("stop", "stop", list(asked.stop) or None),
        ("sampling.temperature", "temperature", sampling.temperature),
        ("sampling.top_p", "top_p", sampling.top_p),
        ("sampling.top_k", "top_k", sampling.top_k),
        ("sampling.frequency_penalty", "frequency_penalty", sampling.frequency_penalty),
        ("sampling.presence_penalty", "presence_penalty", sampling.presence_penalty),
        ("sampling.seed", "seed", sampling.seed),
        ("tools", "tools", [_tool(tool) for tool in asked.tools] or None),
        ("tool_choice", "tool_choice", _tool_choice(asked.tool_choice)),
        ("parallel_tools", "parallel_tool_calls", asked.parallel_tools),
        ("json_output", "response_format", _response_format(asked.json_output)),
        ("reasoning", "reasoning_effort", _effort(asked.reasoning)),
        ("choices", "n", asked.choices if asked.choices > 1 else None),
        ("user", "user", asked.user),
    )
    for name, theirs, value in wishes:
        if value is None or name not in surface.cannot:
            yield theirs, value
        elif value != DEFAULTS.get(name):
            raise Unsupported(asked, name, surface.name)


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _given(function)}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _tool_choice(choice: ToolChoice | None) -> str | dict[str, Any] | None:
    if choice is None:
        return None
    if choice.mode != "named":
        return choice.mode
    return {"type": "function", "function": {"name": choice.name}}


def _response_format(output: JsonOutput | None) -> dict[str, Any] | None:
    if output is None:
        return None
    if output.name is None and output.schema is None:
        return {"type": "json_object"}
    schema = {
        "name": output.name or JSON_NAME,
        "schema": output.schema,
        "strict": output.strict,
    }
    return {"type": "json_schema", "json_schema": _given(schema)}


def _effort(reasoning: Reasoning | None) -> str | None:
    if reasoning is None:
        return None
    if not reasoning.enabled:
        return "none"
    budget = reasoning.budget_tokens
    if reasoning.effort or budget is None:
        return reasoning.effort
    return next((effort for most, effort in EFFORT_OF_BUDGET if budget <= most), "high")


# --- messages


def _messages(asked: Conversation, surface: Surface) -> Iterator[dict[str, Any]]:
    if asked.system:
        yield {"role": "system", "content": _content([_text(each) for each in asked.system])}
    for position, message in enumerate(asked.turns):
        unsupported = Unsupported(asked, f"messages[{position}]", surface.name)
        if message.role == "user":
            yield from _user(message, unsupported)
        else:
            yield from _assistant(message, unsupported, has_refusals=surface.has_refusals)


def _user(message: Message, unsupported: Unsupported) -> Iterator[dict[str, Any]]:
    """What the user said; each tool's result is a message of its own."""
    said: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case Text(text=text):
                said.append(_text(text))
            case Image():
                said.append(_image(part))
            case ToolResult():
                if said:
                    yield {"role": "user", "content": _content(said)}
                    said = []
                yield _result(part, unsupported)
            case _:
                raise unsupported
    if said:
        yield {"role": "user", "content": _content(said)}


def _assistant(
    message: Message, unsupported: Unsupported, *, has_refusals: bool
) -> Iterator[dict[str, Any]]:
    """What the model said; nothing if that was reasoning alone."""
    texts: list[dict[str, Any]] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case Text(text=text):
                texts.append(_text(text))
            case Refusal(text=text) if has_refusals:
                refusals.append(text)
            case Refusal(text=text):
                texts.append(_text(text))
            case ToolUse():
                calls.append(_call(part))
            case Thinking():
                pass
            case _:
                raise unsupported
    optional = {"refusal": "".join(refusals), "tool_calls": calls}
    given = {name: value for name, value in optional.items() if value}
    if texts or given:
        yield {"role": "assistant", "content": _content(texts) if texts else None, **given}


def _content(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Write one text as a string: not every compatible target knows parts."""
    match parts:
        case [{"type": "text", "text": str(text)}]:
            return text
        case _:
            return parts


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(image: Image) -> dict[str, Any]:
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"type": "image_url", "image_url": _given({"url": url, "detail": image.detail})}


def _call(use: ToolUse) -> dict[str, Any]:
    function = {"name": use.name, "arguments": use.arguments or "{}"}
    return {"type": "function", "id": use.id, "function": function}


def _result(result: ToolResult, unsupported: Unsupported) -> dict[str, Any]:
    """A tool's message; it may hold text only."""
    texts: list[str] = []
    for part in result.content:
        if not isinstance(part, Text):
            raise unsupported
        texts.append(part.text)
    if result.is_error:  # into the first text: Ollama loses the id of a message in parts
        texts[:1] = ["\n".join((TOOL_FAILED, *texts[:1]))]
    content = _content([_text(text) for text in texts]) if texts else ""
    return {"role": "tool", "tool_call_id": result.id, "content": content}

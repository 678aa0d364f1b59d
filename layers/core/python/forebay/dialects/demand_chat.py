"""What a chat completion, or a legacy one, can cost.

Source: https://platform.openai.com/docs/api-reference/chat/create, the same of completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from forebay.dialects.completions import CompletionRequest
from forebay.dialects.demand_parts import Gathered, decoded, is_said, output_limit
from forebay.dialects.openai_chat import ChatRequest
from forebay.model import Demand

LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""The names of the output limit; servers differ in which of them counts."""

USUAL_COMPLETION_LIMIT: Final = 16
"""Tokens of a legacy completion whose request has no `max_tokens`, by OpenAI's reference."""

_MARKERS: Final = frozenset({"role", "type", "index", "cache_control"})

_FREE: Final = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "best_of", *LIMITS, "stop", "seed"}
    | {"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "logit_bias"}
    | {"logprobs", "top_logprobs", "user", "metadata", "store", "safety_identifier"}
    | {"prompt_cache_key", "prompt_cache_retention", "service_tier", "verbosity", "tool_choice"}
    | {"parallel_tool_calls", "reasoning_effort", "modalities", "echo", "prompt"}
)
"""Fields that the model does not read; any other is taken as part of the prompt."""

_SCHEMAS: Final = frozenset({"tools", "functions", "response_format"})

_UNBOUNDED: Final = frozenset(
    {"audio", "prediction", "web_search_options", "search_parameters", "plugins"}
)
"""What is billed beside the tokens of a prompt and an answer: sound, rejected predictions, searches
of the provider's or of a gateway behind it."""

_TEXT_PARTS: Final = frozenset({"text", "refusal", "thinking", "reasoning", "function", "custom"})


def chat_demand(request: ChatRequest) -> Demand:
    """Tell what a chat completion can cost. Never fails."""
    gathered = Gathered()
    fields = request.fields
    messages = gathered.look_through("messages", fields["messages"], part=_part, markers=_MARKERS)
    tools = decoded(fields.get("tools"))
    functions = decoded(fields.get("functions"))
    gathered.unbounded += _unbounded(fields, tools, messages)
    effort = decoded(fields.get("reasoning_effort"))
    return Demand(
        texts=(*gathered.texts, *_unknown(fields)),
        schemas=_schemas(fields),
        framed=len(messages) if isinstance(messages, list) else 1,
        tools=sum(len(each) for each in (tools, functions) if isinstance(each, list)),
        pictures=tuple(gathered.pictures),
        answers=request.choices,
        output_limit=stated_limit(fields, LIMITS),
        reasons=effort not in {None, "none"} if isinstance(effort, str | None) else True,
        unbounded=tuple(gathered.unbounded),
    )


def completion_demand(request: CompletionRequest) -> Demand:
    """Tell what a legacy completion can cost. Never fails."""
    fields = request.fields
    prompt = decoded(fields.get("prompt"))
    texts, ids = _prompts(prompt)
    best_of = output_limit(decoded(fields.get("best_of"))) or 1
    return Demand(
        texts=(*texts, *_unknown(fields)),
        schemas=_schemas(fields),
        framed=request.prompts,
        token_ids=ids,
        answers=max(request.choices, request.prompts * best_of),
        output_limit=stated_limit(fields, ("max_tokens",)),
        usual_output_limit=USUAL_COMPLETION_LIMIT,
        unbounded=tuple(name for name in sorted(_UNBOUNDED) if is_said(fields.get(name))),
    )


def stated_limit(fields: Mapping[str, msgspec.Raw], names: tuple[str, ...]) -> int | None:
    """Return the output limit that a request states; of two, the higher: either may count."""
    stated = (output_limit(decoded(fields.get(name))) for name in names)
    return max((limit for limit in stated if limit is not None), default=None)


def _part(gathered: Gathered, part: Mapping[str, Any], path: str) -> bool:
    kind = part["type"]
    if kind == "image_url":
        image = part.get("image_url")
        if isinstance(image, dict):
            gathered.picture(image.get("url"), image.get("detail"))
        else:
            gathered.picture(image, part.get("detail"))
        return True
    is_text = isinstance(kind, str) and kind in _TEXT_PARTS
    return not is_text and "content" in path and gathered.no_bound(path)


def _unbounded(fields: Mapping[str, msgspec.Raw], tools: Any, messages: Any) -> Iterator[str]:
    yield from (name for name in sorted(_UNBOUNDED) if is_said(fields.get(name)))
    if decoded(fields.get("modalities")) not in (None, [], ["text"]):
        yield "modalities"
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        kind = tool.get("type", "function") if isinstance(tool, dict) else "function"
        if kind not in ("function", "custom"):
            yield f"tools[{at}]"
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("audio"):
            yield f"messages[{at}].audio"


def _schemas(fields: Mapping[str, msgspec.Raw]) -> tuple[str, ...]:
    return tuple(_text(fields[name]) for name in sorted(_SCHEMAS) if is_said(fields.get(name)))


def _unknown(fields: Mapping[str, msgspec.Raw]) -> Iterator[str]:
    for name, value in fields.items():
        if name not in _FREE | _SCHEMAS | _UNBOUNDED and is_said(value):
            yield _text(value)


def _text(value: msgspec.Raw) -> str:
    return bytes(value).decode("utf-8", "replace")


def _prompts(prompt: Any) -> tuple[list[str], int]:
    """Return the texts of a prompt, and how many tokens came as numbers."""
    texts: list[str] = []
    ids = 0
    for part in prompt if isinstance(prompt, list) else [prompt]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list):
            ids += len(part)
        elif part is not None:
            ids += 1
    return texts, ids

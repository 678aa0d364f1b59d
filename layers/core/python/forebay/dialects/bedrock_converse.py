"""Amazon Bedrock's Converse and ConverseStream: requests out.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
API_runtime_ConverseStream.html there. What only some models take goes into
`additionalModelRequestFields`, for those of them whose documentation names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec

from forebay.dialects.bedrock_converse_messages import PROVIDER, Fields, encode_messages
from forebay.dialects.canonical import (
    Conversation,
    Reasoning,
    ToolResult,
    ToolUse,
    Unsupported,
    refuse_untranslated,
)
from forebay.model import UpstreamRequest

_EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
_EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
"""Source: API_runtime_OutputConfig.html."""

_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
"""What `requestMetadata` takes. Source: API_runtime_Converse.html."""


def encode_request(conversation: Conversation, *, model: str) -> UpstreamRequest:
    """Write a request for a model, named by its id, its inference profile or an ARN of either.

    Raises:
        Unsupported: Converse, or this model, cannot do what a field asks for.
        InvalidRequest: A tool call in the conversation has arguments that are no JSON object.
    """
    refuse_untranslated(conversation, PROVIDER)
    _refuse_what_converse_lacks(conversation)
    if conversation.prefill is not None and not _is_claude(model):
        # Only Anthropic documents that its models write on from an assistant's last turn.
        raise Unsupported(conversation, "prefill", PROVIDER)
    fields = {
        "messages": encode_messages(conversation),
        "system": [{"text": text} for text in conversation.system if text],
        "inferenceConfig": _inference(conversation),
        "toolConfig": _tools(conversation),
        "outputConfig": _output(conversation),
        "requestMetadata": _metadata(conversation),
        "additionalModelRequestFields": _model_fields(conversation, model),
    }
    stream = conversation.stream
    return UpstreamRequest(
        path=f"/model/{quote(model, safe='')}/{'converse-stream' if stream else 'converse'}",
        headers={
            "content-type": "application/json",
            "accept": _EVENT_STREAM if stream else "application/json",
        },
        body=msgspec.json.encode({name: value for name, value in fields.items() if value}),
        stream=stream,
    )


def _refuse_what_converse_lacks(conversation: Conversation) -> None:
    sampling, output = conversation.sampling, conversation.json_output
    asked = {
        "choices": conversation.choices > 1,
        # A penalty of 0 is none.
        "sampling.frequency_penalty": bool(sampling.frequency_penalty),
        "sampling.presence_penalty": bool(sampling.presence_penalty),
        "sampling.seed": sampling.seed is not None,
        # OpenAI's goes up to 2. Source: API_runtime_InferenceConfiguration.html.
        "sampling.temperature": (sampling.temperature or 0) > 1,
        "parallel_tools": conversation.parallel_tools is False,
        "json_output": output is not None and output.schema is None,
    }
    for name in (name for name, is_asked in asked.items() if is_asked):
        raise Unsupported(conversation, name, PROVIDER)


def _inference(conversation: Conversation) -> Fields:
    """Source: API_runtime_InferenceConfiguration.html."""
    fields = {
        "maxTokens": conversation.max_output_tokens,
        "temperature": conversation.sampling.temperature,
        "topP": conversation.sampling.top_p,
        "stopSequences": list(conversation.stop) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _tools(conversation: Conversation) -> Fields:
    """Source: API_runtime_ToolConfiguration.html."""
    choice = conversation.tool_choice
    mode = choice.mode if choice else "auto"
    if mode == "none":
        # Converse has no such choice; without tools none can be called. But a history with tool
        # calls needs their definitions.
        if _has_tool_parts(conversation):
            raise Unsupported(conversation, "tool_choice", PROVIDER)
        return {}
    if not conversation.tools:
        if mode != "auto":
            raise Unsupported(conversation, "tool_choice", PROVIDER)
        return {}
    fields: Fields = {"tools": [{"toolSpec": spec} for spec in _tool_specs(conversation)]}
    if mode == "required":
        fields["toolChoice"] = {"any": {}}
    elif choice and mode == "named":
        fields["toolChoice"] = {"tool": {"name": choice.name}}
    return fields


def _has_tool_parts(conversation: Conversation) -> bool:
    parts = (part for message in conversation.messages for part in message.parts)
    return any(isinstance(part, ToolUse | ToolResult) for part in parts)


def _tool_specs(conversation: Conversation) -> Iterator[Fields]:
    for tool in conversation.tools:
        spec: Fields = {"name": tool.name, "inputSchema": {"json": tool.schema}}
        if tool.description:
            spec["description"] = tool.description
        if tool.strict is not None:
            spec["strict"] = tool.strict
        yield spec


def _output(conversation: Conversation) -> Fields:
    """Source: API_runtime_OutputConfig.html."""
    fields: Fields = {}
    output, reasoning = conversation.json_output, conversation.reasoning
    if output is not None:
        definition = {"schema": msgspec.json.encode(output.schema).decode()}
        if output.name:
            definition["name"] = output.name
        fields["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": definition}}
    if reasoning is not None and reasoning.effort is not None:
        if reasoning.effort not in _EFFORTS:
            raise Unsupported(conversation, "reasoning.effort", PROVIDER)
        fields["effort"] = reasoning.effort
    return fields


def _metadata(conversation: Conversation) -> Fields:
    """Put the end user into the invocation log's tags, the one place that Converse has for it."""
    user = conversation.user
    if not user:
        return {}
    if not _METADATA.fullmatch(user):
        raise Unsupported(conversation, "user", PROVIDER)
    return {"user": user}


def _model_fields(conversation: Conversation, model: str) -> Fields:
    fields: Fields = {}
    top_k = conversation.sampling.top_k
    if top_k is not None:
        fields |= _top_k(conversation, top_k, model)
    if conversation.reasoning is not None:
        fields |= _reasoning(conversation, conversation.reasoning, model)
    return fields


def _top_k(conversation: Conversation, top_k: int, model: str) -> Fields:
    """Limit the choice of each token, where that is documented.

    Source: Bedrock's user guide, model-parameters-anthropic-claude-messages.html; Nova's,
    using-converse-api.html.
    """
    if _is_claude(model):
        return {"top_k": top_k}
    if "amazon.nova" in model:
        return {"inferenceConfig": {"topK": top_k}}
    raise Unsupported(conversation, "sampling.top_k", PROVIDER)


def _reasoning(conversation: Conversation, reasoning: Reasoning, model: str) -> Fields:
    """Switch a Claude's thinking; other models have their effort alone (`_output`).

    Source: Bedrock's user guide, claude-messages-extended-thinking.html (a budget) and
    claude-messages-adaptive-thinking.html (an effort, or neither). Which generation takes which,
    Bedrock says itself, with a 400.
    """
    if _is_claude(model):
        if not reasoning.enabled:
            return {"thinking": {"type": "disabled"}}
        if reasoning.budget_tokens is not None:
            budget = reasoning.budget_tokens
            return {"thinking": {"type": "enabled", "budget_tokens": budget}}
        return {"thinking": {"type": "adaptive"}}
    if not reasoning.enabled or reasoning.budget_tokens is not None:
        name = "reasoning.budget_tokens" if reasoning.enabled else "reasoning"
        raise Unsupported(conversation, name, PROVIDER)
    return {}


def _is_claude(model: str) -> bool:
    return "anthropic." in model

"""The fields of a chat completion request that have a counterpart in the canonical vocabulary.

Source: https://platform.openai.com/docs/api-reference/chat/create, and the types that OpenAI's SDK
generates from the same description. `top_k`, `reasoning` and `reasoning_content` are vLLM's and
DeepSeek's (https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html).

What these types do not hold, `untyped` finds: so a field that OpenAI adds tomorrow is refused on
the way to a target of another dialect, and not lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from forebay.dialects.openai_body import invalid_field
from forebay.dialects.openai_chat import ChatRequest
from forebay.errors import InvalidRequest


class NoCounterpart(msgspec.Struct):
    """What is no mistake, but cannot be translated: `untyped` names it."""


# --- parts of a message


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """Words."""

    text: str


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """What the model refused with."""

    refusal: str


class ImageUrl(msgspec.Struct):
    """Where a picture is, or (`data:`) the picture."""

    url: str
    detail: str | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    """A picture."""

    image_url: ImageUrl


class AudioPart(NoCounterpart, tag_field="type", tag="input_audio"):
    """Sound."""


class FilePart(NoCounterpart, tag_field="type", tag="file"):
    """A document."""


class FunctionCall(msgspec.Struct):
    """A function that the model called."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, tag_field="type", tag="function"):
    """A tool that the model called."""

    id: str
    function: FunctionCall
    index: int | None = None
    """Stays behind where a stream's deltas were added up; the order says the same."""


class CustomToolCall(NoCounterpart, tag_field="type", tag="custom"):
    """A tool that the model called with free text."""


# --- messages

Texts = str | list[TextPart]


class SystemMessage(msgspec.Struct, tag_field="role", tag="system"):
    """Instructions."""

    content: Texts


class DeveloperMessage(msgspec.Struct, tag_field="role", tag="developer"):
    """What reasoning models call instructions."""

    content: Texts


class UserMessage(msgspec.Struct, tag_field="role", tag="user"):
    """What a person said."""

    content: str | list[TextPart | ImagePart | AudioPart | FilePart]


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant"):
    """What the model said."""

    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall | CustomToolCall] | None = None
    function_call: FunctionCall | None = None


class ToolMessage(msgspec.Struct, tag_field="role", tag="tool"):
    """What a tool answered."""

    content: Texts
    tool_call_id: str


class FunctionMessage(msgspec.Struct, tag_field="role", tag="function"):
    """What a function answered, before there were tools."""

    content: str | None
    name: str


ChatMessage = (
    SystemMessage
    | DeveloperMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage
)

# --- what is asked


class Function(msgspec.Struct):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(msgspec.Struct, tag_field="type", tag="function"):
    """A tool that is a function."""

    function: Function


class CustomTool(NoCounterpart, tag_field="type", tag="custom"):
    """A tool that takes free text."""


class FunctionName(msgspec.Struct):
    """Names a function."""

    name: str


class NamedTool(msgspec.Struct, tag_field="type", tag="function"):
    """This tool must be called."""

    function: FunctionName


class NamedCustomTool(NoCounterpart, tag_field="type", tag="custom"):
    """This custom tool must be called."""


class AllowedTools(NoCounterpart, tag_field="type", tag="allowed_tools"):
    """Some of the tools may be called."""


class TextFormat(msgspec.Struct, tag_field="type", tag="text"):
    """Anything: the default."""


class JsonObjectFormat(msgspec.Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(msgspec.Struct):
    """JSON of one shape."""

    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    """JSON of one shape."""

    json_schema: JsonSchema


class Fields(msgspec.Struct):
    """A request. `stream_options` concerns its caller and this gateway only."""

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: Any = None
    n: int | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    tools: list[FunctionTool | CustomTool] | None = None
    tool_choice: (
        Literal["none", "auto", "required"] | NamedTool | NamedCustomTool | AllowedTools | None
    ) = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    safety_identifier: str | None = None


_decode_fields = msgspec.json.Decoder(Fields).decode
# Python's own floats: 1e999 is infinite, not an error, in a field that we do not read.
_decode_all = msgspec.json.Decoder(float_hook=float).decode


def decode(request: ChatRequest) -> tuple[Fields, tuple[str, ...]]:
    """Return a request's fields, and the paths of those that they do not hold.

    Raises:
        InvalidRequest: A field is not what OpenAI's reference says; `param` is its path, e.g.
            `messages[2].content[0].type`.
    """
    body = msgspec.json.encode(request.fields)
    try:
        fields = _decode_fields(body)
        return fields, tuple(untyped(_decode_all(body), fields))
    except msgspec.ValidationError as error:
        raise invalid_field(str(error)) from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


NO_WISH: Final[dict[str, tuple[object, ...]]] = {
    "logprobs": (False,),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}
"""Values that ask for what happens anyway, by the reference; null and empty ones do everywhere."""


def untyped(value: Any, typed: object, path: str = "") -> Iterator[str]:
    """Yield the paths of what `value` asks for beyond what its decoded form, `typed`, holds."""
    if isinstance(typed, NoCounterpart):
        yield path
    elif isinstance(typed, msgspec.Struct):
        tag = typed.__struct_config__.tag_field
        for name, member in value.items():
            where = f"{path}.{name}" if path else name
            if name in typed.__struct_fields__:
                yield from untyped(member, getattr(typed, name), where)
            elif name != tag and member not in (None, [], {}, *NO_WISH.get(where, ())):
                yield where
    elif isinstance(typed, list):
        for position, (member, each) in enumerate(zip(value, typed, strict=True)):
            yield from untyped(member, each, f"{path}[{position}]")

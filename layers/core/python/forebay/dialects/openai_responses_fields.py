"""The fields of a request for a response that have a counterpart in the canonical vocabulary.

Source: https://platform.openai.com/docs/api-reference/responses/create, and the types that OpenAI's
SDK generates from the same description. What these types do not hold is refused on the way to the
target. What they hold as `Any` is taken and left: it changes no answer.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from forebay.dialects.openai_chat_fields import NoCounterpart

# --- parts of a message


class InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    """Words that go in."""

    text: str


class InputImage(msgspec.Struct, tag_field="type", tag="input_image"):
    """A picture: where it is, or (`data:`) the picture."""

    image_url: str | None = None
    detail: str | None = None


class InputFile(NoCounterpart, tag_field="type", tag="input_file"):
    """A document."""


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """Words that came out."""

    text: str
    annotations: Any = None
    logprobs: Any = None


class OutputRefusal(msgspec.Struct, tag_field="type", tag="refusal"):
    """What the model refused with."""

    refusal: str


Part = InputText | InputImage | InputFile | OutputText | OutputRefusal

# --- items


class Item(msgspec.Struct, kw_only=True):
    """What items bear that have come out once."""

    id: Any = None
    status: Any = None


class MessageItem(Item, tag_field="type", tag="message", kw_only=True):
    """What somebody said."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    phase: Any = None


class FunctionCallItem(Item, tag_field="type", tag="function_call", kw_only=True):
    """A function that the model called."""

    call_id: str
    name: str
    arguments: str


class FunctionOutputItem(Item, tag_field="type", tag="function_call_output", kw_only=True):
    """What the function answered."""

    call_id: str
    output: str | list[InputText | InputImage | InputFile]


class SummaryText(msgspec.Struct, tag_field="type", tag="summary_text"):
    """What the model thought, in short."""

    text: str


class ReasoningText(msgspec.Struct, tag_field="type", tag="reasoning_text"):
    """What the model thought."""

    text: str


class ReasoningItem(Item, tag_field="type", tag="reasoning", kw_only=True):
    """The model's reasoning."""

    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


AnyItem = MessageItem | FunctionCallItem | FunctionOutputItem | ReasoningItem

ITEM_TYPES: Final = ("message", "function_call", "function_call_output", "reasoning")

# --- what is asked


class FunctionTool(msgspec.Struct, tag_field="type", tag="function"):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedFunction(msgspec.Struct, tag_field="type", tag="function"):
    """This function must be called."""

    name: str


class AllowedTools(NoCounterpart, tag_field="type", tag="allowed_tools"):
    """Some of the tools may be called."""


class TextFormat(msgspec.Struct, tag_field="type", tag="text"):
    """Anything: the default."""


class JsonObjectFormat(msgspec.Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchemaFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    """JSON of one shape."""

    name: str
    schema: dict[str, Any]
    strict: bool | None = None


class TextConfig(msgspec.Struct):
    """The form of the answer's text."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: str | None = None


class ReasoningConfig(msgspec.Struct):
    """How much the model may think. What it shows of that is shown, whatever was asked."""

    effort: str | None = None
    summary: Any = None
    generate_summary: Any = None


class Fields(msgspec.Struct, kw_only=True):
    """A request."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | Annotated[list[AnyItem], Meta(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunction | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    include: list[str] | None = None
    truncation: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    # Nothing is stored, whatever these say.
    store: bool | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    # About a stream's padding, OpenAI's cache, and tools that OpenAI runs.
    stream_options: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    max_tool_calls: Any = None

"""The fields of a request to Anthropic's messages, and how they are taken out of its JSON.

Source: https://platform.claude.com/docs/en/api/messages/create. What a struct does not list has
no counterpart in a conversation; `Taking` notes it. Objects within stay raw until they are taken
themselves, and a tool's input stays the text that the model wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw

from forebay.errors import InvalidRequest

Content = str | list[Raw]
Share = Annotated[float, Meta(ge=0, le=1)]


class RequestFields(msgspec.Struct):
    """A whole request."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Raw], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1)]
    system: Content | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = Raw()
    metadata: Raw = Raw()
    thinking: Raw = Raw()
    output_config: Raw = Raw()


class MessageFields(msgspec.Struct):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: Content


class Typed(msgspec.Struct, kw_only=True):
    """What its `type` says what it is."""

    type: str


class TextFields(Typed, kw_only=True):
    """Words."""

    text: str


class ImageFields(Typed, kw_only=True):
    """A picture."""

    source: Raw


class Base64Fields(Typed, kw_only=True):
    """A picture's bytes."""

    media_type: str
    data: str


class UrlFields(Typed, kw_only=True):
    """Where a picture is."""

    url: str


class JsonObject(msgspec.Struct):
    """Any object."""


class ToolUseFields(Typed, kw_only=True):
    """What the model wanted of a tool."""

    id: str
    name: str
    input: Raw


class ToolResultFields(Typed, kw_only=True):
    """What the tool answered."""

    tool_use_id: str
    content: Content | None = None
    is_error: bool | None = None


class ThinkingFields(Typed, kw_only=True):
    """Reasoning; `signature` is empty if it is not Anthropic's."""

    thinking: str
    signature: str


class RedactedThinkingFields(Typed, kw_only=True):
    """Reasoning that only Anthropic can read."""

    data: str


class ToolFields(msgspec.Struct):
    """A tool that the caller runs."""

    name: str
    input_schema: dict[str, Any]
    type: str | None = None
    description: str | None = None
    strict: bool | None = None


class ToolType(msgspec.Struct):
    """What of a tool says who runs it."""

    type: str | None = None


class ToolChoiceFields(msgspec.Struct):
    """Whether tools must, may or must not be used."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class MetadataFields(msgspec.Struct):
    """About the request."""

    user_id: str | None = None


class ThinkingConfigFields(Typed, kw_only=True):
    """How much the model may think."""

    budget_tokens: Annotated[int, Meta(ge=1)] | None = None
    display: str | None = None


class OutputConfigFields(msgspec.Struct):
    """Effort and form of the answer."""

    effort: str | None = None
    format: Raw = Raw()


class FormatFields(Typed, kw_only=True):
    """JSON of a schema."""

    schema: dict[str, Any]


HINTS: Final = frozenset({"cache_control", "eager_input_streaming", "caller"})
"""What may be left undone without changing an answer: what to keep in Anthropic's cache, in how
large pieces to stream a tool's input, and who asked for a tool (the model; it comes with answers
and goes back with them)."""

_ORDINARY: Final = {"service_tier": b'"auto"', "speed": b'"standard"'}
"""Values that say no more than leaving the field out."""

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_T = TypeVar("_T", bound=msgspec.Struct)


def given(raw: Raw) -> bool:
    """Say whether an optional member is there and not null."""
    return bytes(raw) not in {b"", b"null"}


@dataclass(slots=True)
class Taking:
    """Takes structs out of JSON, and notes what they do not list."""

    untranslated: list[str] = field(default_factory=list)
    """Paths as Anthropic writes them, e.g. `messages.0.content.1.citations`."""

    def take(self, kind: type[_T], raw: Raw | bytes, path: str) -> _T:
        """Read an object.

        Raises:
            InvalidRequest: It is not of this kind; `param` is the path of what is wrong.
        """
        taken = read(kind, raw, path)
        for name, value in _decode_members(raw).items():
            listed = name in kind.__struct_encode_fields__ or name in HINTS
            if not listed and bytes(value) not in {b"null", _ORDINARY.get(name)}:
                self.untranslated.append(join(path, name))
        return taken


def read(kind: type[_T], raw: Raw | bytes, path: str) -> _T:
    """Read what a kind lists of an object.

    Raises:
        InvalidRequest: It is not of this kind; `param` is the path of what is wrong.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), path) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def join(path: str, name: str | int) -> str:
    """Name a member of what is at a path."""
    return f"{path}.{name}" if path else str(name)


def invalid(param: str, problem: str) -> InvalidRequest:
    """Refuse a field, in the form of Anthropic's own messages."""
    return InvalidRequest(f"{param or 'body'}: {problem}.", param=param or None)


def _invalid(complaint: str, path: str) -> InvalidRequest:
    """Turn msgspec's "Expected `str`, got `int` - at `$.stop_sequences[0]`" into a path."""
    problem, _, where = complaint.partition(" - at `$")
    for name in re.findall(r"\w+", where):
        path = join(path, name)
    if problem.startswith("Object missing required field"):
        return invalid(join(path, problem.split("`")[1]), "Field required")
    if problem.startswith("Invalid"):  # … value 'what was sent': not to be quoted
        return invalid(path, "Invalid value")
    return invalid(path, problem)

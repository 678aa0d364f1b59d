"""A request for a response as a conversation, for whatever target.

Source: https://platform.openai.com/docs/api-reference/responses/create. Forebay stores nothing
(`store` is taken as false, whatever it says), so what leads back to something stored is refused:
`previous_response_id`, `conversation`, `background`. So are tools that OpenAI would run itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from forebay.dialects import openai_responses_fields as wire
from forebay.dialects.canonical import (
    Conversation,
    JsonOutput,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
)
from forebay.dialects.openai_body import invalid_field, reading
from forebay.dialects.openai_chat_fields import untyped
from forebay.dialects.openai_responses_turns import Turns
from forebay.errors import InvalidRequest

FIELD_NAMES: Final = {
    "image.detail": "input",
    "image.media_type": "input",
    "image.url": "input",
    "json_output": "text.format",
    "json_output.schema": "text.format.schema",
    "json_output.strict": "text.format.strict",
    "parallel_tools": "parallel_tool_calls",
    "reasoning": "reasoning.effort",
    "reasoning.effort": "reasoning.effort",
    "reasoning.enabled": "reasoning.effort",
    "system": "instructions",
}
"""OpenAI's names for fields of a `Conversation`."""

NO_ARGUMENTS: Final = {"type": "object", "properties": {}}
"""Schema of a function without `parameters`."""

SHOWN_ANYWAY: Final = "reasoning.encrypted_content"
"""What of `include` needs no asking: it always comes, where the target has such a thing."""


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A request that was read."""

    conversation: Conversation
    echo: Mapping[str, Any]
    """What a response repeats of its request."""


def parse_request(body: bytes) -> ResponsesRequest:
    """Read a request's body.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, a field is missing, of the wrong type, or asks for
            what was stored; `param` is its path, e.g. `input[2].content[0].type`.
    """
    with reading(body):
        whole = _with_item_types(_decode_members(body))
        fields, unknown = _decode_fields(whole), _decode_all(whole)
        untranslated = [*untyped(unknown, fields), *_wishes(fields)]
    _refuse_stored(fields)
    return ResponsesRequest(_conversation(fields, untranslated), _echo(fields))


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_input = msgspec.json.Decoder(str | list[dict[str, msgspec.Raw]]).decode
_decode_tools = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None).decode
_decode_fields = msgspec.json.Decoder(wire.Fields).decode
# Python's own floats: 1e999 is infinite, not an error, in a field that we do not read.
_decode_all = msgspec.json.Decoder(float_hook=float).decode


def _with_item_types(members: dict[str, msgspec.Raw]) -> bytes:
    """Name the type of messages that leave it out, and refuse types that nobody here knows."""
    said = _members_of("input", members, _decode_input)
    if not isinstance(said, str):
        for position, item in enumerate(said):
            item.setdefault("type", msgspec.Raw(b'"message"'))
            if _type(item) not in wire.ITEM_TYPES:
                known = ", ".join(f"'{each}'" for each in wire.ITEM_TYPES)
                raise InvalidRequest(
                    f"Forebay takes items of the types {known}, and no other.",
                    param=f"input[{position}].type",
                )
    for position, tool in enumerate(_members_of("tools", members, _decode_tools) or ()):
        if _type(tool) != "function":
            raise InvalidRequest(
                "Forebay runs no tools: only tools of the type 'function' can be offered.",
                param=f"tools[{position}].type",
            )
    return msgspec.json.encode({**members, "input": said})


def _members_of(name: str, members: dict[str, msgspec.Raw], decode: Any) -> Any:
    raw = members.get(name, msgspec.Raw(b"null"))
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        if name not in members:
            raise InvalidRequest(f"Missing required parameter: '{name}'.", param=name) from error
        problem, _, where = str(error).partition(" - at `$")
        raise invalid_field(f"{problem} - at `$.{name}{where or '`'}") from error


def _type(member: dict[str, msgspec.Raw]) -> Any:
    return _decode_all(member.get("type", b"null"))


def _refuse_stored(fields: wire.Fields) -> None:
    for name in ("previous_response_id", "conversation"):
        if getattr(fields, name) is not None:
            raise InvalidRequest(
                f"Forebay stores no responses: in place of '{name}' send what was said in 'input'.",
                param=name,
            )
    if fields.background:
        raise InvalidRequest(
            "Forebay stores no responses: none can be fetched later from the 'background'.",
            param="background",
        )


def _wishes(fields: wire.Fields) -> Iterator[str]:
    """Yield the paths of values that ask for what has no counterpart."""
    if fields.truncation not in {None, "disabled"}:
        yield "truncation"
    if fields.text and fields.text.verbosity not in {None, "medium"}:
        yield "text.verbosity"
    for position, wanted in enumerate(fields.include or ()):
        if wanted != SHOWN_ANYWAY:
            yield f"include[{position}]"
    if fields.user and fields.safety_identifier not in {None, fields.user}:
        yield "user"


def _conversation(fields: wire.Fields, untranslated: list[str]) -> Conversation:
    turns = Turns()
    turns.take(fields.input)
    paths = (*untranslated, *turns.untranslated)
    user = "user" if fields.safety_identifier is None else "safety_identifier"
    system = [fields.instructions] if fields.instructions else []
    return Conversation(
        model=fields.model,
        messages=turns.messages(),
        system=(*system, *turns.system),
        stream=bool(fields.stream),
        max_output_tokens=fields.max_output_tokens,
        sampling=Sampling(fields.temperature, fields.top_p),
        tools=tuple(_tool(tool) for tool in fields.tools or ()),
        tool_choice=_tool_choice(fields),
        parallel_tools=fields.parallel_tool_calls,
        json_output=_json_output(fields.text),
        reasoning=_reasoning(fields.reasoning),
        user=getattr(fields, user),
        untranslated=paths,
        # Paths stand for themselves, or an error would show their last step.
        field_names={**FIELD_NAMES, "user": user, **{path: path for path in paths}},
    )


def _tool(tool: wire.FunctionTool) -> Tool:
    return Tool(tool.name, tool.description, tool.parameters or NO_ARGUMENTS, tool.strict)


def _tool_choice(fields: wire.Fields) -> ToolChoice | None:
    match fields.tool_choice:
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode)
        case wire.NamedFunction(name=name):
            return ToolChoice("named", name)
        case _:
            return None  # not given, or named in `untranslated`


def _json_output(text: wire.TextConfig | None) -> JsonOutput | None:
    match text and text.format:
        case wire.JsonObjectFormat():
            return JsonOutput()
        case wire.JsonSchemaFormat() as json:
            return JsonOutput(json.name, json.schema, json.strict)
        case _:
            return None


def _reasoning(config: wire.ReasoningConfig | None) -> Reasoning | None:
    if config is None or config.effort is None:
        return None
    return Reasoning(enabled=False) if config.effort == "none" else Reasoning(config.effort)


def _echo(fields: wire.Fields) -> dict[str, Any]:
    parallel = fields.parallel_tool_calls
    return {
        "background": False,
        "instructions": fields.instructions,
        "max_output_tokens": fields.max_output_tokens,
        "metadata": fields.metadata or {},
        "parallel_tool_calls": True if parallel is None else parallel,
        "previous_response_id": None,
        "reasoning": {"effort": fields.reasoning and fields.reasoning.effort, "summary": None},
        "safety_identifier": fields.safety_identifier,
        "store": False,
        "temperature": fields.temperature,
        "text": {"format": (fields.text and fields.text.format) or wire.TextFormat()},
        "tool_choice": fields.tool_choice or "auto",
        "tools": fields.tools or [],
        "top_p": fields.top_p,
        "truncation": "disabled",
        "user": fields.user,
    }

"""A chat completion request as a conversation, for targets that speak something else.

Source: https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from forebay.dialects import openai_chat_fields as wire
from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from forebay.dialects.openai_chat import ChatRequest
from forebay.errors import InvalidRequest

FIELD_NAMES: Final = {
    "choices": "n",
    "image.detail": "image_url.detail",
    "image.media_type": "image_url.url",
    "image.url": "image_url.url",
    "json_output": "response_format",
    "json_output.schema": "response_format.json_schema.schema",
    "json_output.strict": "response_format.json_schema.strict",
    "max_output_tokens": "max_completion_tokens",
    "parallel_tools": "parallel_tool_calls",
    "reasoning": "reasoning_effort",
    "reasoning.effort": "reasoning_effort",
    "reasoning.enabled": "reasoning_effort",
    "system": "messages",
}
"""OpenAI's names for fields of a `Conversation`."""

NO_ARGUMENTS: Final = {"type": "object", "properties": {}}
"""Schema of a function without `parameters`: "omitting defines an empty parameter list"."""


def to_conversation(request: ChatRequest) -> Conversation:
    """Translate a request.

    Raises:
        InvalidRequest: A field is not what OpenAI's reference says; `param` is its path, e.g.
            `messages[2].content[0].type`.
    """
    fields, untranslated = wire.decode(request)
    turns = _Turns()
    for position, message in enumerate(fields.messages):
        turns.take(message, f"messages[{position}]")
    names = dict(FIELD_NAMES)
    limits = _renamed(fields, names, "max_output_tokens", ("max_completion_tokens", "max_tokens"))
    users = _renamed(fields, names, "user", ("safety_identifier", "user"))
    untranslated += (*turns.untranslated, *limits[1:], *users[1:])
    names |= {path: path for path in untranslated}  # whole, or an error would show its last step
    return Conversation(
        model=request.model,
        messages=tuple(Message(turn.role, tuple(turn.parts)) for turn in turns.turns),
        system=tuple(turns.system),
        stream=request.stream,
        max_output_tokens=getattr(fields, limits[0]),
        stop=_stop(fields.stop),
        sampling=_sampling(fields),
        tools=tuple(_tools(fields)),
        tool_choice=_tool_choice(fields),
        parallel_tools=fields.parallel_tool_calls,
        json_output=_json_output(fields),
        reasoning=_reasoning(fields.reasoning_effort),
        choices=request.choices,
        user=getattr(fields, users[0]),
        untranslated=untranslated,
        field_names=names,
    )


def _renamed(
    fields: wire.Fields, names: dict[str, str], name: str, theirs: tuple[str, str]
) -> list[str]:
    """Return which of two names for one thing are in use: the first counts, a second is too many.

    Both with one value are one.
    """
    used = [each for each in theirs if getattr(fields, each) is not None] or [theirs[0]]
    names[name] = used[0]
    if len({getattr(fields, each) for each in used}) == 1:
        return used[:1]
    return used


# --- messages


@dataclass(slots=True)
class _Turn:
    role: Literal["user", "assistant"]
    parts: list[Part]
    of_tools: bool = False
    """Whether it holds tools' results so far and nothing else."""


@dataclass(slots=True)
class _Turns:
    """Messages on their way into turns.

    OpenAI has a message for each tool's result: they become parts of one user's turn, together
    with what the user says next.
    """

    turns: list[_Turn] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    untranslated: list[str] = field(default_factory=list)
    _function_ids: dict[str, str] = field(default_factory=dict)

    def take(self, message: wire.ChatMessage, path: str) -> None:
        match message:
            case wire.SystemMessage() | wire.DeveloperMessage():
                self._take_system(message.content, path)
            case wire.UserMessage():
                self._take_user(tuple(_content(message.content, path)))
            case wire.AssistantMessage():
                self._take_assistant(message, path)
            case wire.ToolMessage(content=content, tool_call_id=tool_id):
                self._take_result(ToolResult(tool_id, _texts(content, path)))
            case _:
                self._take_result(self._function_result(message, path))

    def _function_result(self, message: wire.FunctionMessage, path: str) -> ToolResult:
        if message.name not in self._function_ids:
            raise InvalidRequest("No such function was called.", param=f"{path}.name")
        return ToolResult(self._function_ids[message.name], (Text(message.content or ""),))

    def _take_system(self, content: wire.Texts, path: str) -> None:
        """Keep instructions; those in mid-conversation have no counterpart."""
        if self.turns:
            self.untranslated.append(f"{path}.role")
        self.system.extend(part.text for part in _texts(content, path) if part.text)

    def _take_user(self, parts: tuple[Part, ...]) -> None:
        if self.turns and self.turns[-1].of_tools:
            self.turns[-1].parts.extend(parts)
            self.turns[-1].of_tools = False
        else:
            self.turns.append(_Turn("user", list(parts)))

    def _take_result(self, result: ToolResult) -> None:
        if self.turns and self.turns[-1].of_tools:
            self.turns[-1].parts.append(result)
        else:
            self.turns.append(_Turn("user", [result], of_tools=True))

    def _take_assistant(self, message: wire.AssistantMessage, path: str) -> None:
        parts: list[Part] = []
        if thinking := message.reasoning_content or message.reasoning:
            parts.append(Thinking(thinking))
        uses = [
            ToolUse(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
            if isinstance(call, wire.ToolCall)
        ]
        if call := message.function_call:
            use_id = f"{path}.function_call"  # functions had no ids, only names
            self._function_ids[call.name] = use_id
            uses.append(ToolUse(use_id, call.name, call.arguments))
        # A stream's deltas add up to "" before a tool call; no target takes an empty part.
        if message.content is not None and (message.content or not uses):
            parts.extend(_content(message.content, path))
        if message.refusal:
            parts.append(Refusal(message.refusal))
        self.turns.append(_Turn("assistant", [*parts, *uses]))


_ContentPart = wire.TextPart | wire.RefusalPart | wire.ImagePart | wire.AudioPart | wire.FilePart


def _content(content: str | Sequence[_ContentPart], path: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
        return
    if not content:
        raise InvalidRequest("There must be a part.", param=f"{path}.content")
    for position, part in enumerate(content):
        match part:
            case wire.TextPart(text=text):
                yield Text(text)
            case wire.RefusalPart(refusal=refusal):
                yield Refusal(refusal)
            case wire.ImagePart(image_url=image):
                yield _image(image, f"{path}.content[{position}].image_url.url")
            case _:
                pass  # sound or a document, named in `untranslated`


def _texts(content: wire.Texts, path: str) -> tuple[Text, ...]:
    return tuple(part for part in _content(content, path) if isinstance(part, Text))


def _image(image: wire.ImageUrl, path: str) -> Image:
    if not image.url.startswith("data:"):
        return Image(None, None, image.url, image.detail)
    head, comma, data = image.url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.partition(";")
    if not (comma and media_type and data and encoding == "base64"):
        raise InvalidRequest("Expected data:<media type>;base64,<data>.", param=path)
    return Image(media_type, data, None, image.detail)


# --- what is asked


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _sampling(fields: wire.Fields) -> Sampling:
    return Sampling(
        temperature=fields.temperature,
        top_p=fields.top_p,
        top_k=fields.top_k,
        frequency_penalty=fields.frequency_penalty,
        presence_penalty=fields.presence_penalty,
        seed=fields.seed,
    )


def _tools(fields: wire.Fields) -> Iterator[Tool]:
    for tool in fields.tools or ():
        if isinstance(tool, wire.FunctionTool):
            function = tool.function
            schema = function.parameters or NO_ARGUMENTS
            yield Tool(function.name, function.description, schema, function.strict)


def _tool_choice(fields: wire.Fields) -> ToolChoice | None:
    match fields.tool_choice:
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode)
        case wire.NamedTool(function=function):
            return ToolChoice("named", function.name)
        case _:
            return None  # not given, or named in `untranslated`


def _json_output(fields: wire.Fields) -> JsonOutput | None:
    match fields.response_format:
        case wire.JsonObjectFormat():
            return JsonOutput()
        case wire.JsonSchemaFormat(json_schema=json):
            return JsonOutput(json.name, json.schema, json.strict)
        case _:
            return None


def _reasoning(effort: str | None) -> Reasoning | None:
    if effort == "none":
        return Reasoning(enabled=False)
    return Reasoning(effort) if effort else None

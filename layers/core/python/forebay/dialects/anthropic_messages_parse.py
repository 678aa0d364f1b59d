"""A caller's request to Anthropic's messages as a conversation.

Source: https://platform.claude.com/docs/en/api/messages/create. What has no counterpart in a
conversation (documents, server tools, citations, …) is listed in `Conversation.untranslated`, and
every target refuses it. Fields are named as Anthropic's own errors do: `messages.0.content.1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Raw

from forebay.dialects import anthropic_messages_fields as fields
from forebay.dialects.anthropic_messages_fields import Content, Taking, given, invalid, join, read
from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Part,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from forebay.errors import InvalidRequest

FIELD_NAMES: Final[Mapping[str, str]] = {
    "max_output_tokens": "max_tokens",
    "stop": "stop_sequences",
    "parallel_tools": "tool_choice.disable_parallel_tool_use",
    "json_output": "output_config.format",
    "reasoning": "thinking",
    "reasoning.effort": "output_config.effort",
    "reasoning.budget_tokens": "thinking.budget_tokens",
    "user": "metadata.user_id",
}
"""Anthropic's names for fields of a conversation."""

_MODES: Final[Mapping[str, Literal["auto", "none", "required", "named"]]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "tool": "named",
}

_BLOCKS: Final[Mapping[str, frozenset[str]]] = {
    "user": frozenset({"text", "image", "tool_result"}),
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "tool_result": frozenset({"text", "image"}),
    "system": frozenset({"text"}),
}
"""Types of blocks that can be translated, by where they stand."""


def parse_request(body: bytes) -> Conversation:
    """Read a request's body.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, or a field is missing or of the wrong type;
            `param` names it.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8 (byte {error.start}).") from error
    return _Parsing().request(body)


@dataclass(slots=True)
class _Parsing:
    taking: Taking = field(default_factory=Taking)

    def request(self, body: bytes) -> Conversation:
        asked = self.taking.take(fields.RequestFields, body, "")
        system, messages = self.turns(asked)
        choice, parallel = self.tool_choice(asked.tool_choice)
        effort, json_output = self.output(asked.output_config)
        return Conversation(
            model=asked.model,
            messages=messages,
            system=system,
            stream=bool(asked.stream),
            max_output_tokens=asked.max_tokens,
            stop=tuple(asked.stop_sequences or ()),
            sampling=Sampling(asked.temperature, asked.top_p, asked.top_k),
            tools=self.tools(asked.tools or []),
            tool_choice=choice,
            parallel_tools=parallel,
            json_output=json_output,
            reasoning=self.reasoning(asked.thinking, effort),
            user=self.user(asked.metadata),
            untranslated=tuple(self.taking.untranslated),
            field_names=FIELD_NAMES,
        )

    def unknown(self, path: str) -> None:
        self.taking.untranslated.append(path)

    # --- what is said

    def turns(self, asked: fields.RequestFields) -> tuple[tuple[str, ...], tuple[Message, ...]]:
        """Read system prompts and messages; a prompt amid the messages has no counterpart."""
        system = [] if asked.system is None else self.words(asked.system, "system")
        messages: list[Message] = []
        for number, raw in enumerate(asked.messages):
            path = f"messages.{number}"
            message = self.taking.take(fields.MessageFields, raw, path)
            content = join(path, "content")
            if message.role != "system":
                parts = self.parts(message.content, content, message.role)
                messages.append(Message(message.role, tuple(parts)))
            elif messages:
                self.unknown(join(path, "role"))
            else:
                system.extend(self.words(message.content, content))
        return tuple(system), tuple(messages)

    def words(self, content: Content, path: str) -> list[str]:
        parts = self.parts(content, path, "system")
        return [part.text for part in parts if isinstance(part, Text)]

    def parts(self, content: Content, path: str, place: str) -> list[Part]:
        if isinstance(content, str):
            return [Text(content)]
        blocks = (self.block(raw, join(path, n), place) for n, raw in enumerate(content))
        return [block for block in blocks if block is not None]

    def block(self, raw: Raw, path: str, place: str) -> Part | None:
        """Read one block; None if it has no counterpart."""
        kind = read(fields.Typed, raw, path).type
        if kind not in _BLOCKS[place]:
            if any(kind in kinds for kinds in _BLOCKS.values()):
                raise invalid(join(path, "type"), f"no '{kind}' block can stand here")
            self.unknown(path)
            return None
        take = self.taking.take
        match kind:
            case "text":
                return Text(take(fields.TextFields, raw, path).text)
            case "image":
                return self.image(take(fields.ImageFields, raw, path).source, join(path, "source"))
            case "tool_use":
                return self.tool_use(raw, path)
            case "tool_result":
                return self.tool_result(raw, path)
            case _:
                return self.thought(kind, raw, path)

    def thought(self, kind: str, raw: Raw, path: str) -> Thinking:
        if kind == "redacted_thinking":
            redacted = self.taking.take(fields.RedactedThinkingFields, raw, path)
            return Thinking("", redacted=redacted.data)
        thought = self.taking.take(fields.ThinkingFields, raw, path)
        return Thinking(thought.thinking, thought.signature or None)

    def image(self, source: Raw, path: str) -> Image | None:
        match read(fields.Typed, source, path).type:
            case "base64":
                inline = self.taking.take(fields.Base64Fields, source, path)
                return Image(inline.media_type, inline.data)
            case "url":
                return Image(None, None, self.taking.take(fields.UrlFields, source, path).url)
            case _:  # a file that was uploaded to Anthropic
                self.unknown(path)
                return None

    def tool_use(self, raw: Raw, path: str) -> ToolUse:
        use = self.taking.take(fields.ToolUseFields, raw, path)
        read(fields.JsonObject, use.input, join(path, "input"))
        return ToolUse(use.id, use.name, bytes(use.input).decode())

    def tool_result(self, raw: Raw, path: str) -> ToolResult:
        result = self.taking.take(fields.ToolResultFields, raw, path)
        parts = self.parts(result.content or [], join(path, "content"), "tool_result")
        content = tuple(part for part in parts if isinstance(part, Text | Image))
        return ToolResult(result.tool_use_id, content, bool(result.is_error))

    # --- what is asked

    def tools(self, tools: list[Raw]) -> tuple[Tool, ...]:
        taken = (self.tool(raw, join("tools", number)) for number, raw in enumerate(tools))
        return tuple(tool for tool in taken if tool is not None)

    def tool(self, raw: Raw, path: str) -> Tool | None:
        """Read a tool; None if it is one that Anthropic brings along."""
        if read(fields.ToolType, raw, path).type not in {None, "custom"}:
            self.unknown(path)
            return None
        tool = self.taking.take(fields.ToolFields, raw, path)
        return Tool(tool.name, tool.description, tool.input_schema, tool.strict)

    def tool_choice(self, raw: Raw) -> tuple[ToolChoice | None, bool | None]:
        if not given(raw):
            return None, None
        choice = self.taking.take(fields.ToolChoiceFields, raw, "tool_choice")
        if (choice.type == "tool") != (choice.name is not None):
            raise invalid("tool_choice.name", "wanted with the type 'tool', and with no other")
        disabled = choice.disable_parallel_tool_use
        parallel = None if disabled is None else not disabled
        return ToolChoice(_MODES[choice.type], choice.name), parallel

    def output(self, raw: Raw) -> tuple[str | None, JsonOutput | None]:
        """Read the wanted effort and form."""
        if not given(raw):
            return None, None
        config = self.taking.take(fields.OutputConfigFields, raw, "output_config")
        if not given(config.format):
            return config.effort, None
        path = "output_config.format"
        if read(fields.Typed, config.format, path).type != "json_schema":
            self.unknown(path)
            return config.effort, None
        wanted = self.taking.take(fields.FormatFields, config.format, path)
        return config.effort, JsonOutput(schema=wanted.schema)

    def reasoning(self, raw: Raw, effort: str | None) -> Reasoning | None:
        if not given(raw):
            return None if effort is None else Reasoning(effort)
        thinking = self.taking.take(fields.ThinkingConfigFields, raw, "thinking")
        # A translated answer shows what thinking there is: the same as "summarized".
        if thinking.display not in {None, "summarized"}:
            self.unknown("thinking.display")
        match thinking.type:
            case "disabled":
                return Reasoning(effort, enabled=False)
            case "enabled" if thinking.budget_tokens is None:
                raise invalid("thinking.budget_tokens", "Field required")
            case "enabled":
                return Reasoning(effort, thinking.budget_tokens)
            case "adaptive":
                return Reasoning(effort)
            case _:
                self.unknown("thinking.type")
                return None

    def user(self, raw: Raw) -> str | None:
        if not given(raw):
            return None
        return self.taking.take(fields.MetadataFields, raw, "metadata").user_id

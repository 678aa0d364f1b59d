"""What every dialect can be translated to and from: one conversation, one stream of events.

::

    caller's bytes --parse--> Conversation --encode--> provider's bytes
    caller's bytes <--write-- Event        <--read---- provider's bytes

Where caller and target speak the same dialect nothing is translated: fields and chunks pass as
they came (`openai_chat`). Otherwise a module of this package knows one surface of one provider and
this vocabulary, and no other surface.

Nothing is dropped silently: what a conversation asks for and a target cannot do raises
`Unsupported` with the caller's own name of the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from forebay.errors import InvalidRequest
from forebay.model import Usage

# --- what is said


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its bytes, or where it is."""

    media_type: str | None
    """`image/png`, …; None with a URL."""
    data: str | None
    """Base64."""
    url: str | None = None
    detail: str | None = None
    """OpenAI's `low`, `high`, `auto`."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model wants a tool called."""

    id: str
    name: str
    arguments: str
    """JSON text of an object, as the model wrote it; empty means `{}`."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered."""

    id: str
    """Of the `ToolUse`."""
    content: tuple[Text | Image, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model's reasoning before its answer, with what its provider needs to take it back."""

    text: str
    signature: str | None = None
    redacted: str | None = None
    """Reasoning that only its provider can read; `text` is empty then."""

    @property
    def is_tagged(self) -> bool:
        """Whether a reader has marked the signature as its provider's own (`gemini:…`).

        Signatures themselves are base64, which has no colon.
        """
        return self.signature is not None and ":" in self.signature


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model says that it will not."""

    text: str


Part = Text | Image | ToolUse | ToolResult | Thinking | Refusal


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. Tool results are parts of the user's turn, tool uses of the assistant's."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


# --- what is asked


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask for."""

    name: str
    description: str | None
    schema: Mapping[str, Any]
    """JSON Schema of its arguments."""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools must, may or must not be used."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None
    """Of the one tool, if `named`."""


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """The answer must be JSON; of this schema if there is one."""

    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model may think: an effort, a budget, or neither (its default)."""

    effort: str | None = None
    """OpenAI's `minimal`, `low`, `medium`, `high`."""
    budget_tokens: int | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; None: the target's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request for an answer, in no provider's words."""

    model: str
    """As the caller names it."""
    messages: tuple[Message, ...]
    system: tuple[str, ...] = ()
    """System prompts, in order."""
    stream: bool = False
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    json_output: JsonOutput | None = None
    reasoning: Reasoning | None = None
    choices: int = 1
    """How many answers (`n`)."""
    user: str | None = None
    """The caller's end user, an opaque id."""
    prefill: str | None = None
    """The beginning of the answer, without white space at its end: the target is to write on from
    there. No caller's dialect has it; see `continuation`."""
    untranslated: tuple[str, ...] = ()
    """The caller's names of fields that have no counterpart here; no target can honour them."""
    field_names: Mapping[str, str] = field(default_factory=dict)
    """The caller's names for fields of this class, where they differ, e.g.
    `{"max_output_tokens": "max_completion_tokens", "sampling.top_k": "top_k"}`."""

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, and the beginning of the answer as the last of them."""
        if self.prefill is None:
            return self.messages
        return (*self.messages, Message("assistant", (Text(self.prefill),)))


class Unsupported(InvalidRequest):
    """The target cannot do what a field asks for.

    Args:
        conversation: Knows the caller's name of the field.
        name: Its name here, e.g. `sampling.seed`.
        provider: What cannot do it, e.g. `Anthropic`.
    """

    def __init__(self, conversation: Conversation, name: str, provider: str) -> None:
        own = name if name in conversation.untranslated else name.rpartition(".")[2]
        param = conversation.field_names.get(name, own)
        super().__init__(f"{provider} cannot honour '{param}'.", param=param)


def refuse_untranslated(conversation: Conversation, provider: str) -> None:
    """Refuse fields that only the caller's own dialect knows.

    Raises:
        Unsupported: There is one.
    """
    for name in conversation.untranslated:
        raise Unsupported(conversation, name, provider)


# --- what is answered


class StopReason(StrEnum):
    """Why an answer ended."""

    END = "end"
    """The model was done."""
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_USE = "tool_use"
    FILTERED = "filtered"
    """The provider's filter ended it."""
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Started:
    """The answer begins."""

    id: str
    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of a refusal's text."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of the reasoning; a signature or a redacted block comes in one piece."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ToolUseStarted:
    """The model begins to ask for a tool."""

    position: int
    """0 for the first tool of this choice, 1 for the second, …"""
    id: str
    name: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ToolArgumentsDelta:
    """More of a tool's arguments (JSON text)."""

    position: int
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A choice is whole."""

    reason: StopReason
    stop_sequence: str | None = None
    """Which one, where the provider says."""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What the request took so far; the last one counts."""

    usage: Usage


Event = (
    Started
    | TextDelta
    | RefusalDelta
    | ThinkingDelta
    | ToolUseStarted
    | ToolArgumentsDelta
    | Finished
    | UsageReported
)


class AnswerReader(Protocol):
    """Reads one answer of a provider, streamed or whole. Sans-IO."""

    @property
    def ended(self) -> bool:
        """Whether there is no more to wait for."""
        ...

    def feed(self, received: bytes) -> list[Event]:
        """Take what came; return what it means. What is no answer ends it, and `end` raises it."""
        ...

    def end(self) -> list[Event]:
        """Take the end of the body; return what it completes.

        Raises:
            UpstreamReported: The provider reported an error in its body.
            DialectError: What came is no answer, or not a whole one.
        """
        ...


class AnswerWriter(Protocol):
    """Writes one answer for a caller, streamed or whole. Sans-IO."""

    def write(self, events: list[Event]) -> bytes:
        """Return what the caller gets now; nothing for an answer in one piece."""
        ...

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the end of a whole answer (all of it, if it goes out in one piece).

        Args:
            note: What only the gateway knows, e.g. `{"cost_usd": "0.000064250"}`; goes to
                `usage.forebay` where the dialect shows usage.
        """
        ...


def conversation_text(conversation: Conversation) -> str:
    """All text of a conversation, for counting tokens where the provider did not."""
    texts = [*conversation.system]
    for message in conversation.turns:
        for part in message.parts:
            texts.extend(_part_texts(part))
    for tool in conversation.tools:
        texts += [tool.name, tool.description or "", msgspec.json.encode(tool.schema).decode()]
    return "\n".join(texts)


def _part_texts(part: Part) -> list[str]:
    match part:
        case Text() | Thinking() | Refusal():
            return [part.text]
        case ToolUse():
            return [part.name, part.arguments]
        case ToolResult():
            return [text for each in part.content for text in _part_texts(each)]
        case Image():
            return []

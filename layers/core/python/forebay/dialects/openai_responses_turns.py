"""The items of a request for a response as turns of a conversation.

Source: https://platform.openai.com/docs/api-reference/responses/create, `input`. OpenAI has an
item for each thought, message and call: what the model gave in a row becomes one turn, and so do
the outputs of functions with what the user says next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from forebay.dialects import openai_responses_fields as wire
from forebay.dialects.canonical import (
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from forebay.dialects.openai_responses_secrets import open_secret
from forebay.errors import InvalidRequest


@dataclass(slots=True)
class _Turn:
    role: Literal["user", "assistant"]
    parts: list[Part]
    of_tools: bool = False
    """Whether it holds functions' outputs so far and nothing else."""


@dataclass(slots=True)
class Turns:
    """Items on their way into turns."""

    system: list[str] = field(default_factory=list)
    """Instructions among the items."""
    untranslated: list[str] = field(default_factory=list)
    """Paths of what has no counterpart."""
    _turns: list[_Turn] = field(default_factory=list)

    def take(self, said: str | list[wire.AnyItem]) -> None:
        """Take a request's `input`.

        Raises:
            InvalidRequest: A part stands where it cannot, or a picture is none; `param` says where.
        """
        if isinstance(said, str):
            self._turns.append(_Turn("user", [Text(said)]))
            return
        for position, item in enumerate(said):
            self._take_item(item, f"input[{position}]")

    def messages(self) -> tuple[Message, ...]:
        """Return the turns."""
        return tuple(Message(turn.role, tuple(turn.parts)) for turn in self._turns)

    def _take_item(self, item: wire.AnyItem, path: str) -> None:
        match item:
            case wire.MessageItem(role="user"):
                self._take_user(_parts(item.content, f"{path}.content", (Text, Image)))
            case wire.MessageItem(role="assistant"):
                self._take_model(_parts(item.content, f"{path}.content", (Text, Refusal)))
            case wire.MessageItem():
                self._take_system(item, path)
            case wire.FunctionCallItem():
                self._take_model([ToolUse(item.call_id, item.name, item.arguments)])
            case wire.FunctionOutputItem():
                self._take_output(item, f"{path}.output")
            case _:
                self._take_reasoning(item, path)

    def _take_system(self, item: wire.MessageItem, path: str) -> None:
        """Keep instructions; those in mid-conversation have no counterpart."""
        if self._turns:
            self.untranslated.append(f"{path}.role")
        parts = _parts(item.content, f"{path}.content", (Text,))
        self.system.extend(part.text for part in parts if isinstance(part, Text) and part.text)

    def _take_user(self, parts: list[Part]) -> None:
        if self._turns and self._turns[-1].of_tools:
            self._turns[-1].parts.extend(parts)
            self._turns[-1].of_tools = False
        else:
            self._turns.append(_Turn("user", parts))

    def _take_output(self, item: wire.FunctionOutputItem, path: str) -> None:
        parts = _parts(item.output, path, (Text, Image))
        content = tuple(part for part in parts if isinstance(part, Text | Image))
        if not (self._turns and self._turns[-1].of_tools):
            self._turns.append(_Turn("user", [], of_tools=True))
        self._turns[-1].parts.append(ToolResult(item.call_id, content))

    def _take_model(self, parts: list[Part]) -> None:
        said = [part for part in parts if part != Text("")]  # no target takes an empty part
        if self._turns and self._turns[-1].role == "assistant":
            self._turns[-1].parts.extend(said)
        elif said:
            self._turns.append(_Turn("assistant", said))

    def _take_reasoning(self, item: wire.ReasoningItem, path: str) -> None:
        text = "\n".join(part.text for part in item.content or item.summary)
        if item.encrypted_content is None:
            thought: Thinking | None = Thinking(text) if text else None
        else:
            thought = open_secret(item.encrypted_content, text)
            if thought is None:
                self.untranslated.append(f"{path}.encrypted_content")
        if thought:
            self._take_model([thought])


_Kinds = tuple[type[Part], ...]


def _parts(content: str | Sequence[wire.Part], path: str, kinds: _Kinds) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    if not content:
        raise InvalidRequest("There must be a part.", param=path)
    parts: list[Part] = []
    for position, given in enumerate(content):
        where = f"{path}[{position}]"
        part = _part(given, where)
        if part is None:
            continue  # a document, named in `untranslated`
        if not isinstance(part, kinds):
            raise InvalidRequest("No such part can stand here.", param=f"{where}.type")
        parts.append(part)
    return parts


def _part(part: wire.Part, path: str) -> Part | None:
    match part:
        case wire.InputText(text=text) | wire.OutputText(text=text):
            return Text(text)
        case wire.OutputRefusal(refusal=refusal):
            return Refusal(refusal)
        case wire.InputImage():
            return _image(part, f"{path}.image_url")
        case _:
            return None


def _image(image: wire.InputImage, path: str) -> Image:
    if image.image_url is None:
        raise InvalidRequest("Forebay stores no files: send a URL, or the picture.", param=path)
    if not image.image_url.startswith("data:"):
        return Image(None, None, image.image_url, image.detail)
    head, comma, data = image.image_url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.partition(";")
    if not (comma and media_type and data and encoding == "base64"):
        raise InvalidRequest("Expected data:<media type>;base64,<data>.", param=path)
    return Image(media_type, data, None, image.detail)

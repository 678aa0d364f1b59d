"""What the scripted model says, and how OpenAI's chat completions write it.

Its text is always the same, so that whoever has the beginning of an answer knows the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

import msgspec

from forebay.dialects import sse
from forebay.dialects.openai_chat import DONE
from forebay.settings import ScriptedContinuing, ScriptedSettings

TEXT: Final = (
    "Water waits behind the gate until the wheel can take it; what comes too fast is held, "
    "what is held is not lost, and what is let through turns the mill."
)
"""What it says, over and over: a forebay is the pool above a water wheel."""

OTHER_TEXT: Final = (
    "Nobody has ever said anything of that kind, so let us speak about bread instead."
)
"""What it says if it is to go on with something else."""

PREAMBLE: Final = "Sure, here is the rest: "
ANCHOR_CHARACTERS: Final = 64
"""How much of what there is an echo repeats."""

PIECES: Final = re.compile(r"\s*\S+")
"""A token is a word with the white space before it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets."""

    pieces: list[str]
    """Tokens, in order."""
    finish_reason: str
    tool: str | None = None
    """Name of the function whose arguments the pieces are; None: they are text."""


def text_of(tokens: int) -> str:
    """Return the first so many words of what the model says."""
    return " ".join(islice(cycle(TEXT.split()), tokens))


def answer_to(request: Mapping[str, Any], script: ScriptedSettings) -> Answer:
    """Answer a request (a chat completion's, as OpenAI defines it).

    It has `script.tokens` tokens, or fewer if the request says so (`finish_reason` is `length`
    then). If the request has an answer that broke off, `script.continues` says what comes.
    """
    messages = [each for each in request.get("messages") or () if isinstance(each, dict)]
    tool = _tool_to_call(request, messages) if script.tool_call else None
    if tool is not None:
        pieces = _arguments(text_of(script.tokens))
    else:
        pieces = PIECES.findall(_text(messages, script))
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    if isinstance(limit, int) and limit < len(pieces):
        return Answer(pieces[:limit], "length", tool)
    return Answer(pieces, "stop" if tool is None else "tool_calls", tool)


def _text(messages: list[dict[str, Any]], script: ScriptedSettings) -> str:
    whole = text_of(script.tokens)
    begun = _begun(messages)
    if not begun or not whole.startswith(begun):
        return whole
    anchor, rest = begun[-ANCHOR_CHARACTERS:], whole[len(begun) :]
    match script.continues:
        case ScriptedContinuing.PREFILL:
            return rest if _role(messages[-1:]) == "assistant" else whole
        case ScriptedContinuing.ECHO:
            return anchor + rest
        case ScriptedContinuing.RESTART:
            return whole
        case ScriptedContinuing.PREAMBLE:
            return PREAMBLE + anchor + rest
        case ScriptedContinuing.OTHER:
            return OTHER_TEXT


def _begun(messages: list[dict[str, Any]]) -> str:
    """Return the answer that a request asks to go on with; empty if it asks for another.

    It stands last, or before a user's turn that has its last words: what else has an answer before
    a user's turn is a conversation.
    """
    if _role(messages[-1:]) == "assistant":
        return _content(messages[-1])
    if _role(messages[-2:]) != "assistant":
        return ""
    begun = _content(messages[-2])
    return begun if begun[-ANCHOR_CHARACTERS:].strip() in _content(messages[-1]) else ""


def _role(messages: list[dict[str, Any]]) -> object:
    return messages[0].get("role") if messages else None


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _tool_to_call(request: Mapping[str, Any], messages: list[dict[str, Any]]) -> str | None:
    """Name the first tool that there is; None also if a tool's result is here already."""
    match request.get("tools"):
        case [{"function": {"name": str(name)}}, *_] if _role(messages[-1:]) != "tool":
            return name
        case _:
            return None


def _arguments(text: str) -> list[str]:
    """Write a text as a tool's arguments, in pieces that are no JSON by themselves."""
    return ['{"text":"', *PIECES.findall(text), '"}']


class AnswerWriter:
    """Writes one answer in OpenAI's shapes; equal requests get equal bytes."""

    def __init__(self, request: Mapping[str, Any], answer: Answer) -> None:
        self.answer = answer
        self._include_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self._model = str(request.get("model"))
        self._choices = request.get("n") or 1
        prompt = msgspec.json.encode(request.get("messages")).decode()
        prompt_tokens = max(1, len(prompt.split()))
        completion_tokens = len(answer.pieces) * self._choices
        self._usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }

    def opening(self) -> bytes:
        """Write the chunk before the first token: who speaks."""
        if self.answer.tool is None:
            return self._chunk({"role": "assistant", "content": ""})
        call = {"index": 0, **self._call("")}
        return self._chunk({"role": "assistant", "content": None, "tool_calls": [call]})

    def pieces(self) -> Iterator[bytes]:
        """Write each token as a chunk."""
        for piece in self.answer.pieces:
            if self.answer.tool is None:
                yield self._chunk({"content": piece})
            else:
                call = {"index": 0, "function": {"arguments": piece}}
                yield self._chunk({"tool_calls": [call]})

    def closing(self) -> Iterator[bytes]:
        """Write what follows the last token: why it was the last, what was used, the end."""
        yield self._chunk({}, self.answer.finish_reason)
        if self._include_usage:
            yield self._event(choices=[], usage=self._usage)
        yield sse.event(DONE)

    def whole(self) -> bytes:
        """Write the answer as one body."""
        text = "".join(self.answer.pieces)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.answer.tool is not None:
            message |= {"content": None, "tool_calls": [self._call(text)]}
        choices = [
            {"index": index, "message": message, "finish_reason": self.answer.finish_reason}
            for index in range(self._choices)
        ]
        return self._encode("chat.completion", choices=choices, usage=self._usage)

    def _call(self, arguments: str) -> dict[str, Any]:
        function = {"name": self.answer.tool, "arguments": arguments}
        return {"id": "call_scripted", "type": "function", "function": function}

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        return self._event(
            choices=[
                {"index": index, "delta": delta, "finish_reason": finish_reason}
                for index in range(self._choices)
            ]
        )

    def _event(self, **fields: object) -> bytes:
        return sse.event(self._encode("chat.completion.chunk", **fields))

    def _encode(self, kind: str, **fields: object) -> bytes:
        head = {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": self._model}
        return msgspec.json.encode({**head, **fields})

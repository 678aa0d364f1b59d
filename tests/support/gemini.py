"""Gemini's streams in `tests/data/streams`, what is true of each, and how to say more of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from forebay.dialects.canonical import (
    AnswerReader,
    Event,
    Finished,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.gemini_generate_reader import StreamReader
from forebay.model import Usage
from tests.support.streams import FOLDER


@dataclass(frozen=True)
class GeminiStream:
    """One stream of a model that answered whole."""

    name: str
    texts: tuple[str, ...]
    """Of each candidate."""
    reason: StopReason
    """Of every candidate."""
    usage: Usage
    thoughts: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    """Names and arguments."""

    @property
    def sent(self) -> bytes:
        """What Gemini sends."""
        return (FOLDER / f"{self.name}.sse").read_bytes()


GEMINI_STREAMS = (
    GeminiStream(
        "gemini_plain", ('Grüße, "world"\u2028 \U0001f600\n',), StopReason.END, Usage(11, 9)
    ),
    GeminiStream(
        "gemini_thinking",
        ("There are three.",),
        StopReason.END,
        Usage(2050, 45, 2040, 40),
        thoughts="**Counting** Three rs. ",
    ),
    GeminiStream(
        "gemini_tools",
        ("Let me look. ",),
        StopReason.TOOL_USE,
        Usage(57, 43, 0, 12),
        tools=(("get_weather", '{"city": "Łódź", "days": [1, 2.5]}'), ("get_time", "{}")),
    ),
    GeminiStream(
        "gemini_tool_ids",
        ("",),
        StopReason.TOOL_USE,
        Usage(57, 84, 0, 66),
        tools=(("get_weather", '{"city": "Oslo"}'),),
    ),
    GeminiStream("gemini_max_tokens", ("Once upon a",), StopReason.LENGTH, Usage(5, 3)),
    GeminiStream("gemini_filtered", ("The words are",), StopReason.FILTERED, Usage(9, 3)),
    GeminiStream("gemini_blocked_prompt", ("",), StopReason.FILTERED, Usage(13, 0)),
    GeminiStream("gemini_two_candidates", ("Yes!", "No."), StopReason.END, Usage(8, 4)),
)


def event(response: object) -> bytes:
    """Write one event of a stream."""
    return b"data: " + json.dumps(response).encode() + b"\n\n"


def said(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """Make a response with one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **fields}


def read(reader: AnswerReader, *received: bytes) -> list[Event]:
    """Feed a reader and end it."""
    events = [event for each in received for event in reader.feed(each)]
    return events + reader.end()


def read_stream(*responses: object, choices: int = 1) -> list[Event]:
    """Read responses that come as a stream."""
    return read(StreamReader(choices), *(event(response) for response in responses))


def text_of(events: list[Event], choice: int = 0) -> str:
    """Join a choice's text."""
    return "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == choice)


def thoughts_of(events: list[Event]) -> str:
    """Join the reasoning."""
    return "".join(e.text for e in events if isinstance(e, ThinkingDelta))


def signatures_of(events: list[Event]) -> list[str]:
    """List the signatures."""
    return [e.signature for e in events if isinstance(e, ThinkingDelta) and e.signature]


def tools_of(events: list[Event]) -> tuple[tuple[str, str], ...]:
    """List names and arguments of the tools."""
    names = [e.name for e in events if isinstance(e, ToolUseStarted)]
    arguments = [e.text for e in events if isinstance(e, ToolArgumentsDelta)]
    return tuple(zip(names, arguments, strict=True))


def ends_of(events: list[Event]) -> list[StopReason]:
    """List how the choices ended, in order."""
    return [e.reason for e in events if isinstance(e, Finished)]


def usage_of(events: list[Event]) -> Usage | None:
    """Return the last usage that was reported."""
    return next((e.usage for e in reversed(events) if isinstance(e, UsageReported)), None)

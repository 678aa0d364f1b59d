"""The whole streams `tests/data/streams/anthropic_*.sse`, and what each means."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.model import Usage
from tests.support.streams import FOLDER

STARTED = Started("msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", "claude-opus-4-8")


@dataclass(frozen=True)
class AnthropicStream:
    """One stream of an answer that is whole."""

    name: str
    events: tuple[Event, ...]

    @property
    def sent(self) -> bytes:
        """What Anthropic sends."""
        return (FOLDER / f"{self.name}.sse").read_bytes()


ANTHROPIC_STREAMS = (
    AnthropicStream(
        "anthropic_text",
        (
            STARTED,
            TextDelta("Grüße, "),
            TextDelta('"world"\u2028\U0001f600'),
            UsageReported(Usage(25, 15)),
            Finished(StopReason.END),
        ),
    ),
    AnthropicStream(
        "anthropic_tools",
        (
            STARTED,
            TextDelta("Okay."),
            ToolUseStarted(0, "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather"),
            ToolArgumentsDelta(0, ""),
            ToolArgumentsDelta(0, '{"location":'),
            ToolArgumentsDelta(0, ' "Łódź"}'),
            ToolUseStarted(1, "toolu_01get_time", "get_time"),
            UsageReported(Usage(592, 89, cached_input_tokens=100, cache_write_input_tokens=20)),
            Finished(StopReason.TOOL_USE),
        ),
    ),
    AnthropicStream(
        "anthropic_thinking",
        (
            STARTED,
            ThinkingDelta("Let me "),
            ThinkingDelta("see."),
            ThinkingDelta(signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h"),
            ThinkingDelta(redacted="EmwKAhgBEgy3va3pzix"),
            TextDelta("27 * 453 = 12231"),
            UsageReported(Usage(10, 60, reasoning_tokens=40)),
            Finished(StopReason.STOP_SEQUENCE, "\n\nUser:"),
        ),
    ),
    AnthropicStream(
        "anthropic_refusal",
        (
            STARTED,
            TextDelta("Hello.."),
            UsageReported(Usage(412, 22)),
            Finished(StopReason.REFUSAL),
        ),
    ),
    AnthropicStream(
        "anthropic_new_types",
        (
            STARTED,
            TextDelta("Fine"),
            UsageReported(Usage(9, 3)),
            UsageReported(Usage(9, 4)),
            Finished(StopReason.LENGTH),
        ),
    ),
)

"""Tool calls that wait for the end of their answer.

A caller acts on a tool call, so it gets one whole or not at all: an answer that breaks off in the
middle of a call can be asked for again without anybody's notice, and arguments that are no JSON
reach nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    Finished,
    StopReason,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)

CUT_OFF: Final = frozenset({StopReason.LENGTH, StopReason.FILTERED, StopReason.REFUSAL})
"""Reasons that may end an answer in the middle of a call; it is passed on as far as it came."""

_OF_TOOLS: Final = (ToolUseStarted, ToolArgumentsDelta)

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def check_arguments(arguments: str) -> None:
    """Let the whole arguments of a call pass; none at all mean `{}`.

    Raises:
        DialectError: They are no JSON object.
    """
    try:
        _decode_object(arguments or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise DialectError("a tool's arguments that are no JSON object") from error


@dataclass(slots=True)
class HeldTools:
    """Holds back the events of an answer from its first tool call on, in their order.

    Args:
        on: Whether it does; else all goes by.
    """

    on: bool = True
    _held: list[Event] = field(default_factory=list)

    @property
    def holding(self) -> bool:
        """Whether a tool call has begun."""
        return bool(self._held)

    def take(self, events: list[Event]) -> list[Event]:
        """Take what came; return what can go out now."""
        if self._held:
            self._held += events
            return []
        for at, event in enumerate(events if self.on else ()):
            if isinstance(event, _OF_TOOLS):
                first = _with_its_signature(events, at)
                self._held = events[first:]
                return events[:first]
        return events

    def release(self) -> list[Event]:
        """Return what was held back of an answer that is whole; each call's arguments in one piece.

        Raises:
            DialectError: Arguments that are no JSON object, though nothing cut them off.
        """
        ends = {event.choice: event.reason for event in self._held if isinstance(event, Finished)}
        pieces = self._pieces()
        released: list[Event] = []
        for event in self._held:
            match event:
                case ToolUseStarted(position=position, choice=choice):
                    arguments = "".join(pieces[choice, position])
                    released.append(event)
                    released += _whole(event, arguments, cut_off=ends.get(choice) in CUT_OFF)
                case ToolArgumentsDelta():
                    pass
                case _:
                    released.append(event)
        return released

    def _pieces(self) -> dict[tuple[int, int], list[str]]:
        """Collect the arguments of each call, by choice and position."""
        pieces: dict[tuple[int, int], list[str]] = {}
        for event in self._held:
            match event:
                case ToolUseStarted():
                    pieces[event.choice, event.position] = []
                case ToolArgumentsDelta():
                    if (event.choice, event.position) not in pieces:
                        raise DialectError("arguments of no open tool use")
                    pieces[event.choice, event.position].append(event.text)
                case _:
                    pass
        return pieces


def _with_its_signature(events: list[Event], tool: int) -> int:
    """Return where what belongs to a tool call begins: Gemini signs calls, just before them."""
    before = events[tool - 1] if tool else None
    signs = isinstance(before, ThinkingDelta) and before.signature and not before.text
    return tool - 1 if signs else tool


def _whole(tool: ToolUseStarted, arguments: str, *, cut_off: bool) -> Iterator[Event]:
    """Say a call's arguments; those of a whole call are an object, be it an empty one."""
    if not cut_off:
        check_arguments(arguments)
        arguments = arguments or "{}"
    if arguments:
        yield ToolArgumentsDelta(tool.position, arguments, tool.choice)

"""Events as Anthropic's content blocks: which block is open, its index, what goes into it.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)

BlockEvent = dict[str, Any]
"""`content_block_start`, `content_block_delta` or `content_block_stop`."""


@dataclass(slots=True)
class Blocks:
    """Turns events into those of content blocks.

    One block is open at a time, as Anthropic does it. Tools that begin while another is open are
    held back until that one is known to be complete: some providers interleave their arguments.

    Args:
        index: Of the open block, or of the next.
        open: The type of the block that is open; not of a tool's, to begin with.
    """

    index: int = 0
    open: str | None = None
    _tool: int | None = None
    """The open tool's position."""
    _held: dict[int, tuple[ToolUseStarted, list[str]]] = field(default_factory=dict)

    def take(self, event: Event) -> list[BlockEvent]:
        """Return what an event means for the blocks, maybe nothing.

        Raises:
            DialectError: Arguments of a tool that did not begin or has ended.
        """
        match event:
            case TextDelta(text) | RefusalDelta(text):
                return self._write_text(text)
            case ThinkingDelta():
                return self._think(event)
            case ToolUseStarted():
                return self._start_tool(event)
            case ToolArgumentsDelta():
                return self._write_arguments(event)
            case _:
                return []

    def close(self) -> list[BlockEvent]:
        """Stop the open block, and write the tools that waited for that."""
        if self.open is None:
            return []
        events: list[BlockEvent] = [{"type": "content_block_stop", "index": self.index}]
        self.index += 1
        self.open = self._tool = None
        held, self._held = self._held, {}
        for tool, arguments in held.values():
            events += self._start_tool(tool)
            events += self._write_arguments(ToolArgumentsDelta(tool.position, "".join(arguments)))
            events += self.close()
        return events

    def _write_text(self, text: str) -> list[BlockEvent]:
        if not text:
            return []
        opened = self._continue({"type": "text", "text": ""})
        return [*opened, self._delta({"type": "text_delta", "text": text})]

    def _think(self, thought: ThinkingDelta) -> list[BlockEvent]:
        if thought.redacted is not None:
            opened = self._start({"type": "redacted_thinking", "data": thought.redacted})
            return [*opened, *self.close()]
        if not thought.text and thought.signature is None:
            return []
        events = self._continue({"type": "thinking", "thinking": "", "signature": ""})
        if thought.text:
            events.append(self._delta({"type": "thinking_delta", "thinking": thought.text}))
        if thought.signature is not None:  # ends the block that it signs
            events.append(self._delta({"type": "signature_delta", "signature": thought.signature}))
            events += self.close()
        return events

    def _start_tool(self, tool: ToolUseStarted) -> list[BlockEvent]:
        if self._tool is not None:
            self._held[tool.position] = (tool, [])
            return []
        block = {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}
        events = self._start(block)
        self._tool = tool.position
        return events

    def _write_arguments(self, event: ToolArgumentsDelta) -> list[BlockEvent]:
        if event.position == self._tool:
            delta = {"type": "input_json_delta", "partial_json": event.text}
            return [self._delta(delta)] if event.text else []
        if event.position not in self._held:
            raise DialectError("arguments of no open tool use")
        self._held[event.position][1].append(event.text)
        return []

    def _continue(self, block: dict[str, Any]) -> list[BlockEvent]:
        """Start a block unless one of its type is open."""
        return [] if self.open == block["type"] else self._start(block)

    def _start(self, block: dict[str, Any]) -> list[BlockEvent]:
        """Close the open block and start another."""
        events = self.close()
        self.open = block["type"]
        start = {"type": "content_block_start", "index": self.index, "content_block": block}
        return [*events, start]

    def _delta(self, delta: dict[str, Any]) -> BlockEvent:
        return {"type": "content_block_delta", "index": self.index, "delta": delta}

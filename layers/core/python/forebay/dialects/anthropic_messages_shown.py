"""What a caller has been shown of Anthropic's answer: its text, and which content block is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from forebay.dialects.anthropic_messages_blocks import Blocks
from forebay.dialects.anthropic_messages_events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Known,
    MessageDelta,
)
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter
from forebay.dialects.canonical import Event
from forebay.dialects.continuation import Interrupted
from forebay.dialects.shown import Shown
from forebay.model import Usage

_BLOCKS: Final = frozenset({"text", "thinking"})
"""Blocks that another target could go on after (signed ones are told apart by their events)."""
_DELTAS: Final = frozenset({"text_delta", "thinking_delta", "signature_delta"})


@dataclass(slots=True)
class ShownMessage:
    """Keeps what went out of one answer as it came."""

    _shown: Shown = field(default_factory=Shown)
    _blocks: Blocks = field(default_factory=Blocks)
    """Where the next writer would stand."""

    @property
    def anything(self) -> bool:
        """Whether anything that means something went out."""
        return self._shown.anything

    def saw(self, event: Known | None, meaning: list[Event]) -> None:
        """Note what went out.

        Args:
            event: What it was; None if its type is not known, so that it may mean anything.
            meaning: What the reader made of it.
        """
        self._shown.saw(meaning)
        if not self._follows(event):
            self._shown.goes_on = False

    def _follows(self, event: Known | None) -> bool:
        """Follow the blocks; say whether another target could go on after this."""
        blocks = self._blocks
        match event:
            case BlockDelta():
                return event.delta["type"] in _DELTAS
            case BlockStart(index=index, content_block=block):
                one_at_a_time = blocks.open is None and index == blocks.index
                blocks.open = block["type"]
                return one_at_a_time and block["type"] in _BLOCKS and not block.get("citations")
            case BlockStop():
                blocks.index += 1
                blocks.open = None
                return True
            case MessageDelta(delta=delta):
                return delta.stop_reason is None
            case _:
                return event is not None

    def interrupted(self, usage: Usage | None) -> Interrupted | None:
        """Return what another target would go on from. See `Exchange.interrupted`."""
        position = Blocks(self._blocks.index, self._blocks.open)
        return self._shown.interrupted(MessageStreamWriter(position), usage)

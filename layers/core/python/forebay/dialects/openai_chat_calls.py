"""Chunks of a chat completion that wait for its end, since they tell of tool calls.

As `held_tools`, for chunks that are passed on as they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from forebay.dialects.held_tools import check_arguments
from forebay.dialects.openai_chat_chunks import CallPiece, Chunk

_WHOLE_CALLS: Final = frozenset({"stop", "tool_calls", "function_call"})
"""Finish reasons that leave no call incomplete."""


@dataclass(slots=True)
class _Call:
    id: object
    arguments: list[str]


@dataclass(slots=True)
class HeldChunks:
    """Holds back the chunks from the first tool call on, in their order."""

    _written: list[bytes] = field(default_factory=list)
    _calls: dict[tuple[int, int | None], list[_Call]] = field(default_factory=dict)
    """By choice and index."""
    _finished: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any is held back."""
        return bool(self._written)

    def add(self, chunk: Chunk, written: bytes) -> None:
        """Hold a chunk back.

        Args:
            chunk: What it says.
            written: The caller's bytes of it.
        """
        self._written.append(written)
        self._finished.update(chunk.finished)
        for piece in chunk.calls:
            self._add(piece)

    def _add(self, piece: CallPiece) -> None:
        calls = self._calls.setdefault((piece.choice, piece.index), [])
        is_first = piece.index is None or not calls
        # A second id under one index is a second call: older Ollama counts none.
        if is_first or (piece.begins and piece.begins != calls[-1].id):
            calls.append(_Call(piece.begins, []))
        calls[-1].arguments.append(piece.arguments)

    def release(self) -> bytes:
        """Return what was held back of an answer that is whole.

        Raises:
            DialectError: Arguments that are no JSON object, though nothing cut them off.
        """
        for (choice, _), calls in self._calls.items():
            if self._finished.get(choice) in _WHOLE_CALLS:
                for call in calls:
                    check_arguments("".join(call.arguments))
        return b"".join(self._written)

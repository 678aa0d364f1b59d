"""The events of Anthropic's streams and the content blocks of its answers, out of their JSON.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming,
https://platform.claude.com/docs/en/api/messages/create.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages import ReportedUsage
from forebay.dialects.canonical import (
    Event,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)

# --- events of a stream


class Begun(msgspec.Struct):
    """What an answer begins with."""

    id: str
    model: str
    usage: ReportedUsage | None = None


class MessageStart(msgspec.Struct, tag="message_start"):
    """An answer begins."""

    message: Begun


class BlockStart(msgspec.Struct, tag="content_block_start"):
    """A content block begins."""

    index: int
    content_block: dict[str, Any]


class BlockDelta(msgspec.Struct, tag="content_block_delta"):
    """More of a content block."""

    index: int
    delta: dict[str, Any]


class BlockStop(msgspec.Struct, tag="content_block_stop"):
    """A content block is whole."""

    index: int


class Change(msgspec.Struct):
    """Why the answer ends."""

    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessageDelta(msgspec.Struct, tag="message_delta"):
    """The answer ends, and what it took."""

    delta: Change
    usage: ReportedUsage | None = None


class MessageStop(msgspec.Struct, tag="message_stop"):
    """The answer is whole."""


class Error(msgspec.Struct, tag="error"):
    """In place of the rest of the answer."""

    error: dict[str, Any]


class _Typed(msgspec.Struct):
    # It names the event in a line of its own, so it has no line breaks.
    type: Annotated[str, msgspec.Meta(pattern=r"\A[^\r\n]*\Z")]


Known = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Error
_KNOWN_TYPES: Final = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop"}
    | {"message_delta", "message_stop", "error"}
)
DELTA_TYPES: Final = frozenset(
    {"text_delta", "input_json_delta", "thinking_delta", "signature_delta"}
)

_decode_event: Callable[[bytes], Known] = msgspec.json.Decoder(Known).decode
_decode_typed = msgspec.json.Decoder(_Typed).decode


def read_event(data: bytes) -> Known | None:
    """Read one event; None for one of a type that is not known."""
    try:
        return _decode_event(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            unknown = _decode_typed(data).type not in _KNOWN_TYPES
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            unknown = False
        if unknown:
            return None
        raise DialectError("bytes that are no event of Anthropic's messages") from error


def event_type(event: Known | None, data: bytes) -> str:
    """Return the type of an event.

    Args:
        event: What `read_event` made of it.
        data: What it took.
    """
    if event is None:
        return _decode_typed(data).type
    return str(event.__struct_config__.tag)


# --- content blocks

_BLOCK_TYPES: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})


def read_block(block: dict[str, Any], position: int) -> list[Event]:
    """Read a whole content block, or what its first event has of it.

    Args:
        block: The block.
        position: Which tool it is, if it is one.
    """
    match block:
        case {"type": "text", "text": str(text)}:
            return [TextDelta(text)] if text else []
        case {"type": "thinking", "thinking": str(text)}:
            signature = block.get("signature") or None
            return [ThinkingDelta(text, signature)] if text or signature else []
        case {"type": "redacted_thinking", "data": str(data)}:
            return [ThinkingDelta(redacted=data)]
        case {"type": "tool_use", "id": str(tool_id), "name": str(name)}:
            arguments = _read_input(block.get("input") or {}, position)
            return [ToolUseStarted(position, tool_id, name), *arguments]
        case {"type": str(kind)} if kind not in _BLOCK_TYPES:
            return []
        case _:
            raise DialectError("a content block that is none")


def _read_input(arguments: object, position: int) -> list[Event]:
    """Read a tool's input; an empty one is no event: its arguments are empty."""
    if not isinstance(arguments, dict):
        raise DialectError("a tool's input that is no object")
    if not arguments:
        return []
    return [ToolArgumentsDelta(position, msgspec.json.encode(arguments).decode())]

"""Chunks of OpenAI's chat completions, passed on as they came.

Source: https://platform.openai.com/docs/api-reference/chat-streaming. Decoded is only what a
decision needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from forebay.dialects.openai_chat import NULL, Choice, Reply, parse_reply, texts_of, to_usage
from forebay.dialects.reported import read_tier
from forebay.model import Usage

_FIRST: Final = (0,)

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class CallPiece(msgspec.Struct, frozen=True):
    """What a chunk adds to a tool call."""

    choice: int
    index: int | None
    """Which call of the choice; None: one of its own."""
    begins: object
    """The id of the call that begins with it; None if one goes on."""
    arguments: str


class Chunk(msgspec.Struct, frozen=True):
    """One event of a stream."""

    data: bytes
    """Its JSON as it came."""
    text: str
    """What it adds to the answer, all choices together."""
    words: str | None
    """What it adds to the visible text of an answer with one choice; None if it says more than
    words and reasoning: no other target could go on after it."""
    choices: tuple[int, ...]
    """Indices of the choices that it speaks of."""
    finished: Mapping[int, str] = {}
    """Those of them that end with it, and why."""
    calls: tuple[CallPiece, ...] = ()
    usage: Usage | None = None
    mentions_usage: bool = False
    """Whether it has a usage object, be it one that says nothing."""
    service_tier: str | None = None
    """That it names; not looked for in chunks of mere words."""


def parse_chunk(data: bytes) -> Chunk:
    """Read one event's data (not `[DONE]`).

    Raises:
        UpstreamReported: It is an error object.
        DialectError: It is no chunk.
    """
    reply = parse_reply(data)
    if (words := _mere_words(reply)) is not None:
        return Chunk(data, words, words, _FIRST)
    choices = reply.choices
    return Chunk(
        data=data,
        text="".join(_delta_text(c.delta) for c in choices if c.delta),
        words=_words(reply),
        choices=tuple(c.index for c in choices),
        finished={c.index: c.finish_reason for c in choices if c.finish_reason},
        calls=tuple(piece for c in choices if c.delta for piece in _calls(c.index, c.delta)),
        usage=to_usage(reply.usage),
        mentions_usage=reply.usage is not None,
        service_tier=read_tier(reply.service_tier),
    )


def _mere_words(reply: Reply) -> str | None:
    """Return what a chunk says that has text and nothing else: nearly every one, and the quickest.

    None: it has more, or less.
    """
    if len(reply.choices) == 1 and reply.usage is None and reply.citations == NULL:
        choice = reply.choices[0]
        delta = choice.delta
        if delta is not None and len(delta) == 1 and _is_plain(choice):
            content = delta.get("content")
            return content if isinstance(content, str) else None
    return None


def _is_plain(choice: Choice) -> bool:
    """Whether a choice is the first, and goes on without more than its delta."""
    return not (choice.index or choice.finish_reason or choice.logprobs != NULL)


def _delta_text(delta: Mapping[str, Any]) -> str:
    if len(delta) == 1 and isinstance(content := delta.get("content"), str):
        return content
    return "".join(texts_of(delta))


_WORDS: Final = frozenset({"role", "content", "reasoning_content", "reasoning"})
"""Members of a delta that another target could go on after."""


def _words(reply: Reply) -> str | None:
    """See `Chunk.words`."""
    if not reply.choices:
        return ""
    choice, *others = reply.choices
    delta = choice.delta or {}
    more = (name for name, value in delta.items() if value and not _is_of_words(name, value))
    if others or reply.citations != NULL or not _is_plain(choice) or any(more):
        return None
    return delta.get("content") or ""


def _is_of_words(name: str, value: object) -> bool:
    return name in _WORDS and isinstance(value, str)


def _calls(choice: int, delta: Mapping[str, Any]) -> Iterator[CallPiece]:
    """Read what a delta says of tool calls."""
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            index = call.get("index")
            yield _piece(choice, index if isinstance(index, int) else None, call)
    if delta.get("function_call"):
        yield _piece(choice, 0, {"function": delta["function_call"]})


def _piece(choice: int, index: int | None, call: Mapping[str, Any]) -> CallPiece:
    function = call.get("function")
    if not isinstance(function, dict):  # a custom tool, whose input is any text
        return CallPiece(choice, index, None, "")
    arguments = function.get("arguments")
    return CallPiece(
        choice,
        index,
        call.get("id") if function.get("name") else None,
        arguments if isinstance(arguments, str) else "",
    )


def without_usage(chunk: Chunk) -> bytes | None:
    """Write a chunk for a caller who did not ask for usage; None if nothing is left to say."""
    if not chunk.mentions_usage:
        return chunk.data
    if not chunk.choices:
        return None
    fields = _decode_fields(chunk.data)
    del fields["usage"]
    return msgspec.json.encode(fields)


def with_usage_note(data: bytes, note: Mapping[str, Any]) -> bytes:
    """Add `usage.forebay` (what only the gateway knows: cost, request) to a chunk."""
    fields: dict[str, Any] = dict(_decode_fields(data))
    fields["usage"] = {**_decode_fields(fields["usage"]), "forebay": note}
    return msgspec.json.encode(fields)

"""A caller's request to Anthropic's messages as it came, for targets that speak Anthropic's too.

Sources: https://platform.claude.com/docs/en/api/messages/create,
https://platform.claude.com/docs/en/api/messages/count_tokens and, for the header fields,
https://platform.claude.com/docs/en/api/beta-headers. Every field stays the bytes that the caller
sent, so server tools, documents, citations, `cache_control` and what is new tomorrow reach
Anthropic untouched; decoded is only what a decision needs. (For targets of another dialect
`anthropic_messages_parse` reads all of it.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from forebay.dialects.anthropic_messages import PATH, VERSION
from forebay.dialects.anthropic_messages_fields import Content, invalid, read
from forebay.errors import InvalidRequest
from forebay.model import UpstreamRequest

FORWARDED_HEADERS: Final = ("anthropic-version", "anthropic-beta")
"""Header fields of the caller that a target sees; they say how the body is to be read."""

TOKENS_PER_MESSAGE: Final = 3
"""What frames a message, beside its text: OpenAI's figure, since Anthropic publishes none
(https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken)."""
TOKENS_PER_REQUEST: Final = 3
"""What begins the answer, from the same source."""

_VISIBLE = re.compile(r"[\x20-\x7e]*")


class _Message(msgspec.Struct):
    role: str
    content: Content


class _CountedFields(msgspec.Struct):
    """What must be understood to count a request's tokens."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None


class _RequestFields(_CountedFields, kw_only=True):
    """What must be understood to ask for an answer; the rest is the target's business."""

    max_tokens: Annotated[int, Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A parsed `POST /messages`, or one to count its tokens."""

    model: str
    """The model as the caller names it."""
    stream: bool
    messages: int
    """How many there are."""
    fields: Mapping[str, msgspec.Raw]
    """The whole body, value by value as it came."""
    headers: Mapping[str, str]
    """Those of `FORWARDED_HEADERS` that the caller sent."""


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
# Numbers are no text, and one like 1e999 (legal JSON) would be an error.
_decode_without_floats = msgspec.json.Decoder(float_hook=lambda _: None).decode


def parse_request(body: bytes, headers: Mapping[str, str]) -> MessagesRequest:
    """Read a request for an answer.

    Args:
        body: As it came.
        headers: Of the request, names in lower case; maybe more than are forwarded.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, a field is missing or of the wrong type, or a header
            field is no visible ASCII; `param` names it.
    """
    return _parse(_RequestFields, body, headers)


def parse_count(body: bytes) -> MessagesRequest:
    """Read a request to count tokens: one for an answer, but for `max_tokens`.

    Raises:
        InvalidRequest: See `parse_request`.
    """
    return _parse(_CountedFields, body, {})


def _parse(kind: type[_CountedFields], body: bytes, headers: Mapping[str, str]) -> MessagesRequest:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8 (byte {error.start}).") from error
    known = read(kind, body, "")
    return MessagesRequest(
        model=known.model,
        stream=bool(known.stream),
        messages=len(known.messages),
        fields=_decode_fields(body),
        headers={name: _visible(headers, name) for name in FORWARDED_HEADERS if name in headers},
    )


def _visible(headers: Mapping[str, str], name: str) -> str:
    """Return a header's value: a line break in it would begin another field at the target."""
    if not _VISIBLE.fullmatch(headers[name]):
        raise invalid(name, "not visible ASCII")
    return headers[name]


def encode_request(request: MessagesRequest, *, model: str) -> UpstreamRequest:
    """Write the request for Anthropic: as it came, but for the model's name."""
    return UpstreamRequest(
        path=PATH,
        headers={
            "content-type": "application/json",
            "anthropic-version": VERSION,
            **request.headers,
        },
        body=msgspec.json.encode({**request.fields, "model": model}),
        stream=request.stream,
    )


# --- its text


_MARKERS: Final = frozenset(
    {"role", "type", "id", "tool_use_id", "signature", "cache_control", "encrypted_content"}
    | {"media_type", "url", "file_id"}
)
"""Members that frame a block or speak of it, and are no part of its text."""


def request_text(request: MessagesRequest) -> str:
    """All text of the system prompt, messages and tools, for counting tokens.

    Pictures and files are not text, and not counted; tools and their inputs are JSON to the model
    too.
    """
    parts: list[str] = []
    for name in ("system", "messages"):
        if name in request.fields:
            # One that was nested just not too deeply to be parsed can be here, on a deeper stack.
            with suppress(RecursionError):
                parts.extend(_texts(_decode_without_floats(request.fields[name])))
    if "tools" in request.fields:
        parts.append(bytes(request.fields["tools"]).decode())
    return "\n".join(parts)


def framing_tokens(request: MessagesRequest) -> int:
    """Tokens that a request takes beside its text; a system prompt is framed as a message is."""
    framed = request.messages + ("system" in request.fields)
    return TOKENS_PER_REQUEST + TOKENS_PER_MESSAGE * framed


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        match pending.pop():
            case str(text):
                yield text
            case list(items):
                pending.extend(reversed(items))
            case {"type": "base64" | "redacted_thinking"}:
                pass
            case dict(members):
                pending.extend(
                    msgspec.json.encode(member).decode() if name == "input" else member
                    for name, member in reversed(members.items())
                    if name not in _MARKERS
                )
            case _:
                pass

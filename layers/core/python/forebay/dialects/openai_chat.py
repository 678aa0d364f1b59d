"""OpenAI's chat completions: requests in, requests out, and replies.

Source: https://platform.openai.com/docs/api-reference/chat. A request keeps every field as the
bytes the caller sent, so a parameter that is new tomorrow reaches an OpenAI-compatible target
untouched; decoded is only what a decision needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.openai_body import KnownFields, reading
from forebay.dialects.reported import believed, read_tier
from forebay.model import Usage

PATH: Final = "/chat/completions"
DONE: Final = b"[DONE]"


class _Message(msgspec.Struct):
    role: str


class _RequestFields(KnownFields, kw_only=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A parsed `POST /chat/completions`."""

    model: str
    """The model as the caller names it."""
    stream: bool
    include_usage: bool
    """Whether the caller asked for the usage chunk."""
    choices: int
    """How many answers are asked for (`n`)."""
    fields: Mapping[str, msgspec.Raw]
    """The whole body, value by value as it came."""


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_request = msgspec.json.Decoder(_RequestFields).decode
# Numbers are no text, and one like 1e999 (legal JSON) would be an error.
_decode_without_floats = msgspec.json.Decoder(float_hook=lambda _: None).decode


def parse_request(body: bytes) -> ChatRequest:
    """Read a request's body.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, or a field of the wrong type; `param` names it.
    """
    with reading(body):
        fields = _decode_fields(body)
        known = _decode_request(body)
    return ChatRequest(
        model=known.model,
        stream=bool(known.stream),
        include_usage=known.include_usage,
        choices=known.n or 1,
        fields=fields,
    )


def prompt_text(request: ChatRequest) -> str:
    """All text of the messages and tools, for counting tokens where the provider did not.

    A field nested so deeply that it was only just read once counts as it stands: an error here
    would lose the request's ledger row.
    """
    parts: list[str] = []
    for name in ("messages", "tools"):
        if name not in request.fields:
            continue
        try:
            parts.extend(texts_of(_decode_without_floats(request.fields[name])))
        except RecursionError:
            parts.append(bytes(request.fields[name]).decode())
    return "\n".join(parts)


_MARKERS = frozenset({"role", "id", "type", "index"})
"""Strings that frame a message and are no part of its text."""


def texts_of(value: object) -> Iterator[str]:
    """Text within a message or a delta: content, refusal, reasoning, names and arguments of tools.

    Inline media (`data:` URLs) are not text.
    """
    pending = [value]
    while pending:
        match pending.pop():
            case str(text) if not text.startswith("data:"):
                yield text
            case list(items):
                pending.extend(reversed(items))
            case dict(members):
                pending.extend(
                    member for name, member in reversed(members.items()) if name not in _MARKERS
                )
            case _:
                pass


# --- replies


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class ReportedUsage(msgspec.Struct):
    """A usage object. What was read from or written to the cache is *within* `prompt_tokens`."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


def to_usage(reported: ReportedUsage | None, tier: object = None) -> Usage | None:
    """Read a usage object; None if it does not say what the request took (see `reported`).

    Cached, written and reasoning tokens are parts of the other counts. Source:
    https://platform.openai.com/docs/api-reference/chat/object.

    Args:
        reported: As it came.
        tier: `service_tier` of the reply, which stands beside it.
    """
    if reported is None or reported.prompt_tokens is None:
        return None
    prompt = reported.prompt_tokens_details or _PromptDetails()
    reasoning = (reported.completion_tokens_details or _CompletionDetails()).reasoning_tokens or 0
    return believed(
        Usage(
            input_tokens=reported.prompt_tokens,
            output_tokens=_output_tokens(reported, max(reasoning, 0)),
            cached_input_tokens=prompt.cached_tokens or 0,
            reasoning_tokens=reasoning,
            cache_write_input_tokens=prompt.cache_write_tokens or 0,
            service_tier=read_tier(tier),
        )
    )


def _output_tokens(reported: ReportedUsage, reasoning: int) -> int:
    """Return all output that is billed.

    xAI counts reasoning beside `completion_tokens`, which shows in `total_tokens`
    (https://docs.x.ai/docs/guides/reasoning); also where there is more of it than of output.
    """
    said = max(reported.completion_tokens or 0, 0)
    beside = (reported.prompt_tokens or 0) + said + reasoning
    return said + reasoning if reported.total_tokens == beside or reasoning > said else said


NULL: Final = msgspec.Raw(b"null")
"""Stands for what is not there in fields that may be anything and are not looked into."""


class Choice(msgspec.Struct):
    """One of the answers, or what a chunk adds to it."""

    index: int = 0
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = NULL


class Reply(msgspec.Struct):
    """A whole completion or one chunk of a stream: they differ in `message` and `delta`."""

    choices: list[Choice] = []
    usage: ReportedUsage | None = None
    service_tier: Any = None
    """That the answer is billed at."""
    citations: msgspec.Raw = NULL
    """Perplexity's: https://docs.perplexity.ai/api-reference/chat-completions-post."""
    error: Any = None


_decode_reply = msgspec.json.Decoder(Reply).decode
_decode_error = msgspec.json.Decoder(dict[str, Any]).decode


def parse_error(body: bytes) -> Mapping[str, Any] | None:
    """Read the error object of a failed reply, or None where there is none to read."""
    try:
        error = _decode_error(body).get("error")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return error_object(error) if error else None


def error_object(error: object) -> Mapping[str, Any]:
    """Read what stands in an `error` field: some targets put a mere string there."""
    if isinstance(error, dict):
        return error
    return {"message": str(error)}


@dataclass(frozen=True, slots=True)
class Completion:
    """What the ledger needs of a whole reply."""

    text: str
    usage: Usage | None


def parse_completion(body: bytes) -> Completion:
    """Check that a 200's body is a whole answer, and read its usage.

    Raises:
        UpstreamReported: It is an error object.
        DialectError: It is anything else.
    """
    reply = parse_reply(body)
    if not reply.choices:
        raise DialectError("a completion without choices")
    text = "".join(part for choice in reply.choices for part in texts_of(choice.message))
    return Completion(text=text, usage=to_usage(reply.usage, reply.service_tier))


def parse_reply(data: bytes) -> Reply:
    """Read a whole completion, or the data of one event of a stream (not `[DONE]`).

    Raises:
        UpstreamReported: It is an error object.
        DialectError: It is neither.
    """
    try:
        reply = _decode_reply(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no chat completion") from error
    if reply.error:
        raise UpstreamReported(error_object(reply.error))
    return reply

"""OpenAI's legacy completions: requests in, requests out, replies and stream chunks.

Source: https://platform.openai.com/docs/api-reference/completions. Self-hosted servers have it for
base models; everything goes there and comes back as it came. It is never translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.openai_body import KnownFields, reading
from forebay.dialects.openai_chat import ReportedUsage, error_object, to_usage
from forebay.dialects.token_ids import stand_in
from forebay.dialects.wholeness import Wholeness
from forebay.errors import InvalidRequest
from forebay.model import Usage

PATH: Final = "/completions"

MAX_CHOICES: Final = 2048
"""Answers of one request, over all its prompts."""


_Prompt = str | list[str | int | list[int]] | None


class _RequestFields(KnownFields, kw_only=True):
    prompt: _Prompt = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A parsed `POST /completions`."""

    model: str
    """The model as the caller names it."""
    stream: bool
    include_usage: bool
    """Whether the caller asked for the usage chunk."""
    prompts: int
    """How many there are; a list of token ids is one."""
    choices: int
    """How many answers are asked for: `n` for each prompt."""
    fields: Mapping[str, msgspec.Raw]
    """The whole body, value by value as it came."""


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_request = msgspec.json.Decoder(_RequestFields).decode
_decode_prompt = msgspec.json.Decoder(_Prompt).decode


def parse_request(body: bytes) -> CompletionRequest:
    """Read a request's body.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, a field of the wrong type, or too many prompts;
            `param` names the field.
    """
    with reading(body):
        fields = _decode_fields(body)
        known = _decode_request(body)
    prompts = _count(known.prompt)
    choices = prompts * (known.n or 1)
    if choices > MAX_CHOICES:
        message = f"{choices} answers are asked for; at most {MAX_CHOICES} are given at once."
        raise InvalidRequest(message, param="prompt")
    return CompletionRequest(
        model=known.model,
        stream=bool(known.stream),
        include_usage=known.include_usage,
        prompts=prompts,
        choices=choices,
        fields=fields,
    )


def _count(prompt: _Prompt) -> int:
    if prompt is None or isinstance(prompt, str):
        return 1
    if not prompt:
        raise InvalidRequest("'prompt' must not be an empty list.", param="prompt")
    return 1 if isinstance(prompt[0], int) else len(prompt)


def prompt_text(request: CompletionRequest) -> str:
    """All text of the prompts, for counting tokens where the provider did not."""
    prompt = _decode_prompt(request.fields.get("prompt", b"null"))
    if prompt is None or isinstance(prompt, str):
        return prompt or ""
    return "".join(map(_part_text, prompt))


def _part_text(part: str | int | list[int]) -> str:
    if isinstance(part, str):
        return part
    return stand_in(1 if isinstance(part, int) else len(part))


# --- replies


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    """A whole completion or one chunk of a stream: they have the same shape."""

    choices: list[_Choice] = []
    usage: ReportedUsage | None = None
    service_tier: Any = None
    error: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole completion, or one event of a stream."""

    text: str
    """What it adds to the answer, all choices together."""
    choices: tuple[int, ...]
    """Indices of the choices that it speaks of."""
    finished: tuple[int, ...]
    """Those of them that end with it."""
    usage: Usage | None
    mentions_usage: bool
    """Whether it has a usage object, be it one that says nothing."""


def parse_piece(data: bytes) -> Piece:
    """Read a whole reply, or one event's data (not `[DONE]`).

    Raises:
        UpstreamReported: It is an error object.
        DialectError: It is anything else.
    """
    try:
        reply = _decode_reply(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no completion") from error
    if reply.error:
        raise UpstreamReported(error_object(reply.error))
    return Piece(
        text="".join(choice.text or "" for choice in reply.choices),
        choices=tuple(choice.index for choice in reply.choices),
        finished=tuple(choice.index for choice in reply.choices if choice.finish_reason),
        usage=to_usage(reply.usage, reply.service_tier),
        mentions_usage=reply.usage is not None,
    )


def check_whole(wholeness: Wholeness, *, prompts: int, target_is_done: bool) -> None:
    """Let a whole answer pass: every choice has ended, and every prompt has one.

    A target that knows no `n` gives one choice a prompt, from 0 on; more, if it does.

    Raises:
        DialectError: The answer is not whole.
    """
    wholeness.check(target_is_done=target_is_done)
    if not all(wholeness.has_finished(index) for index in range(prompts)):
        raise DialectError("an answer without one for each prompt")


def without_usage(data: bytes) -> bytes:
    """Write a chunk for a caller who did not ask for usage."""
    fields = _decode_fields(data)
    del fields["usage"]
    return msgspec.json.encode(fields)

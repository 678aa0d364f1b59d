"""Writes responses, streamed or whole, for callers of OpenAI's Responses API.

Sources: https://platform.openai.com/docs/api-reference/responses/object and /responses-streaming.
Reasoning goes into the summary of `reasoning` items, and what its provider needs to take it back
into their `encrypted_content`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from forebay.dialects import DialectError, sse
from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    UsageReported,
)
from forebay.dialects.openai_responses_items import ItemEvent, Items
from forebay.model import Usage

INCOMPLETE_REASONS: Final = {
    StopReason.LENGTH: "max_output_tokens",
    StopReason.FILTERED: "content_filter",
    StopReason.REFUSAL: "content_filter",
}
"""Why a response is `incomplete`; any other is `completed`. A refusal that the model put into words
is an answer, and completes it; one without words is a classifier's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a response bears from its beginning.

    Args:
        id: The request's; the response's is `resp_` and this.
        model: As the caller is to see it.
        created_at: Epoch seconds.
        echo: What it repeats of its request.
    """

    id: str
    model: str
    created_at: int
    echo: Mapping[str, Any]


def write_event(fields: Mapping[str, Any]) -> bytes:
    """Write one event of a stream, under the name that its `type` gives it."""
    return sse.event(msgspec.json.encode(fields), name=fields["type"])


class _Response:
    """One response, as far as it has come."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._items = Items(identity.id)
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._refused = False

    def take(self, event: Event) -> list[ItemEvent]:
        """Return what an event means, maybe nothing."""
        match event:
            case UsageReported(usage=usage):
                self._usage = usage
            case Finished():
                self._finished = event
                return self._items.close("incomplete" if self._why_incomplete() else "completed")
            case RefusalDelta():
                self._refused = True
            case _:
                pass
        return self._items.take(event)

    def begun(self) -> dict[str, Any]:
        """Return the `Response` of an answer that has begun."""
        return self._fields("in_progress")

    def whole(self, note: Mapping[str, str] | None) -> dict[str, Any]:
        """Return the `Response` of a whole answer.

        Raises:
            DialectError: It did not finish: the answer is not whole, whoever says so.
        """
        if self._finished is None:
            raise DialectError("the end of an answer that did not finish")
        reason = self._why_incomplete()
        return {
            **self._fields("incomplete" if reason else "completed"),
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [item for _, item in sorted(self._items.done.items())],
            "usage": None if self._usage is None else _usage(self._usage, note),
        }

    def _why_incomplete(self) -> str | None:
        reason = None if self._finished is None else self._finished.reason
        if reason is None or (reason is StopReason.REFUSAL and self._refused):
            return None
        return INCOMPLETE_REASONS.get(reason)

    def _fields(self, status: str) -> dict[str, Any]:
        identity = self._identity
        return {
            "id": f"resp_{identity.id}",
            "object": "response",
            "created_at": identity.created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": identity.model,
            "output": [],
            "usage": None,
            **identity.echo,
        }


def _usage(usage: Usage, note: Mapping[str, str] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_input_tokens
            + usage.cache_write_1h_input_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return {**fields, "forebay": note} if note else fields


class ResponseStreamWriter:
    """Writes a response's events. See `AnswerWriter`.

    Args:
        identity: See `Identity`.
    """

    def __init__(self, identity: Identity) -> None:
        self._response = _Response(identity)
        self._sequence_number = 0

    def write(self, events: list[Event]) -> bytes:
        """Return what the caller gets now."""
        return b"".join(self._events(event) for event in events)

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return `response.completed`, or `response.incomplete` if it was cut off at a limit.

        Raises:
            DialectError: It did not finish.
        """
        whole = self._response.whole(note)
        return self._event({"type": f"response.{whole['status']}", "response": whole})

    def _events(self, event: Event) -> bytes:
        if isinstance(event, Started):
            begun = self._response.begun()
            kinds = ("response.created", "response.in_progress")
            return b"".join(self._event({"type": kind, "response": begun}) for kind in kinds)
        return b"".join(self._event(fields) for fields in self._response.take(event))

    def _event(self, fields: ItemEvent) -> bytes:
        written = write_event({**fields, "sequence_number": self._sequence_number})
        self._sequence_number += 1
        return written


class ResponseWriter:
    """Writes a response in one piece. See `AnswerWriter`.

    Args:
        identity: See `Identity`.
    """

    def __init__(self, identity: Identity) -> None:
        self._response = _Response(identity)

    def write(self, events: list[Event]) -> bytes:
        """Keep the events."""
        for event in events:
            self._response.take(event)
        return b""

    def end(self, note: Mapping[str, str] | None) -> bytes:
        """Return the response.

        Raises:
            DialectError: It did not finish.
        """
        return msgspec.json.encode(self._response.whole(note))

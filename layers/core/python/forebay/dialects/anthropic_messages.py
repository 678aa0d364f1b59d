"""Anthropic's messages: what its requests, answers and errors have in common.

Sources: https://platform.claude.com/docs/en/api/messages/create (the fields),
https://platform.claude.com/docs/en/build-with-claude/streaming (the events),
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons.

One module a direction: `anthropic_messages_parse` (caller's request), `…_encode` (request to
Anthropic), `…_reader` (Anthropic's answer), `…_writer` (answer to the caller), `…_errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forebay.dialects import sse
from forebay.dialects.canonical import StopReason
from forebay.dialects.reported import believed, read_tier
from forebay.model import Usage

PROVIDER: Final = "Anthropic"
PATH: Final = "/messages"
VERSION: Final = "2023-06-01"
"""Of the header `anthropic-version`."""
FAST: Final = "fast"
"""A `speed`, of requests and of replies."""

# A pause and a full context window end an answer that the model had not finished.
STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "end_turn": StopReason.END,
    "max_tokens": StopReason.LENGTH,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
    "pause_turn": StopReason.LENGTH,
    "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.LENGTH,
}
"""Anthropic's reasons, as they are read."""

# "refusal" is also what Anthropic's own filters (its streaming classifiers) end an answer with.
WRITTEN_STOP_REASONS: Final[Mapping[StopReason, str]] = {
    StopReason.END: "end_turn",
    StopReason.LENGTH: "max_tokens",
    StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.TOOL_USE: "tool_use",
    StopReason.FILTERED: "refusal",
    StopReason.REFUSAL: "refusal",
}
"""How reasons are written for a caller."""


def read_stop_reason(reason: str) -> StopReason:
    """Read a stop reason; of one that is new, no more is claimed than that the answer ended."""
    return STOP_REASONS.get(reason, StopReason.LENGTH)


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerToolUse(msgspec.Struct):
    web_search_requests: int | None = None


class ReportedUsage(msgspec.Struct):
    """A usage object. What was read from or written to the cache is *beside* `input_tokens`."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    """The same, divided by how long it is kept."""
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerToolUse | None = None
    service_tier: Any = None
    speed: Any = None
    """`fast` has prices of its own, as a tier has
    (https://platform.claude.com/docs/en/build-with-claude/fast-mode)."""


def updated(known: ReportedUsage, reported: ReportedUsage) -> ReportedUsage:
    """Lay a later report over an earlier one: figures are cumulative, a missing one stays."""
    later = {n: v for n, v in msgspec.structs.asdict(reported).items() if v is not None}
    return msgspec.structs.replace(known, **later)


def read_usage(reported: ReportedUsage) -> Usage | None:
    """Read a usage object; None if it does not say what the request took (see `reported`)."""
    cached = max(reported.cache_read_input_tokens or 0, 0)
    written, written_1h = _written(reported)
    details = reported.output_tokens_details
    searches = reported.server_tool_use and reported.server_tool_use.web_search_requests
    return believed(
        Usage(
            input_tokens=max(reported.input_tokens or 0, 0) + cached + written + written_1h,
            output_tokens=reported.output_tokens or 0,
            cached_input_tokens=cached,
            reasoning_tokens=(details and details.thinking_tokens) or 0,
            cache_write_input_tokens=written,
            cache_write_1h_input_tokens=written_1h,
            web_searches=searches or 0,
            service_tier=FAST if reported.speed == FAST else read_tier(reported.service_tier),
        )
    )


def _written(reported: ReportedUsage) -> tuple[int, int]:
    """Return what was written to the cache for five minutes, and for an hour.

    Only the first report of a stream divides it: what a later one adds counts as the dearer of the
    kinds that were written, so that a cost is never below the bill.
    """
    parts = reported.cache_creation or _CacheCreation()
    minutes = max(parts.ephemeral_5m_input_tokens or 0, 0)
    hour = max(parts.ephemeral_1h_input_tokens or 0, 0)
    total = max(reported.cache_creation_input_tokens or 0, minutes + hour)
    return (minutes, total - minutes) if hour else (total, 0)


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """Write a usage object; zeros where nothing is known, since SDKs want figures."""
    usage = usage or Usage(0, 0)
    written = usage.cache_write_input_tokens + usage.cache_write_1h_input_tokens
    fields: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_write_1h_input_tokens:
        fields["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_input_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_input_tokens,
        }
    if usage.reasoning_tokens:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return fields


def write_event(fields: Mapping[str, Any]) -> bytes:
    """Write one event of a stream, under the name that its `type` gives it."""
    return sse.event(msgspec.json.encode(fields), name=fields["type"])


PING: Final = write_event({"type": "ping"})
"""Says that the stream lives; SDKs pass over it, wherever it comes."""

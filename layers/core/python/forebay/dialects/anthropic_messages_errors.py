"""Errors in Anthropic's shape. Source: https://platform.claude.com/docs/en/api/errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forebay.dialects.anthropic_messages import write_event

ERROR_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type that goes with an HTTP status."""


def error_type(status: int) -> str:
    """Name the type of an error; statuses that Anthropic does not list are the nearest general."""
    general = "invalid_request_error" if status < 500 else "api_error"
    return ERROR_TYPES.get(status, general)


def error_body(status: int, message: str, *, request_id: str | None = None) -> bytes:
    """Write the body of an error reply.

    Args:
        status: HTTP status that the reply has.
        message: What is wrong and what to do.
        request_id: What the caller can quote.
    """
    return msgspec.json.encode(_error(status, message, request_id))


def error_event(status: int, message: str, *, request_id: str | None = None) -> bytes:
    """Write the event that ends a broken stream; no `message_stop` may follow.

    Args:
        status: HTTP status that the reply would have had, had the stream not begun.
        message: What is wrong and what to do.
        request_id: What the caller can quote.
    """
    return write_event(_error(status, message, request_id))


def _error(status: int, message: str, request_id: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": "error",
        "error": {"type": error_type(status), "message": message},
    }
    return fields if request_id is None else {**fields, "request_id": request_id}


class _ErrorReply(msgspec.Struct):
    error: dict[str, Any]


_decode_reply = msgspec.json.Decoder(_ErrorReply).decode


def parse_error(body: bytes) -> Mapping[str, Any] | None:
    """Read the error object of a failed reply, or None where there is none to read."""
    try:
        return _decode_reply(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

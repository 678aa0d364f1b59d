"""Errors in a stream of the Responses API; before it, they have the shape of all OpenAI's errors.

Source: https://platform.openai.com/docs/api-reference/responses-streaming/error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forebay.dialects.openai_responses_writer import write_event


def error_event(error: Mapping[str, Any], *, sequence_number: int) -> bytes:
    """Write the event that ends a broken stream; no `response.completed` may follow.

    Args:
        error: OpenAI's error object: `message`, `type`, `param`, `code`.
        sequence_number: How many events stand before it.
    """
    fields = {
        "type": "error",
        "code": error["code"],
        "message": error["message"],
        "param": error["param"],
        "sequence_number": sequence_number,
        # OpenAI's SDKs raise for what has an `error`; the reference's event alone they hand on
        # like any other, and who only joins the deltas would take the part for the whole.
        "error": error,
    }
    return write_event(fields)

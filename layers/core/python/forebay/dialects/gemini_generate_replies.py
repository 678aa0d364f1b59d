"""Gemini's replies as they are on the wire: a response, its usage, an error.

Source: https://ai.google.dev/api/generate-content (GenerateContentResponse, Candidate,
UsageMetadata), v1beta. Google leaves out what is empty or zero, and sends no nulls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.reported import believed
from forebay.model import Usage


class FunctionCall(msgspec.Struct):
    """A function that the model wants called, in one piece."""

    name: str
    id: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


_Unread = dict[str, msgspec.Raw] | None


class Part(msgspec.Struct, rename="camel"):
    """A piece of an answer."""

    text: str = ""
    thought: bool = False
    thought_signature: str = ""
    function_call: FunctionCall | None = None
    # Only what was not asked for (server tools, pictures out) brings these.
    inline_data: _Unread = None
    file_data: _Unread = None
    executable_code: _Unread = None
    code_execution_result: _Unread = None
    tool_call: _Unread = None
    tool_response: _Unread = None

    def is_unread(self) -> bool:
        """Whether it holds what has no counterpart in an answer of ours."""
        unread = (
            *(self.inline_data, self.file_data, self.executable_code),
            *(self.code_execution_result, self.tool_call, self.tool_response),
        )
        return any(kind is not None for kind in unread)


class Content(msgspec.Struct):
    """What a candidate has said."""

    parts: list[Part] = []


class Candidate(msgspec.Struct, rename="camel"):
    """One answer, or what a stream's event adds to it."""

    content: Content | None = None
    finish_reason: str = ""
    index: Annotated[int, msgspec.Meta(ge=0, le=127)] = 0


class PromptFeedback(msgspec.Struct, rename="camel"):
    """What the filter says of the prompt."""

    block_reason: str = ""


class UsageMetadata(msgspec.Struct, rename="camel"):
    """What the request took so far."""

    prompt_token_count: int | None = None
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0


class Response(msgspec.Struct, rename="camel"):
    """A whole answer, or one event of a stream."""

    candidates: list[Candidate] = []
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str = ""
    response_id: str = ""
    error: Any = None


_decode = msgspec.json.Decoder(Response).decode
_decode_any = msgspec.json.Decoder().decode
_GARBLED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_response(data: bytes) -> Response:
    """Read a whole answer or one event of a stream.

    Raises:
        UpstreamReported: It is an error.
        DialectError: It is anything else.
    """
    try:
        response = _decode(data)
    except _GARBLED as error:
        if reported := parse_error(data):
            raise UpstreamReported(reported) from error
        raise DialectError("bytes that are no answer of generateContent") from error
    if response.error:
        raise UpstreamReported(_error_object(response.error))
    return response


def parse_error(body: bytes) -> Mapping[str, Any] | None:
    """Read the error of a failed reply, or None where there is none to read.

    It is `{"error": {code, message, status, details}}`, within an array where a stream was asked
    for without `alt=sse`. Source: https://cloud.google.com/apis/design/errors#http_mapping.

    Returns:
        `message`, `type`, `param` and `code` as OpenAI has them, and what Google says beyond:
        `status` (an HTTP status, where there is one) and `retry_after_s` (Google sends no
        `Retry-After`, but a `google.rpc.RetryInfo`).
    """
    try:
        said = _decode_any(body)
    except _GARBLED:
        return None
    if isinstance(said, list):
        said = said[0] if said else None
    error = said.get("error") if isinstance(said, dict) else None
    return _error_object(error) if error else None


def _error_object(error: object) -> Mapping[str, Any]:
    if not isinstance(error, dict):
        return {"message": str(error)}
    name = error.get("status")
    reported = {"message": error.get("message"), "type": name, "param": None, "code": name}
    if isinstance(status := error.get("code"), int):
        reported["status"] = status
    if (delay_s := _retry_delay_s(error.get("details"))) is not None:
        reported["retry_after_s"] = delay_s
    return reported


def _retry_delay_s(details: object) -> float | None:
    """Find `{"@type": "…/google.rpc.RetryInfo", "retryDelay": "34.07s"}`."""
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            delay = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", str(detail.get("retryDelay")))
            if delay:
                return float(delay[1])
    return None


def to_usage(reported: UsageMetadata | None) -> Usage | None:
    """Read a usage object; None if it does not say what the request took.

    `promptTokenCount` includes the cached tokens; thoughts, and what server tools put into the
    prompt, stand beside the other counts (the four add up to `totalTokenCount`). Writing to a cache
    is not billed by the token. Source: https://ai.google.dev/api/generate-content#UsageMetadata.
    """
    if reported is None or reported.prompt_token_count is None:
        return None
    cached = max(reported.cached_content_token_count, 0)
    thoughts = max(reported.thoughts_token_count, 0)
    asked = max(reported.prompt_token_count, cached)
    return believed(
        Usage(
            input_tokens=asked + max(reported.tool_use_prompt_token_count, 0),
            output_tokens=max(reported.candidates_token_count, 0) + thoughts,
            cached_input_tokens=cached,
            reasoning_tokens=thoughts,
        )
    )

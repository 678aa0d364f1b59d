"""Errors in Anthropic's shape. Source: https://platform.claude.com/docs/en/api/errors."""

import json

import pytest

from forebay.dialects.anthropic_messages_errors import error_body, error_event, parse_error


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_the_type_goes_with_the_status(status: int, expected: str) -> None:
    assert json.loads(error_body(status, "Why.")) == {
        "type": "error",
        "error": {"type": expected, "message": "Why."},
    }


def test_the_request_can_be_named() -> None:
    assert json.loads(error_body(400, "Why.", request_id="req"))["request_id"] == "req"


def test_an_error_event_has_its_name() -> None:
    name, data = error_event(529, "Why.").split(b"\ndata: ")

    assert name == b"event: error"
    assert data.endswith(b"\n\n")
    assert json.loads(data) == json.loads(error_body(529, "Why."))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (error_body(404, "x"), {"type": "not_found_error", "message": "x"}),
        (b'{"error": "x"}', None),
        (b"<html>", None),
        (b'{"error": {"a": "\xff"}}', None),
        (b"[" * 100_000, None),
    ],
    ids=["error", "a string", "html", "not UTF-8", "deep"],
)
def test_an_error_reply_is_read(body: bytes, expected: object) -> None:
    assert parse_error(body) == expected

"""Which requests share an answer: few, and only with their like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forebay.routing.equal_requests import flight_key

ASKED: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0,
}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def key(
    body: bytes | dict[str, Any],
    *,
    tenant: str = "acme",
    path: str = "/v1/chat/completions",
    **headers: str,
) -> str | None:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return flight_key(tenant=tenant, path=path, headers=fields, body=encoded)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": 0.0},
        {"n": 1},
        {"n": None},
        {"store": False},
        {"store": None},
        {"web_search_options": None},
        {"tools": []},
        {"tools": None},
        {"tools": [FUNCTION, FUNCTION]},
        {"tools": [{"name": "f", "input_schema": {}}]},
        {"tools": [{"type": "custom", "name": "f", "input_schema": {}}]},
        {"stream": True, "seed": 7, "unheard_of": {"a": [1]}},
    ],
    ids=json.dumps,
)
def test_a_request_that_asks_for_no_chance_can_be_shared(more: dict[str, Any]) -> None:
    assert key({**ASKED, **more}) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": None},
        {"temperature": 1},
        {"temperature": 0.1},
        {"temperature": False},
        {"temperature": "0"},
        {"n": 2},
        {"n": 0},
        {"store": True},
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"background": True},
        {"prompt": {"id": "pmpt_1"}},
        {"web_search_options": {"search_context_size": "low"}},
        {"audio": {"voice": "alloy"}},
        {"container": "c"},
        {"mcp_servers": [{"url": "https://example.com"}]},
        {"plugins": [{"id": "web"}]},
        {"tools": [FUNCTION, {"type": "web_search"}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": ["function"]},
        {"tools": {"type": "function"}},
    ],
    ids=json.dumps,
)
def test_a_request_that_is_one_of_its_kind_cannot_be_shared(more: dict[str, Any]) -> None:
    assert key({**ASKED, **more}) is None


def test_no_temperature_is_the_model_s_own() -> None:
    assert key({"model": "m", "messages": []}) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"null", b'{"temperature": 0, "n": {}}x', b'{"temperature":0,"x":"\xff"}'],
)
def test_what_is_no_request_cannot_be_shared(body: bytes) -> None:
    assert key(body) is None


@pytest.mark.parametrize("n", [[], {}, "1", 1.5])
def test_a_strange_number_of_choices_cannot_be_shared(n: object) -> None:
    assert key({**ASKED, "n": n}) is None


def test_a_body_nested_too_deep_cannot_be_shared() -> None:
    assert key(b'{"temperature":0,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}") is None


def test_a_number_out_of_range_is_not_taken_for_null() -> None:
    assert key(b'{"temperature":0,"x":1e999}') is None


def test_order_of_fields_and_white_space_make_no_difference() -> None:
    spaced = json.dumps(dict(reversed(ASKED.items())), indent=2).encode()

    assert key(spaced) == key(ASKED)


@pytest.mark.parametrize(
    "more",
    [
        {"model": "n"},
        {"messages": [{"role": "user", "content": "ho"}]},
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "u"},
        {"metadata": {"a": "b"}},
        {"seed": 1},
        {"max_tokens": 1},
        {"unheard_of": 1},
    ],
    ids=json.dumps,
)
def test_requests_that_differ_anywhere_are_not_equal(more: dict[str, Any]) -> None:
    assert key({**ASKED, **more}) != key(ASKED)


def test_a_stream_with_usage_is_another_one_than_without() -> None:
    streamed = {**ASKED, "stream": True}

    assert key({**streamed, "stream_options": {"include_usage": True}}) != key(streamed)


def test_inv5_equal_requests_of_two_tenants_are_not_equal() -> None:
    assert key(ASKED, tenant="acme") != key(ASKED, tenant="other")


def test_equal_bodies_in_two_dialects_are_not_equal() -> None:
    assert key(ASKED, path="/v1/messages") != key(ASKED)


@pytest.mark.parametrize(
    "header",
    [
        "anthropic_beta",
        "anthropic_version",
        "x_forebay_timeout",
        "x_stainless_timeout",
        "x_stainless_read_timeout",
    ],
)
def test_headers_that_shape_the_answer_make_a_difference(header: str) -> None:
    assert key(ASKED, **{header: "1"}) != key(ASKED)


def test_other_headers_make_none() -> None:
    assert key(ASKED, x_request_id="1", authorization="Bearer x") == key(ASKED)

"""Anthropic's requests as they came: what reaches Anthropic, what is refused, what is counted.

Fields after https://platform.claude.com/docs/en/api/messages/create.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from forebay.dialects.anthropic_messages_request import (
    MessagesRequest,
    encode_request,
    framing_tokens,
    parse_count,
    parse_request,
    request_text,
)
from forebay.errors import InvalidRequest

HELLO = [{"role": "user", "content": "hi"}]
DOCUMENT = {
    "type": "document",
    "title": "Laws",
    "source": {"type": "text", "media_type": "text/plain", "data": "Article 1"},
    "citations": {"enabled": True},
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
}
PICTURE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="},
}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "messages": HELLO, **fields}).encode()


def parsed(headers: Mapping[str, str] | None = None, **fields: Any) -> MessagesRequest:
    return parse_request(body(**fields), headers or {})


@pytest.mark.parametrize(
    "member",
    [
        b'"tools": [ {"type": "web_search_20250305", "name": "web_search", "max_uses": 5} ]',
        b'"messages":[{"role":"user","content":[{"type":"document","citations":{"enabled":true}}]}]',
        b'"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]',
        b'"temperature":1.0',
        b'"tomorrow":{"n":1e999,"i":123456789012345678901234567890,"s":"\\u00fc/\\/"}',
    ],
    ids=["server tool", "document", "cache_control", "float", "unknown"],
)
def test_what_the_caller_sent_goes_out_byte_for_byte(member: bytes) -> None:
    name = member.split(b'"')[1].decode()
    sent = body()[:-1] + b"," + member + b"}"

    request = encode_request(parse_request(sent, {}), model="target")

    assert member.partition(b":")[2].strip() in request.body
    assert bytes(parse_request(request.body, {}).fields[name]) == member.partition(b":")[2].strip()


def test_only_the_model_is_changed() -> None:
    request = encode_request(parsed(stream=True), model="target")

    assert json.loads(request.body) == {**json.loads(body(stream=True)), "model": "target"}
    assert (request.path, request.stream) == ("/messages", True)


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        ({}, {"anthropic-version": "2023-06-01"}),
        ({"anthropic-version": "2024-01-01"}, {"anthropic-version": "2024-01-01"}),
        (
            {"anthropic-beta": "a-1, b-2", "x-api-key": "fb-secret", "cookie": "c"},
            {"anthropic-version": "2023-06-01", "anthropic-beta": "a-1, b-2"},
        ),
    ],
    ids=["none", "version", "beta and others"],
)
def test_of_the_headers_version_and_betas_reach_anthropic(
    sent: Mapping[str, str], forwarded: Mapping[str, str]
) -> None:
    request = encode_request(parsed(sent), model="target")

    assert request.headers == {"content-type": "application/json", **forwarded}


@pytest.mark.parametrize("value", ["a\r\nx-api-key: b", "a\n", "\x00", "ü"])
def test_a_header_that_would_break_the_request_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parsed({"anthropic-beta": value})

    assert refused.value.param == "anthropic-beta"
    assert value not in refused.value.message


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"\xff", None),
        (b"{}", "model"),
        (body(model=""), "model"),
        (body(messages=[]), "messages"),
        (body(messages=["hi"]), "messages.0"),
        (body(messages=[{"role": "user"}]), "messages.0.content"),
        (body(messages=[{"role": "user", "content": 1}]), "messages.0.content"),
        (body(max_tokens=None), "max_tokens"),
        (body(max_tokens=-1), "max_tokens"),
        (body(stream="yes"), "stream"),
        (b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', "max_tokens"),
    ],
)
def test_what_is_no_request_is_refused_with_the_field(sent: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_request(sent, {})

    assert refused.value.param == param


def test_a_request_nested_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_request(body()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {})


def test_to_count_no_limit_is_wanted() -> None:
    request = parse_count(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')

    assert (request.model, request.messages, request.stream) == ("m", 1, False)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "hi"),
        ({"system": "Be terse."}, "Be terse.\nhi"),
        ({"system": [{"type": "text", "text": "a", "cache_control": {"type": "x"}}]}, "a\nhi"),
        (
            {"messages": [{"role": "user", "content": [DOCUMENT, PICTURE]}]},
            "Laws\nArticle 1",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                            {"type": "redacted_thinking", "data": "EmwK"},
                            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": ["b", 1]}},
                        ],
                    },
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": "c"}],
                    },
                ]
            },
            'Hm.\nf\n{"a":["b",1]}\nc',
        ),
        (
            {"tools": [{"name": "f", "input_schema": {"type": "object", "title": "T"}}]},
            'hi\n[{"name": "f", "input_schema": {"type": "object", "title": "T"}}]',
        ),
    ],
    ids=["words", "system", "system blocks", "document and picture", "tool use", "tools"],
)
def test_text_is_what_is_said_and_not_how_it_is_framed(fields: dict[str, Any], text: str) -> None:
    assert request_text(parsed(**fields)) == text


def test_text_that_is_nested_too_deeply_is_not_counted() -> None:
    nested = parsed(system=json.loads("[" * 400 + "]" * 400))

    def deeper(frames: int) -> str:
        return deeper(frames - 1) if frames else request_text(nested)

    assert deeper(sys.getrecursionlimit() - 500) == "hi"


def test_numbers_out_of_range_are_no_text() -> None:
    sent = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"a":1e999}]}]}'

    assert request_text(parse_request(sent, {})) == ""


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [({}, 6), ({"system": "s"}, 9), ({"messages": HELLO * 3}, 12)],
    ids=["one message", "with a system prompt", "three messages"],
)
def test_each_message_is_framed_and_so_is_the_answer(fields: dict[str, Any], tokens: int) -> None:
    assert framing_tokens(parsed(**fields)) == tokens

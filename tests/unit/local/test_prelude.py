"""A function's answer becomes the head of a response."""

import json
from typing import Any

import pytest

from forebay_cli.local.prelude import (
    DELIMITER,
    MAX_PRELUDE_BYTES,
    MalformedError,
    read_buffered,
    split_prelude,
)


def _streamed(**prelude: Any) -> bytes:
    return json.dumps({"statusCode": 200} | prelude).encode() + DELIMITER


def test_the_body_begins_behind_eight_nuls() -> None:
    split = split_prelude(_streamed(headers={"A": "b"}) + b"body")
    assert split is not None
    assert (split[0].status, split[0].headers, split[1]) == (200, [("A", "b")], b"body")


@pytest.mark.parametrize("missing", range(1, 9))
def test_a_prelude_without_its_end_is_waited_for(missing: int) -> None:
    assert split_prelude(_streamed()[:-missing]) is None


def test_lists_of_values_and_cookies_become_headers_of_their_own() -> None:
    split = split_prelude(
        _streamed(headers={"A": "1", "b": 2}, multiValueHeaders={"a": ["x", "y"]}, cookies=["c=d"])
    )
    assert split is not None
    assert split[0].headers == [("b", "2"), ("a", "x"), ("a", "y"), ("Set-Cookie", "c=d")]


def test_headers_that_api_gateway_sets_itself_are_passed_on_under_another_name() -> None:
    split = split_prelude(
        _streamed(headers={"WWW-Authenticate": "Basic", "Content-Length": "3", "Trailer": "x"})
    )
    assert split is not None
    assert split[0].headers == [
        ("x-amzn-Remapped-WWW-Authenticate", "Basic"),
        ("x-amzn-Remapped-Content-Length", "3"),
    ]


MALFORMED = [
    b"x" * MAX_PRELUDE_BYTES,
    b"no json" + DELIMITER,
    b"[]" + DELIMITER,
    b"{}" + DELIMITER,
    b'{"statusCode":"many"}' + DELIMITER,
    b'{"statusCode":100}' + DELIMITER,
    b'{"statusCode":200,"headers":[1]}' + DELIMITER,
    b'{"statusCode":200,"headers":{"a":{}}}' + DELIMITER,
    b'{"statusCode":200,"headers":{"a b":"c"}}' + DELIMITER,
]


@pytest.mark.parametrize("data", MALFORMED)
def test_a_malformed_prelude_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        split_prelude(data)


@pytest.mark.parametrize(
    ("answer", "body"),
    [({"body": "text"}, b"text"), ({}, b""), ({"body": "aGk=", "isBase64Encoded": True}, b"hi")],
)
def test_a_buffered_body_is_text_or_base64(answer: dict[str, Any], body: bytes) -> None:
    assert read_buffered(json.dumps({"statusCode": 200} | answer).encode())[1] == body


@pytest.mark.parametrize(
    "data",
    [b"null", b'{"statusCode":200,"body":{}}',
     b'{"statusCode":200,"body":"!","isBase64Encoded":true}'],
)  # fmt: skip
def test_a_malformed_buffered_answer_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_buffered(data)


def test_a_buffered_answer_is_json_unless_it_says_otherwise() -> None:
    head, _ = read_buffered(b'{"statusCode":200}')
    assert head.headers == [("Content-Type", "application/json")]

"""REST proxy events as ASGI scopes."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.errors import RuntimeFault
from lambda_streaming.scope import http_body, http_scope


def event(**fields: Any) -> dict[str, Any]:
    return {
        "resource": "/{proxy+}",
        "path": "/chat/completions",
        "httpMethod": "post",
        "headers": {"Host": "api.example.com"},
        "multiValueHeaders": {"Host": ["api.example.com"], "X-Two": ["a", "b"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": "chat/completions"},
        "requestContext": {
            "stage": "v1",
            "path": "/v1/chat/completions",
            "protocol": "HTTP/1.1",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": None,
        "isBase64Encoded": False,
    } | fields


def test_the_parts_of_the_scope() -> None:
    scope = http_scope(event())
    assert scope["type"] == "http"
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("POST", "https", "1.1")
    assert scope["client"] == ("192.0.2.1", 0)
    assert scope["server"] == ("abc.execute-api.eu-west-1.amazonaws.com", 443)
    assert scope["headers"] == [
        (b"host", b"api.example.com"),
        (b"x-two", b"a"),
        (b"x-two", b"b"),
    ]


DOMAINS = {
    "default domain": ("/chat/completions", "/v1/chat/completions"),
    "custom domain": ("/chat/completions", "/chat/completions"),
    "custom domain with a base path": ("/llm/chat/completions", "/llm/chat/completions"),
}


@pytest.mark.parametrize(("path", "context_path"), DOMAINS.values(), ids=DOMAINS)
def test_the_path_is_the_same_behind_every_domain(path: str, context_path: str) -> None:
    context = {"stage": "v1", "path": context_path}
    scope = http_scope(event(path=path, requestContext=context))
    assert scope["path"] == "/v1/chat/completions"


PATHS = {
    "root": ("/", None, b"/v1/", "/v1/"),
    "nested resource": ("/admin/{proxy+}", "keys/7", b"/v1/admin/keys/7", "/v1/admin/keys/7"),
    "no parameter": ("/admin/keys", None, b"/v1/admin/keys", "/v1/admin/keys"),
    "encoded slash": (
        "/{proxy+}",
        "models/meta%2Fllama",
        b"/v1/models/meta%2Fllama",
        "/v1/models/meta/llama",
    ),
    "encoded percent": ("/{proxy+}", "a%252Fb", b"/v1/a%252Fb", "/v1/a%2Fb"),
    "encoded text": ("/{proxy+}", "gr%C3%BCn", b"/v1/gr%C3%BCn", "/v1/gr\u00fcn"),
    "decoded text": ("/{proxy+}", "gr\u00fcn tee", b"/v1/gr%C3%BCn%20tee", "/v1/gr\u00fcn tee"),
    "decoded marks": ("/{proxy+}", "a?b#c", b"/v1/a%3Fb%23c", "/v1/a?b#c"),
    "bare percent": ("/{proxy+}", "100%/x%zz", b"/v1/100%25/x%25zz", "/v1/100%/x%zz"),
    "braces and backslashes": ("/{proxy+}", "{a}\\1", b"/v1/%7Ba%7D%5C1", "/v1/{a}\\1"),
    "half a surrogate": ("/{proxy+}", "a\ud800", b"/v1/a%3F", "/v1/a?"),
}


@pytest.mark.parametrize(("resource", "proxy", "raw_path", "path"), PATHS.values(), ids=PATHS)
def test_the_path_is_the_stage_and_the_filled_resource(
    resource: str, proxy: str | None, raw_path: bytes, path: str
) -> None:
    parameters = None if proxy is None else {"proxy": proxy}
    scope = http_scope(event(resource=resource, pathParameters=parameters))
    assert (scope["raw_path"], scope["path"]) == (raw_path, path)


def test_several_parameters_are_filled_in() -> None:
    parameters = {"tenant": "t-1", "rest": "a/b"}
    scope = http_scope(event(resource="/{tenant}/x/{rest+}", pathParameters=parameters))
    assert scope["path"] == "/v1/t-1/x/a/b"


QUERIES: dict[str, tuple[Any, Any, bytes]] = {
    "none": (None, None, b""),
    "repeated": ({"a": ["1", "2"], "b": [""]}, {"a": "2", "b": ""}, b"a=1&a=2&b="),
    "encoded again": ({"q": ["gr\u00fcn & blau=1+1"]}, None, b"q=gr%C3%BCn+%26+blau%3D1%2B1"),
    "single ones only": (None, {"a": "1"}, b"a=1"),
    "null": ({"a": None}, None, b"a="),
}


@pytest.mark.parametrize(("multi", "single", "query"), QUERIES.values(), ids=QUERIES)
def test_the_query_is_encoded_again(multi: Any, single: Any, query: bytes) -> None:
    fields = {"multiValueQueryStringParameters": multi, "queryStringParameters": single}
    assert http_scope(event(**fields))["query_string"] == query


def test_cookies_are_joined_into_one_header() -> None:
    scope = http_scope(event(multiValueHeaders={"Cookie": ["a=1", "b=2"], "x": ["y"]}))
    assert scope["headers"] == [(b"x", b"y"), (b"cookie", b"a=1; b=2")]


def test_single_headers_serve_where_multi_ones_are_missing() -> None:
    scope = http_scope(event(multiValueHeaders=None, headers={"A": "1", "B": "\u20ac"}))
    assert scope["headers"] == [(b"a", b"1"), (b"b", "\u20ac".encode())]


@pytest.mark.parametrize(("said", "scheme"), [("http", "http"), ("ftp", "https"), ("", "https")])
def test_the_scheme_is_what_the_front_says_or_https(said: str, scheme: str) -> None:
    scope = http_scope(event(multiValueHeaders={"X-Forwarded-Proto": [said]}))
    assert scope["scheme"] == scheme


BODIES = {
    "none": (None, False, b""),
    "text": ("gr\u00fcn", False, b"gr\xc3\xbcn"),
    "base64": ("AP8=", True, b"\x00\xff"),
    "half a surrogate": ("\ud800", False, b"\xed\xa0\x80"),
}


@pytest.mark.parametrize(("body", "is_base64", "expected"), BODIES.values(), ids=BODIES)
def test_the_body(body: str | None, is_base64: object, expected: bytes) -> None:
    assert http_body(event(body=body, isBase64Encoded=is_base64)) == expected


@pytest.mark.parametrize(
    ("body", "is_base64"), [("A", True), ("****", True), ({}, False), ("\u00fc", True)], ids=repr
)
def test_a_body_that_cannot_be_read_is_refused(body: Any, is_base64: object) -> None:
    with pytest.raises(RuntimeFault, match="body"):
        http_body(event(body=body, isBase64Encoded=is_base64))


@pytest.mark.parametrize(
    "foreign",
    [
        None,
        [],
        "text",
        {"version": "2.0", "rawPath": "/"},
        {"Records": []},
        event(pathParameters={}),
        event(pathParameters=[]),
        event(requestContext="x"),
        event(multiValueHeaders=["x"]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_rest_event_is_refused(foreign: Any) -> None:
    with pytest.raises(RuntimeFault) as caught:
        http_scope(foreign)
    assert caught.value.error_type == "Runtime.UnsupportedEvent"

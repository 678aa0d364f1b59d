"""The bytes of a streamed answer."""

from __future__ import annotations

import base64
import json

import pytest

from lambda_streaming import framing
from lambda_streaming.errors import ErrorReport, RuntimeFault

HEADERS = {
    "nothing": ([], {}, {}),
    "names become lower case": ([(b"X-Id", b"7")], {"x-id": "7"}, {}),
    "repeated ones go together": ([(b"vary", b"a"), (b"Vary", b"b")], {}, {"vary": ["a", "b"]}),
    "cookies are never single": ([(b"set-cookie", b"a=1")], {}, {"set-cookie": ["a=1"]}),
    "hop-by-hop ones stay here": ([(b"Connection", b"close"), (b"te", b"x")], {}, {}),
    "latin-1 survives": ([(b"x", b"\xe9")], {"x": "\u00e9"}, {}),
}


@pytest.mark.parametrize(("raw", "single", "multi"), HEADERS.values(), ids=HEADERS)
def test_headers_are_sorted_into_single_and_multi(
    raw: list[tuple[bytes, bytes]], single: dict[str, str], multi: dict[str, list[str]]
) -> None:
    expected = {"headers": single, "multiValueHeaders": multi}
    assert framing.response_headers(raw) == expected


def test_the_prelude_is_json_and_eight_nul_bytes() -> None:
    text, delimiter = framing.prelude(200, [(b"a", b"b")])[:-8], framing.prelude(200, [])[-8:]
    assert json.loads(text) == {"statusCode": 200, "headers": {"a": "b"}, "multiValueHeaders": {}}
    assert delimiter == bytes(8)


def test_no_header_can_put_a_nul_byte_into_the_prelude() -> None:
    assert framing.prelude(200, [(b"a", b"\0" * 8)]).count(b"\0") == 8


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)], ids=["fits", "one over"])
def test_the_prelude_ends_within_16_kb(spare: int, fits: bool) -> None:  # noqa: FBT001 - a table
    empty = len(framing.prelude(200, [(b"x", b"")]))
    value = b"x" * (16_384 - empty - spare)
    outcome = None
    try:
        framing.prelude(200, [(b"x", value)])
    except RuntimeFault as fault:
        outcome = fault.error_type
    assert (outcome is None) == fits


@pytest.mark.parametrize(
    ("data", "framed"), [(b"a", b"1\r\na\r\n"), (b"x" * 26, b"1a\r\n" + b"x" * 26 + b"\r\n")]
)
def test_a_chunk_says_its_size_in_hexadecimal(data: bytes, framed: bytes) -> None:
    assert framing.chunk(data) == framed


def test_a_whole_body_ends_without_trailers() -> None:
    assert framing.last_chunk(None) == b"0\r\n\r\n"


def test_trailers_carry_type_and_base64_of_the_report() -> None:
    report = ErrorReport("ValueError", "line\r\nbreak", ("frame",), "r-1")
    size, error_type, body, *rest = framing.last_chunk(report).split(b"\r\n")
    assert (size, rest) == (b"0", [b"", b""])
    assert error_type == b"Lambda-Runtime-Function-Error-Type: ValueError"
    encoded = body.removeprefix(b"Lambda-Runtime-Function-Error-Body: ")
    assert json.loads(base64.b64decode(encoded)) == {
        "errorMessage": "line\r\nbreak",
        "errorType": "ValueError",
        "requestId": "r-1",
        "stackTrace": ["frame"],
    }


def test_a_value_cannot_begin_another_header() -> None:
    head = framing.request_head("POST", "/x", "h:1", {"Type": "Stra\u00dfe\r\nEvil: 1"})
    assert head == b"POST /x HTTP/1.1\r\nHost: h:1\r\nType: Stra?e??Evil: 1\r\n\r\n"


BODIES = {
    "text": (b"gr\xc3\xbcn", "gr\u00fcn", False),
    "empty": (b"", "", False),
    "no UTF-8": (b"\xff", "/w==", True),
}


@pytest.mark.parametrize(("body", "text", "is_base64"), BODIES.values(), ids=BODIES)
def test_a_buffered_body_is_text_where_it_can_be(body: bytes, text: str, is_base64: object) -> None:
    fields = json.loads(framing.buffered(200, [], body))
    assert (fields["body"], fields["isBase64Encoded"]) == (text, is_base64)


@pytest.mark.parametrize("tail", [b"", b"\n\n", b"\r\n\r\n", b"x\n\r\n", b"\r\r", b"\r\r\n"])
def test_between_events(tail: bytes) -> None:
    assert framing.ends_event(tail[-3:])


@pytest.mark.parametrize("tail", [b"x", b"\n", b"\r\n", b"\r", b"\n\r", b"\n\nx", b"x\r\n"])
def test_inside_an_event(tail: bytes) -> None:
    assert not framing.ends_event(tail[-3:])

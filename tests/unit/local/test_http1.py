"""Requests off the wire: each case whole, byte by byte, and with more behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay_cli.local.http1 import (
    End,
    Event,
    ParseError,
    Request,
    RequestParser,
    chunk,
    response_head,
)

HOST = b"Host: x\r\n"
GOOD = {
    "no body": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n", b"", {}),
    "empty lines before": (b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", b"", {}),
    "a length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", b"hello", {}),
    "chunks": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", {},
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n"
        b"1\r\na\r\n0\r\nX-Error: Boom\r\nY: \r\n\r\n", b"a", {"x-error": "Boom", "y": ""},
    ),
    "http/1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", b"", {}),
}  # fmt: skip
CASES = pytest.mark.parametrize(("raw", "body", "trailers"), GOOD.values(), ids=GOOD.keys())


def _join(events: list[Event]) -> tuple[Request, bytes, dict[str, str]]:
    request, *rest = events
    end = rest.pop()
    assert isinstance(request, Request)
    assert isinstance(end, End)
    return request, b"".join(item for item in rest if isinstance(item, bytes)), end.trailers


def _bytewise(parser: RequestParser, raw: bytes) -> list[Event]:
    return [event for byte in raw for event in parser.feed(bytes([byte]))]


@CASES
def test_a_request_is_read_whole(raw: bytes, body: bytes, trailers: dict[str, str]) -> None:
    assert _join(RequestParser(999).feed(raw))[1:] == (body, trailers)


@CASES
def test_a_request_is_read_byte_by_byte(raw: bytes, body: bytes, trailers: dict[str, str]) -> None:
    assert _join(_bytewise(RequestParser(999), raw))[1:] == (body, trailers)


@CASES
def test_what_follows_is_held_back_until_asked_for(
    raw: bytes, body: bytes, trailers: dict[str, str]
) -> None:
    parser = RequestParser(999)
    assert _join(parser.feed(raw + GOOD["a length"][0]))[1:] == (body, trailers)
    assert _join(parser.next_request())[1] == b"hello"


def test_a_chunk_is_given_out_as_soon_as_it_is_there() -> None:
    parser = RequestParser(999)
    parser.feed(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    assert parser.feed(b"5\r\nab") == [b"ab"]
    assert parser.feed(b"cde\r\n") == [b"cde"]


def test_header_names_keep_their_case_and_are_found_without_it() -> None:
    request = _join(RequestParser(999).feed(b"GET / HTTP/1.1\r\nHoSt: x\r\n\r\n"))[0]
    assert request.headers == (("HoSt", "x"),)
    assert request.header("host") == "x"


BAD = {
    "not http": (b"\x16\x03\x01\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\n", 505),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "a folded line": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a bare line feed": (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: x\0\r\n\r\n", 400),
    "two lengths": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400,
    ),
    "a list of lengths": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 2, 2\r\n\r\n", 400),
    "a negative length": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "a length and chunks": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "another coding": (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "chunks in http/1.0": (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    "a long head": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 999 + b"\r\n\r\n", 431),
    "a head without end": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 999, 431),
}  # fmt: skip
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD_CHUNKS = {
    "no size": (b"\r\n", 400),
    "no hexadecimal": (b"0x1\r\n", 400),
    "a sign": (b"+1\r\na\r\n", 400),
    "a huge size": (b"fffffffffffffffff\r\n", 400),
    "a long size line": (b"1;" + b"x" * 2000, 400),
    "longer than it says": (b"1\r\nab\r\n", 400),
    "long trailers": (b"0\r\nA: " + b"b" * 999, 431),
    "malformed trailers": (b"0\r\nno colon\r\n\r\n", 400),
}


@pytest.mark.parametrize(
    ("raw", "status"),
    [*BAD.values(), *((CHUNKED + raw, status) for raw, status in BAD_CHUNKS.values())],
    ids=[*BAD, *BAD_CHUNKS],
)
def test_what_is_not_http_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        RequestParser(900).feed(raw)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [("1.1", "", True), ("1.1", "Close", False), ("1.1", "x, close", False),
     ("1.0", "", False), ("1.0", "Keep-Alive", True)],
)  # fmt: skip
def test_a_connection_is_kept_as_the_version_and_the_client_say(
    version: str, connection: str, *, kept: bool
) -> None:
    assert Request("GET", "/", version, (("Connection", connection),)).keep_alive is kept


@given(st.lists(st.binary(min_size=1)), st.data())
def test_any_cut_of_a_chunked_body_gives_the_same_bytes(
    parts: list[bytes], data: st.DataObject
) -> None:
    raw = CHUNKED + b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(raw)))
    parser = RequestParser(999)
    events = parser.feed(raw[:cut]) + parser.feed(raw[cut:])
    assert _join(events)[1] == b"".join(parts)


def test_an_empty_chunk_is_not_written_since_it_would_end_the_body() -> None:
    assert chunk(b"") == b""


def test_a_line_break_in_a_header_forges_no_header() -> None:
    head = response_head(200, [("A", "b\r\nSet-Cookie: c")])
    assert head == b"HTTP/1.1 200 OK\r\nA: b Set-Cookie: c\r\n\r\n"

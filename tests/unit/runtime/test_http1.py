"""The response parser: whole, byte by byte, and with what does not belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.http1 import MAX_HEAD_BYTES, MalformedResponse, Response, ResponseParser


@dataclass(frozen=True)
class Case:
    raw: bytes
    status: int
    body: bytes
    keep_alive: bool = True


CASES = {
    "length": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
    "no reason": Case(b"HTTP/1.1 202 \r\ncontent-length:0\r\n\r\n", 202, b""),
    "no reason, no space": Case(b"HTTP/1.1 202\r\ncontent-length: 0\r\n\r\n", 202, b""),
    "no content": Case(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "closing": Case(
        b"HTTP/1.1 410 Gone\r\nConnection: Close\r\nContent-Length: 1\r\n\r\n!",
        410,
        b"!",
        keep_alive=False,
    ),
    "chunked": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        200,
        b"abc0123456789",
    ),
    "chunked with trailers": Case(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
        200,
        b"x",
    ),
    "continue first": Case(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""
    ),
}


def check(case: Case, response: Response | None) -> None:
    assert response is not None
    assert (response.status, response.body) == (case.status, case.body)
    assert response.keep_alive == case.keep_alive


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_response_is_read_whole(case: Case) -> None:
    check(case, ResponseParser().feed(case.raw))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_response_is_read_byte_by_byte(case: Case) -> None:
    parser = ResponseParser()
    early = [parser.feed(bytes([byte])) for byte in case.raw[:-1]]
    assert set(early) == {None}
    check(case, parser.feed(case.raw[-1:]))


@given(st.sampled_from(list(CASES.values())), st.lists(st.integers(0, 200)))
def test_any_cut_gives_the_same_response(case: Case, cuts: list[int]) -> None:
    parser = ResponseParser()
    edges = [0, *sorted(min(cut, len(case.raw)) for cut in cuts), len(case.raw)]
    results = [parser.feed(case.raw[a:b]) for a, b in pairwise(edges)]
    check(case, results[-1])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bytes_behind_a_response_close_the_connection(case: Case) -> None:
    response = ResponseParser().feed(case.raw + b"HTTP/1.1 200 OK\r\n")
    assert response is not None
    assert (response.body, response.keep_alive) == (case.body, False)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_response_that_is_cut_is_none(case: Case) -> None:
    parser = ResponseParser()
    parser.feed(case.raw[:-1])
    assert parser.end() is None


def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    parser = ResponseParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nab") is None
    assert parser.feed(b"c") is None
    response = parser.end()
    assert response is not None
    assert (response.body, response.keep_alive) == (b"abc", False)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES,
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_what_is_no_response_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedResponse):
        ResponseParser().feed(raw)


def test_a_parser_knows_whether_anything_came() -> None:
    parser = ResponseParser()
    assert parser.untouched
    parser.feed(b"H")
    assert not parser.untouched

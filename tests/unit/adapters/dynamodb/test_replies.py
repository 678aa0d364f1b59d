"""The reader of replies: however the bytes are cut, the same reply; and no other one."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.dynamodb.replies import MAX_REPLY_BYTES, GarbledReply, Reply, ReplyReader

PLAIN = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nx-amz-crc32: 17\r\n"
    b'Content-Type: application/x-amz-json-1.0\r\n\r\n{"A":"\xc3\xa9"}'
)
CHUNKED = (
    b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3\r\n{"A\r\n3;x=y\r\n":1\r\n1\r\n}\r\n0\r\nTrailer: t\r\n\r\n'
)
INTERIM = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + PLAIN
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EMPTY = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
CASES = {
    "plain": PLAIN,
    "chunked": CHUNKED,
    "interim": INTERIM,
    "closing": CLOSING,
    "old": OLD,
    "empty": EMPTY,
}


def read(*pieces: bytes) -> Reply | None:
    """Feed the pieces and return what the last one gave."""
    reader = ReplyReader()
    last = None
    for piece in pieces:
        last = reader.feed(piece)
    return last


def test_a_reply_has_status_headers_in_lower_case_and_body() -> None:
    reply = read(PLAIN)
    assert reply is not None
    assert (reply.status, reply.body, reply.keep_alive) == (200, b'{"A":"\xc3\xa9"}', True)
    assert reply.headers["x-amz-crc32"] == "17"


def test_a_chunked_reply_is_put_together() -> None:
    reply = read(CHUNKED)
    assert reply is not None
    assert (reply.status, reply.body) == (400, b'{"A":1}')


def test_an_interim_reply_is_not_the_reply() -> None:
    reply = read(INTERIM)
    assert reply is not None
    assert (reply.status, "x" in reply.headers) == (200, False)


@pytest.mark.parametrize("data", [CLOSING, OLD], ids=["said-so", "http-1.0"])
def test_a_closing_peer_s_connection_is_not_kept(data: bytes) -> None:
    reply = read(data)
    assert reply is not None
    assert not reply.keep_alive


@pytest.mark.parametrize("data", CASES.values(), ids=CASES.keys())
def test_byte_by_byte_the_reply_comes_with_the_last_byte_and_not_before(data: bytes) -> None:
    reader = ReplyReader()
    early = [reader.feed(data[i : i + 1]) for i in range(len(data) - 1)]
    assert early == [None] * (len(data) - 1)
    assert reader.feed(data[-1:]) == read(data)


@given(data=st.sampled_from(list(CASES.values())), cuts=st.lists(st.integers(0, 200)))
def test_any_cut_gives_the_same_reply(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x03\x00\x02\x02\x50",
        b"<html>hello</html>",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nhello",
    ],
    ids=["ssh", "tls-alert", "html", "status", "length", "two-lengths", "chunk", "upgrade"],
)
def test_what_is_no_reply_is_garbled(data: bytes) -> None:
    with pytest.raises(GarbledReply):
        read(data)


def test_two_replies_to_one_request_are_garbled() -> None:
    with pytest.raises(GarbledReply, match="after the end"):
        read(PLAIN + PLAIN)


def test_bytes_behind_the_reply_are_garbled() -> None:
    with pytest.raises(GarbledReply):
        read(PLAIN + b"x")


def test_an_endless_head_is_refused() -> None:
    reader = ReplyReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nX: ")
    with pytest.raises(GarbledReply, match="more than"):
        reader.feed(b"x" * MAX_REPLY_BYTES)


@given(data=st.binary(max_size=400))
def test_random_bytes_never_make_anything_but_a_garbled_reply(data: bytes) -> None:
    with suppress(GarbledReply):
        assert read(data) is None

"""An answer comes out of storage as it went in, part by part."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import StoreError
from forebay.service.recording import MAX_STORED_BYTES, Head, Recorder, replay

HEAD = Head({"x-forebay-target": "p/m"}, stream=True)


def recorded(*parts: bytes) -> bytes:
    recorder = Recorder(HEAD)
    for part in parts:
        recorder.add(part)
    content = recorder.content()
    assert content is not None
    return content


@given(st.lists(st.binary(max_size=50)))
def test_an_answer_is_replayed_part_by_part(parts: list[bytes]) -> None:
    head, replayed = replay(recorded(*parts))

    assert (head, list(replayed)) == (HEAD, parts)


def test_the_same_answer_is_stored_as_the_same_bytes() -> None:
    assert recorded(b"data: 1\n\n") == recorded(b"data: 1\n\n")


def test_a_stream_of_json_shrinks() -> None:
    event = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'

    assert len(recorded(*[event] * 1_000)) < len(event) * 50


def test_an_answer_over_the_limit_is_not_stored() -> None:
    recorder = Recorder(HEAD)
    for _ in range(6):
        recorder.add(os.urandom(1024 * 1024))

    assert recorder.content() is None


def test_an_answer_that_is_over_the_limit_only_at_its_end_is_not_stored() -> None:
    recorder = Recorder(HEAD)
    recorder.add(os.urandom(MAX_STORED_BYTES - 10))

    assert recorder.content() is None


def test_an_answer_at_the_limit_is_stored() -> None:
    part = os.urandom(MAX_STORED_BYTES - 10_000)

    assert list(replay(recorded(part))[1]) == [part]


@pytest.mark.parametrize("kept", [0, 1, 10, 30], ids=lambda kept: f"{kept} bytes")
def test_a_truncated_answer_is_an_error(kept: int) -> None:
    with pytest.raises(StoreError):
        replay(recorded(b"data")[:kept])


@pytest.mark.parametrize("content", [b"\x1f\x8bnonsense", b"nonsense"])
def test_a_damaged_answer_is_an_error(content: bytes) -> None:
    with pytest.raises(StoreError):
        replay(content)


def test_damage_within_the_parts_is_an_error_where_it_is_met() -> None:
    content = bytearray(recorded(os.urandom(1_000), os.urandom(200_000)))
    content[-5] ^= 0xFF  # of the checksum

    _, parts = replay(bytes(content))
    with pytest.raises(StoreError):
        list(parts)

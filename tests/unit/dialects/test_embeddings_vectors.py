"""Vectors: refused if they are none, and written as the caller wants them."""

import base64
import json
import struct

import msgspec
import pytest

from forebay.dialects import DialectError
from forebay.dialects.embeddings import Encoding
from forebay.dialects.embeddings_vectors import encode_vectors

NUMBERS = [0.5, -1.0, 0.0]
AS_NUMBERS = b"[0.5,-1.0,0.0]"
AS_BASE64 = json.dumps(base64.b64encode(struct.pack("<3f", *NUMBERS)).decode()).encode()


def encoded(*vectors: bytes, encoding: Encoding = Encoding.FLOAT) -> tuple[bytes, ...]:
    return encode_vectors([msgspec.Raw(vector) for vector in vectors], encoding)


@pytest.mark.parametrize(
    ("came", "encoding", "written"),
    [
        (AS_NUMBERS, Encoding.FLOAT, AS_NUMBERS),
        (AS_NUMBERS, Encoding.BASE64, AS_BASE64),
        (AS_BASE64, Encoding.FLOAT, AS_NUMBERS),
        (AS_BASE64, Encoding.BASE64, AS_BASE64),
    ],
)
def test_a_vector_is_written_as_the_caller_wants_it(
    came: bytes, encoding: Encoding, written: bytes
) -> None:
    assert encoded(came, encoding=encoding) == (written,)


def test_numbers_stay_as_they_came_to_the_last_digit() -> None:
    assert encoded(b"[0.10, -1e-3,2]") == (b"[0.10, -1e-3,2]",)


NO_VECTORS = {
    "nothing in it": b"[]",
    "nothing in base64": b'""',
    "null": b"null",
    "a number": b"1",
    "an object": b"{}",
    "texts": b'["a"]',
    "null in it": b"[1,null]",
    "a list in it": b"[[1]]",
    "no base64": b'"!!!!"',
    "base64 of half a number": b'"AAAAAAA="',
    "infinity in base64": json.dumps(
        base64.b64encode(struct.pack("<f", float("inf"))).decode()
    ).encode(),
    "no number in base64": json.dumps(
        base64.b64encode(struct.pack("<f", float("nan"))).decode()
    ).encode(),
    "a number beyond any": b"[1e999]",
}


@pytest.mark.parametrize("vector", NO_VECTORS.values(), ids=NO_VECTORS)
def test_what_is_no_vector_is_refused(vector: bytes) -> None:
    with pytest.raises(DialectError, match="a vector that is none"):
        encoded(vector)


def test_a_number_that_32_bits_cannot_hold_is_refused_for_base64() -> None:
    with pytest.raises(DialectError, match="a vector that is none"):
        encoded(b"[1e39]", encoding=Encoding.BASE64)


def test_vectors_of_different_lengths_are_refused() -> None:
    with pytest.raises(DialectError, match="different lengths"):
        encoded(b"[1]", b"[1,2]")

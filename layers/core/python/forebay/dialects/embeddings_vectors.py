"""Vectors as targets write them: checked, and written as the caller wants them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import isfinite

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.embeddings import Encoding

_decode_numbers = msgspec.json.Decoder(list[float]).decode
_decode_packed = msgspec.json.Decoder(bytes).decode  # msgspec reads base64 where bytes are wanted


def encode_vectors(vectors: Sequence[msgspec.Raw], encoding: Encoding) -> tuple[bytes, ...]:
    """Check vectors and write them; those that are in the encoding already stay as they came.

    Args:
        vectors: Each a list of numbers or base64 (see `Encoding`).
        encoding: What the caller asked for.

    Raises:
        DialectError: One is neither, or empty, or has a number that is none, or they differ in
            length.
    """
    encoded: list[bytes] = []
    lengths: set[int] = set()
    for vector in vectors:
        written, length = _encode(bytes(vector), encoding)
        encoded.append(written)
        lengths.add(length)
    if len(lengths) > 1:
        raise DialectError("vectors of different lengths")
    return tuple(encoded)


def _encode(vector: bytes, encoding: Encoding) -> tuple[bytes, int]:
    is_packed = vector.startswith(b'"')
    try:
        numbers = _unpacked(vector) if is_packed else _decode_numbers(vector)
        # Infinity and what is no number make a sum of that kind.
        if not numbers or not isfinite(sum(numbers)):
            raise DialectError("a vector that is none")
        if is_packed == (encoding is Encoding.BASE64):
            return vector, len(numbers)
        packed_or_not = _packed(numbers) if encoding is Encoding.BASE64 else numbers
        return msgspec.json.encode(packed_or_not), len(numbers)
    except (msgspec.DecodeError, struct.error, OverflowError) as error:
        raise DialectError("a vector that is none") from error


def _unpacked(vector: bytes) -> tuple[float, ...]:
    packed = _decode_packed(vector)
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def _packed(numbers: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)

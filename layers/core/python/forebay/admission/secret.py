"""The shape of an API key's secret.

::

    fb-  0Q3mK9sT1x  8Yw…(32 characters)…pZ  4hJ2aB
         key id      secret                  checksum

All characters are base62 (`0-9A-Za-z`): a double click selects the whole, no shell, URL or header
needs quotes. The key id is public and finds the record with one read; 32 characters are 190 bits
that nobody can guess; the checksum is the CRC-32 of everything before it, so a key that was
mistyped or cut off is refused without asking the store.

The checksum guards against accidents, not attackers: anybody can compute it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Base62 in ASCII order."""

PREFIX = "fb-"
"""Lets a person, and a scanner for leaked secrets, know what this is."""

KEY_ID_LENGTH = 10
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
"""62^6 > 2^32: six digits hold any CRC-32."""

TEXT_LENGTH = len(PREFIX) + KEY_ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH

ENTROPY_BYTES = 64
"""What `mint` takes: 512 bits for 250 drawn (62^42), see there."""

_TRACE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{KEY_ID_LENGTH + SECRET_LENGTH // 2},}}")
"""So much of a secret must not be shown or stored, be it mistyped or cut off."""

_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{TEXT_LENGTH - len(PREFIX)}}}")


@dataclass(frozen=True, slots=True)
class KeySecret:
    """A well-formed secret: whether it opens anything is the store's to say."""

    key_id: str
    text: str = field(repr=False)
    """The whole secret, `fb-…`; kept out of `repr`, so that no log shows it."""


def mint(entropy: bytes, *, key_id: str | None = None) -> KeySecret:
    """Make a new secret.

    The bytes are read as one number, reduced modulo 62^42. With 262 bits more than the result
    has, no character is likelier than another by more than 2^-262: as good as drawing again and
    again, without a loop.

    Args:
        entropy: `ENTROPY_BYTES` unpredictable bytes.
        key_id: Whose further secret it is; None: it gets an id of its own.

    Raises:
        ValueError: There are fewer.
    """
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"a secret takes {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    drawn = _base62(int.from_bytes(entropy, "big"), KEY_ID_LENGTH + SECRET_LENGTH)
    id_ = key_id or drawn[:KEY_ID_LENGTH]
    body = PREFIX + id_ + drawn[KEY_ID_LENGTH:]
    return KeySecret(key_id=id_, text=body + _checksum(body))


def parse(text: str) -> KeySecret | None:
    """Read a secret; None if it is malformed or its checksum is wrong.

    Any changed character and any two swapped neighbours are found for certain (CRC-32 finds every
    burst of up to 32 bits), any other damage with probability 1 - 2^-32. Cost: some 5
    microseconds, whatever the length of the text.
    """
    # The length first: a header may be megabytes long.
    if len(text) != TEXT_LENGTH or not _SHAPE.fullmatch(text):
        return None
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if _checksum(body) != checksum:
        return None
    return KeySecret(key_id=text[len(PREFIX) : len(PREFIX) + KEY_ID_LENGTH], text=text)


def digest(text: str) -> str:
    """Hash a secret for storage: hex SHA-256.

    A plain hash is enough: salt and slow hashes protect what people choose, and 190 random bits
    cannot be tried through.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def matches(record_sha256: str, text: str) -> bool:
    """Compare a secret with a stored hash, in a time that does not tell how much agrees."""
    return hmac.compare_digest(record_sha256.encode(), digest(text).encode())


def holds_secret(text: str) -> bool:
    """Whether a secret, or a good part of one, is in a text that is meant to be something else."""
    return _TRACE.search(text) is not None


def masked(secret: KeySecret) -> str:
    """Name a secret in a message: four characters of its id, which is public anyway."""
    return f"{PREFIX}{secret.key_id[:4]}…"


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    """Write the lowest `length` digits of a number, the most significant first."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))

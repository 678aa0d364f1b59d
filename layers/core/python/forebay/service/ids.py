"""Request ids: ULIDs, 26 characters that sort by time. Source: https://github.com/ulid/spec."""

from __future__ import annotations

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid(now: float, randomness: bytes) -> str:
    """Make an id of a moment and ten random bytes.

    Args:
        now: Epoch seconds; kept to the millisecond.
        randomness: 10 bytes.
    """
    number = (int(now * 1000) << 80) | int.from_bytes(randomness[:10], "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))

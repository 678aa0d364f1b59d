"""`Idempotency-Key`: whether a request runs, waits, is refused, or gets the answer that there is.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ (400 for a
malformed key, 409 while the first request runs, 422 for another body). A key is its sender's own:
it means nothing to another API key, nor at another path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from forebay.errors import IdempotencyKeyInUse, IdempotencyKeyReused, InvalidRequest

HEADER: Final = "idempotency-key"

STORED_S: Final = 24 * 60 * 60.0
"""How long a stored answer is given again, from its end."""

LONGEST_RUN_S: Final = 900.0
"""What a run may take if nobody says: no Lambda invocation lasts longer."""

LEASE_MARGIN_S: Final = 5.0
"""After the end of an invocation, for clocks that differ; then it can store nothing any more."""

MAX_RETRY_AFTER_S: Final = 30.0
"""SDKs wait as they are told; OpenAI's gives up where that is over 120 s (older releases: 60)."""

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a request: it runs, or its answer is stored. Expired, it counts for nothing."""

    record_id: str
    digest: str
    """Hex SHA-256 of what was asked."""
    run_id: str
    """Of the request that runs: tells its record from that of one who took over."""
    began_at: float
    """Epoch seconds."""
    expires_at: float
    """Epoch seconds. While it runs: when it surely runs no more, whatever became of it. Then:
    until when its answer is given again."""
    parts: int = 0
    """In how many parts its answer is stored; 0 while it runs."""

    @property
    def completed(self) -> bool:
        """Whether its answer is stored."""
        return self.parts > 0


def check_key(key: str) -> None:
    """Refuse a malformed key.

    Raises:
        InvalidRequest: It is not 1-255 characters of printable ASCII.
    """
    if not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key: expected 1-255 characters of printable ASCII.")


def record_id(*, tenant: str, key_id: str, path: str, key: str) -> str:
    """Name the record of a key: one a sender and path. Neither path nor key can be read from it."""
    scope = sha256(f"{path}\n{key}".encode()).hexdigest()
    return f"idem#{tenant}#{key_id}#{scope}"


def lease_until(*, now: float, ends_at: float | None) -> float:
    """Say when a run that begins now has surely ended, in epoch seconds.

    Args:
        now: Epoch seconds.
        ends_at: When its invocation ends, epoch seconds; None: it may take `LONGEST_RUN_S`.
    """
    return (now + LONGEST_RUN_S if ends_at is None else ends_at) + LEASE_MARGIN_S


def check_repeat(earlier: RunRecord, *, digest: str, now: float) -> None:
    """Refuse a repeated request that may not have the earlier one's answer, or not yet.

    Raises:
        IdempotencyKeyReused: It asks something else.
        IdempotencyKeyInUse: The earlier one still runs.
    """
    if earlier.digest != digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another body before. Use a new key for a new request."
        )
    if not earlier.completed:
        raise IdempotencyKeyInUse(
            "The first request with this Idempotency-Key still runs. Ask again to get its answer.",
            retry_after_s=retry_after_s(earlier, now=now),
        )


def retry_after_s(running: RunRecord, *, now: float) -> float:
    """Say when it is worth asking again: after as long as it has run already.

    Nobody knows when an answer will be whole. Doubling finds it within twice its time, in few
    requests; at the end of the lease it is free in any case. 1 to `MAX_RETRY_AFTER_S`.
    """
    has_run_s = now - running.began_at
    free_in_s = running.expires_at - now
    return max(1.0, min(has_run_s, free_in_s, MAX_RETRY_AFTER_S))

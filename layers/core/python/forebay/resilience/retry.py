"""Which failures another attempt may mend, and how long to wait before it.

Waits have full jitter: uniform between nothing and a bound that doubles. Source: M. Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Statuses and `x-should-retry` are
those of the official OpenAI and Anthropic SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from forebay.errors import UpstreamError, UpstreamRefused

MAX_ATTEMPTS = 4
"""Upstream calls a request may cause (invariant 6)."""

FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 4.0
MAX_RETRY_AFTER_S = 10.0
"""A provider that wants more patience than this is passed over: the caller would be gone."""

_TRANSIENT = frozenset({408, 425, 429})
"""Beside every status from 500 on."""

_ELSEWHERE = frozenset({401, 402, 403})
"""The gateway's own credentials or account there: the same target will not change its mind."""


def another_target_may_help(error: UpstreamError) -> bool:
    """Whether a different target may answer what this one did not.

    An `x-should-retry: false` speaks of the provider that says it, e.g. of a quota that is spent.
    """
    if not isinstance(error, UpstreamRefused):
        return True
    return error.status in _ELSEWHERE or _is_transient(error.status) or _is_told(error) == "true"


def same_target_may_help(error: UpstreamError) -> bool:
    """Whether the same target may answer next time."""
    if not isinstance(error, UpstreamRefused):
        return True
    told = _is_told(error)
    return told == "true" if told in {"true", "false"} else _is_transient(error.status)


def _is_told(error: UpstreamRefused) -> str:
    return error.headers.get("x-should-retry", "").lower()


def _is_transient(status: int) -> bool:
    return status in _TRANSIENT or status >= 500 or 200 <= status < 300


def backoff_s(retries: int, roll: float) -> float:
    """Wait before a further attempt at the same target, in seconds.

    Args:
        retries: Further attempts so far, from 0.
        roll: Uniform in [0, 1).
    """
    return roll * min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0**retries)


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read how long a provider asks to wait; None if it does not say so, or nonsense.

    `retry-after-ms` goes before `retry-after`, which is seconds or a date (RFC 9110, 10.2.3).

    Args:
        headers: Names in lower case.
        now: Epoch seconds.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        wait = _number(headers.get(name, ""))
        if wait is not None:
            return wait * unit_s
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, date.timestamp() - now)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None

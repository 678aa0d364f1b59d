"""How long a request may take, and each wait within it.

The deadline of a request is the earliest of

- its model's `total_s`, from its arrival;
- what the caller says in `x-forebay-timeout`, from its arrival;
- for an answer in one piece, the patience of the caller's SDK: it hangs up then;
- a margin before the end of the invocation, so that there is time to say so.

Each attempt has the timeouts of its model and provider, shortened by the SDK's patience, and
clipped so that none reaches beyond the deadline. They bound single waits; a stream that trickles
passes them all, so the deadline itself must be kept too.

What SDKs say, seen in their code (openai-python and anthropic-sdk-python `_base_client.py`, the
TypeScript SDKs' `client.ts`):

- `x-stainless-read-timeout` (Python): seconds of silence after which the client hangs up, before
  the first byte or between two.
- `x-stainless-timeout` (TypeScript; Anthropic's Python if set for the call): seconds until the head
  of the reply. TypeScript cuts fractions off, so "0" is less than a second and says nothing;
  Anthropic's Python sends "NOT_GIVEN" for its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from forebay.errors import InvalidRequest
from forebay.model import Timeouts
from forebay.settings import ModelTimeouts, TimeoutSettings

TIMEOUT_HEADER: Final = "x-forebay-timeout"
SDK_TIMEOUT_HEADER: Final = "x-stainless-timeout"
SDK_READ_TIMEOUT_HEADER: Final = "x-stainless-read-timeout"

INVOCATION_MARGIN_S = 6.0
"""Before the end of an invocation: the error event, one call to a store that does not answer (5 s),
and the half second at which the runtime ends the app."""
MAX_MARGIN_SHARE = 0.25
"""Of a short invocation that margin would leave nothing."""

_WISH = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s)?")


def resolved(provider: TimeoutSettings, model: ModelTimeouts) -> Timeouts:
    """Return a provider's timeouts, but for those that a model states."""
    return Timeouts(
        provider.connect_s if model.connect_s is None else model.connect_s,
        provider.first_byte_s if model.first_byte_s is None else model.first_byte_s,
        provider.whole_answer_s if model.whole_answer_s is None else model.whole_answer_s,
        provider.idle_s if model.idle_s is None else model.idle_s,
    )


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits, in seconds; infinite where it does not say."""

    total_s: float = inf
    """For the last byte."""
    head_s: float = inf
    """For the head of the reply."""
    silence_s: float = inf
    """For the next byte, the first one too."""


def read_patience(headers: Mapping[str, str]) -> Patience:
    """Read what a request's header says.

    Args:
        headers: Names in lower case.

    Raises:
        InvalidRequest: `x-forebay-timeout` is no time above 0. (The SDKs' fields are none of the
            caller's doing: what cannot be read there is passed over.)
    """
    return Patience(
        _wished_s(headers.get(TIMEOUT_HEADER)),
        _sdk_s(headers.get(SDK_TIMEOUT_HEADER)),
        _sdk_s(headers.get(SDK_READ_TIMEOUT_HEADER)),
    )


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a request may run, and how long its caller waits at each point."""

    at: float
    """On the monotonic clock."""
    longest: Timeouts
    """What the caller's SDK has patience for; infinite where it does not say."""

    def remaining(self, now: float) -> float:
        """Seconds left; 0 when the deadline has passed.

        Args:
            now: On the monotonic clock.
        """
        return max(0.0, self.at - now)

    def clipped(self, timeouts: Timeouts, now: float) -> Timeouts:
        """Return the timeouts of an attempt that begins now.

        Args:
            timeouts: What its model and provider have.
            now: On the monotonic clock.

        Returns:
            None of them longer than `remaining`, so 0 each when the deadline has passed.
        """
        left_s = self.remaining(now)
        return timeouts.within(self.longest).within(Timeouts(left_s, left_s, left_s, left_s))


def deadline(
    started: float,
    patience: Patience,
    *,
    stream: bool,
    total_s: float,
    invocation_s: float | None = None,
) -> Deadline:
    """Set the deadline of a request.

    Args:
        started: When it arrived, on the monotonic clock.
        patience: Its caller's.
        stream: Whether the answer is to be a stream.
        total_s: What its model allows.
        invocation_s: What was left of the invocation when it arrived; None outside of Lambda.
    """
    head_s = min(patience.head_s, patience.silence_s)
    allowed_s = min(total_s, patience.total_s)
    if not stream:  # nothing is sent before the answer is whole
        allowed_s = min(allowed_s, head_s)
    if invocation_s is not None:
        margin_s = min(INVOCATION_MARGIN_S, MAX_MARGIN_SHARE * invocation_s)
        allowed_s = min(allowed_s, invocation_s - margin_s)
    longest = Timeouts(inf, head_s, head_s, patience.silence_s)
    return Deadline(started + allowed_s, longest)


def _wished_s(text: str | None) -> float:
    if text is None:
        return inf
    match = _WISH.fullmatch(text.strip())
    seconds = float(match[1]) * (0.001 if match[2] == "ms" else 1.0) if match else 0.0
    if seconds <= 0:
        raise InvalidRequest(
            f"The header '{TIMEOUT_HEADER}' must be a time above 0, such as 30, 2.5 or 1500ms.",
            param=TIMEOUT_HEADER,
        )
    return seconds


def _sdk_s(text: str | None) -> float:
    try:
        seconds = float(text or "")
    except ValueError:
        return inf
    return seconds if seconds > 0 else inf  # false for what is not a number, too

"""What is asked of admission, and what a request that was admitted may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from forebay.admission.gcra import Rate
from forebay.admission.hold import Hold
from forebay.admission.leaf import Leaf
from forebay.admission.terms import Ask, Terms
from forebay.model import KeyRecord

LONGEST_CALL_S: Final = 900.0
"""No invocation of Lambda, and no answer of API Gateway, takes longer."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """A request that wants to be admitted."""

    key: KeyRecord
    request_id: str
    """From `forebay.admission.hold.held_id`."""
    hold_nano_usd: int
    """The most that its first attempt can cost; 0: nothing."""
    tokens: int
    """The most that it can use, input and output."""
    ends_at: float | None = None
    """Epoch seconds by which the invocation has ended; None: in 15 minutes."""

    def ask(self, now: float) -> Ask:
        """Return what it needs of a leaf."""
        ends_at = now + LONGEST_CALL_S if self.ends_at is None else self.ends_at
        return Ask(self.request_id, self.hold_nano_usd, self.tokens, ends_at)


@dataclass(frozen=True, slots=True)
class RateLeft:
    """One rate, as the `x-ratelimit-*` headers tell it."""

    limit: int
    """A minute."""
    remaining: int
    """At once."""
    reset_s: float
    """Until all of it is there again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a grant holds of a leaf."""

    terms: Terms
    short_id: str
    hold: Hold
    tokens: int
    """Charged."""
    tat_tokens_us: int
    """The arrival time that the charge led to."""
    leaf: Leaf
    """As the admission left it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A request may run. Each ends in one `Admission.settle`."""

    request_id: str
    taken: Taken | None = None
    """None: its key has no limits, or was served without the store; there is nothing to settle."""
    unchecked: bool = False
    """Its key has limits, the store was out of reach, and its policy says to serve all the same."""

    @property
    def held_nano_usd(self) -> int:
        """What it may cost."""
        return 0 if self.taken is None else self.taken.hold.nano_usd

    @property
    def requests(self) -> RateLeft | None:
        """The rate of requests, right after its admission; None: no such limit."""
        if self.taken is None:
            return None
        return _left(self.taken, self.taken.terms.requests, self.taken.leaf.tat_requests_us)

    @property
    def tokens(self) -> RateLeft | None:
        """The rate of tokens, right after its admission; None: no such limit."""
        if self.taken is None:
            return None
        return _left(self.taken, self.taken.terms.tokens, self.taken.leaf.tat_tokens_us)


def _left(taken: Taken, rate: Rate | None, tat_us: int) -> RateLeft | None:
    if rate is None:
        return None
    now_us = taken.terms.now_us
    return RateLeft(
        rate.per_minute, rate.left(tat_us, now_us), round(rate.full_in_s(tat_us, now_us), 3)
    )

"""What the packages above speak in: keys, usage, ledger rows, upstream requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from forebay.money import NanoUsd


class KeyStatus(StrEnum):
    """Whether a key opens the door."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One API key as it is stored: never its secret, only the secret's hash."""

    key_id: str
    """10 base62 characters; part of the secret, so that a call needs one read."""
    name: str
    secret_sha256: str
    """Hex SHA-256 of the whole secret (190 random bits: nothing to salt against)."""
    tenant: str
    team: str | None
    models: tuple[str, ...]
    """Models that the key may call; empty: all."""
    status: KeyStatus
    version: int
    """Counts the changes of the policy, from 1."""
    created_at: float
    """Epoch seconds."""
    revoked_at: float | None = None


class UsageSource(StrEnum):
    """Where token counts come from."""

    REPORTED = "reported"
    """The provider said so."""
    ESTIMATED = "estimated"
    """Counted by us from what was sent and received."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    """Counted within `input_tokens`."""
    reasoning_tokens: int = 0
    """Counted within `output_tokens`."""
    source: UsageSource = UsageSource.REPORTED


class Outcome(StrEnum):
    """How a request ended."""

    COMPLETE = "complete"
    """The answer was whole."""
    FAILED = "failed"
    """No answer: the provider refused, was out of reach, or answered garbage."""
    CUT = "cut"
    """The provider's stream ended in mid-answer."""
    CANCELLED = "cancelled"
    """The way to the caller broke, or time ran out, before the answer was whole."""


class AttemptResult(StrEnum):
    """How one attempt at one target ended."""

    COMPLETE = "complete"
    """Its answer was whole, or it was the last part of one."""
    FAILED = "failed"
    """The target is at fault: no connection, no reply in time, status 5xx, or no answer in it."""
    CUT = "cut"
    """Its stream broke off or fell silent once it had begun."""
    LIMITED = "limited"
    """Status 429: the target has no room for us now."""
    REFUSED = "refused"
    """Another 4xx: it works, and does not want this request."""
    ABANDONED = "abandoned"
    """Nobody waited for its end: the caller left, time ran out, or a hedge was faster."""

    @property
    def is_fault(self) -> bool:
        """Whether it counts against the target's health."""
        return self in {AttemptResult.FAILED, AttemptResult.CUT}


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt of a request, as the ledger keeps it."""

    target: str
    """`provider/model`."""
    result: AttemptResult
    error_code: str | None = None
    first_token_ms: int | None = None
    """From the attempt's own start; None if no word came."""
    began_ms: int = 0
    """From the request's arrival to the attempt's start."""
    ended_ms: int | None = None
    """From the request's arrival to its end; None: when the request ended."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One request's entry in the ledger, written once when it has ended."""

    request_id: str
    """ULID: sorts by time."""
    created_at: float
    """Epoch seconds when the request was admitted; its UTC day is the row's day."""
    key_id: str
    key_name: str
    tenant: str
    team: str | None
    request_model: str
    """The model that the caller named."""
    provider: str
    """Configured name of the provider that was asked."""
    response_model: str
    """The target's model."""
    stream: bool
    outcome: Outcome
    status: int
    """HTTP status of the provider's reply; 0 where there was none."""
    error_code: str | None
    usage: Usage
    cost_nano_usd: NanoUsd
    time_to_first_token_ms: int | None
    """From the request's arrival to the first byte of output; None if there was none."""
    duration_ms: int
    attempts: tuple[AttemptRecord, ...] = ()
    """In the order in which they began."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest single waits of an attempt, in seconds."""

    connect_s: float
    first_byte_s: float
    whole_answer_s: float
    idle_s: float

    def within(self, longest: Timeouts) -> Timeouts:
        """Shorten each to at most that of `longest`."""
        return Timeouts(
            min(self.connect_s, longest.connect_s),
            min(self.first_byte_s, longest.first_byte_s),
            min(self.whole_answer_s, longest.whole_answer_s),
            min(self.idle_s, longest.idle_s),
        )


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as it goes to a provider: the adapter adds address and credentials."""

    path: str
    """Below the provider's base URL, e.g. `/chat/completions`."""
    headers: Mapping[str, str]
    body: bytes
    stream: bool
    timeouts: Timeouts | None = None
    """None: the provider's own."""
    until: float = inf
    """Monotonic: no wait for the reply reaches beyond."""

"""What the packages above speak in: keys, usage, ledger rows, upstream requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Literal

from forebay.money import NanoUsd


class KeyStatus(StrEnum):
    """Whether a key opens the door."""

    ACTIVE = "active"
    REVOKED = "revoked"


Period = Literal["day", "month", "total"]
"""When a budget begins anew: at midnight, on the first of the month, never."""

Priority = Literal["interactive", "standard", "batch"]
"""Who is served first when there is not room for all."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount that may be spent in each period."""

    amount_nano_usd: NanoUsd
    period: Period = "month"
    zone: str = "UTC"
    """IANA name of the time zone whose calendar the period follows."""
    soft_share: float | None = None
    """Part of the amount, above 0 and at most 1, from which on it warns; None: never."""


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What a key, or all keys of a team or tenant together, may do; by default anything."""

    budgets: tuple[Budget, ...] = ()
    """At most one of each period; all hold at once."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    """Calls in flight at most."""
    models: tuple[str, ...] = ()
    """Models that may be called; empty: all."""
    cidrs: tuple[str, ...] = ()
    """Networks that may call, `203.0.113.0/24`; empty: any."""
    expires_at: float | None = None
    """Epoch seconds from which on the key is refused; None: never."""
    priority: Priority = "standard"
    """Of requests that name none."""
    default_output_limit: int | None = None
    """Tokens of an answer whose request sets no limit; None: the model's default."""
    unbounded_hold_nano_usd: NanoUsd | None = None
    """What is held for a request whose cost has no bound; None: such requests are refused where
    there is a budget."""
    hold: Literal["calibrated", "proven"] = "calibrated"
    """How input is bounded before it is paid for: as measured on real text, or by its bytes."""
    on_store_failure: Literal["refuse", "serve"] = "refuse"
    """What happens to a request that cannot be admitted because the store is out of reach."""


UNLIMITED = KeyPolicy()
"""No limits."""


@dataclass(frozen=True, slots=True)
class FormerSecret:
    """The secret that a key had before it was rotated, while it still opens."""

    sha256: str
    """Hex, like `KeyRecord.secret_sha256`."""
    opens_until: float
    """Epoch seconds from which on it is refused."""


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
    policy: KeyPolicy = UNLIMITED
    former: FormerSecret | None = None


@dataclass(frozen=True, slots=True)
class ScopePolicy:
    """What all keys of a team, of a tenant, or of the whole account may do together."""

    tenant: str | None
    """None: the account, that is all tenants."""
    team: str | None
    """None: the whole tenant."""
    policy: KeyPolicy
    """Of it count the budgets and the limits of rate and of calls in flight."""
    version: int
    """Counts the changes, from 1; never goes back, also when the limits are taken away."""
    changed_at: float
    """Epoch seconds."""

    @property
    def scope(self) -> str:
        """Its name wherever limits are kept: `account`, `tenant#acme`, `team#acme#search`."""
        return scope_name(self.tenant, self.team)


def scope_name(tenant: str | None, team: str | None) -> str:
    """Name a scope. No two have one name, since neither tenants nor teams have a `#` in theirs."""
    if tenant is None:
        return "account"
    return f"tenant#{tenant}" if team is None else f"team#{tenant}#{team}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What an operator did, as the audit trail keeps it: never a secret, nor a secret's hash."""

    entry_id: str
    """ULID: sorts by time."""
    at: float
    """Epoch seconds."""
    actor: str | None
    """ARN of the IAM identity that signed the call; None on the local stack."""
    action: str
    """`keys.create`, …"""
    subject: str
    """Id of the key, or name of the scope, that it was done to."""
    before: str | None
    """What it was, as the admin API shows it (JSON); None: it was not there."""
    after: str | None
    """What it is now, likewise."""


class UsageSource(StrEnum):
    """Where token counts come from."""

    REPORTED = "reported"
    """The provider said so."""
    ESTIMATED = "estimated"
    """Counted by us from what was sent and received."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, and what else is billed for it."""

    input_tokens: int
    """All of them, however the provider writes it: what its cache gave and took is within."""
    output_tokens: int
    cached_input_tokens: int = 0
    """Read from the provider's prompt cache; counted within `input_tokens`."""
    reasoning_tokens: int = 0
    """Counted within `output_tokens`."""
    source: UsageSource = UsageSource.REPORTED
    cache_write_input_tokens: int = 0
    """Written to the provider's prompt cache for its usual time; counted within `input_tokens`."""
    cache_write_1h_input_tokens: int = 0
    """Written to it for an hour; counted within `input_tokens`, not within the field above."""
    web_searches: int = 0
    """Searches that the provider's own tool made, which it bills by the call."""
    service_tier: str | None = None
    """That the answer was billed at, in the provider's word; None: it named none."""


def total(usages: Sequence[Usage]) -> Usage:
    """Add up what several calls took; the sum is reported if all of them were.

    Of the tiers it names the last one: each call is billed at its own.
    """
    is_reported = all(usage.source is UsageSource.REPORTED for usage in usages)
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        source=UsageSource.REPORTED if is_reported else UsageSource.ESTIMATED,
        cache_write_input_tokens=sum(usage.cache_write_input_tokens for usage in usages),
        cache_write_1h_input_tokens=sum(usage.cache_write_1h_input_tokens for usage in usages),
        web_searches=sum(usage.web_searches for usage in usages),
        service_tier=usages[-1].service_tier if usages else None,
    )


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
    LOST = "lost"
    """The process died, and what it may have spent is charged as its worst case."""


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
    tags: tuple[str, ...] = ()
    """What the caller's side wants the cost told apart by."""


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


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in a request, as far as its price depends on it."""

    width: int | None = None
    """Pixels; None: it is elsewhere, or its header cannot be read."""
    height: int | None = None
    detail: str | None = None
    """OpenAI's `low`, `high`, `original`, `auto`; None: not said."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request can cost: all of it that is paid for, in no dialect's words."""

    texts: tuple[str, ...] = ()
    """System prompts and messages."""
    schemas: tuple[str, ...] = ()
    """JSON that a target writes into its prompt in a form of its own: tools, output formats."""
    framed: int = 0
    """Messages and system prompts: a few tokens stand around each."""
    tools: int = 0
    own_tools: int = 0
    """Tools that the provider defines and the caller runs: their descriptions are not in
    `schemas`. Counted within `tools`."""
    token_ids: int = 0
    """Tokens that came as numbers in place of text."""
    pictures: tuple[Picture, ...] = ()
    answers: int = 1
    """How many are asked for; 0: none in words (embeddings)."""
    output_limit: int | None = None
    """Tokens of an answer, as asked; None: no limit is set, or none that makes sense."""
    usual_output_limit: int | None = None
    """What the API itself sets where the request does not; None: nothing."""
    reasons: bool = False
    """Whether the model is asked to think before it answers."""
    unbounded: tuple[str, ...] = ()
    """The caller's names of fields whose cost has no bound."""

"""What becomes known of a request while it runs, and the ledger row it ends in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.errors import ForebayError, UpstreamCut, UpstreamError, UpstreamRefused
from forebay.model import (
    AttemptRecord,
    AttemptResult,
    KeyRecord,
    LedgerRow,
    Outcome,
    Usage,
    UsageSource,
    total,
)
from forebay.money import NanoUsd
from forebay.resilience.deadline import Deadline, deadline, read_patience
from forebay.service.catalog import Target

NOTHING = Usage(input_tokens=0, output_tokens=0, source=UsageSource.ESTIMATED)
"""What a request took that no target worked on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: who, when, and under which id."""

    request_id: str
    key: KeyRecord
    arrived_at: float
    """Epoch seconds."""
    started: float
    """The same moment on the monotonic clock."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the request, names in lower case."""
    flight: str | None = None
    """Names what is asked, for those who share an answer; None: it cannot be shared."""
    ends_at: float | None = None
    """Epoch seconds at which the invocation ends, whatever it is doing; None: never."""

    def deadline(self, *, stream: bool, total_s: float) -> Deadline:
        """Set its deadline; see `forebay.resilience.deadline`.

        Raises:
            InvalidRequest: See `read_patience`.
        """
        left_s = None if self.ends_at is None else max(0.0, self.ends_at - self.arrived_at)
        patience = read_patience(self.headers)
        return deadline(self.started, patience, stream=stream, total_s=total_s, invocation_s=left_s)


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt at one target. Kept by whoever makes it."""

    target: Target
    started: float
    """Monotonic."""
    text: list[str] = field(default_factory=list)
    """The answer so far, for counting tokens where the provider did not."""
    usage: Usage | None = None
    """As the provider reported it so far."""
    status: int = 0
    """HTTP status of the provider's reply; 0 while there is none."""
    first_token_at: float | None = None
    shown: bool = False
    """Whether anything of it has reached the caller."""
    result: AttemptResult | None = None
    """None while it runs."""
    error_code: str | None = None
    arrived: float = 0.0
    """Monotonic: when the request came."""
    left_at: float | None = None
    """Monotonic: when nobody waited for it any more."""
    is_stream: bool = True
    retry_after_s: float | None = None
    """For so long the target asked to be spared."""
    most_output_tokens: int | None = None
    """What was held for: an estimate goes no further. None: nothing was."""
    took: Usage | None = None
    """What it is charged for, once that is known."""

    def ended(self, result: AttemptResult, error_code: str | None = None) -> None:
        """Note how it ended; the first end counts."""
        if self.result is None:
            self.result, self.error_code = result, error_code

    def completed(self, usage: Usage | None) -> None:
        """Note that its answer is whole; `usage` as reported."""
        self.usage = self.took = usage
        if usage is not None and self.text and not usage.output_tokens:
            self.took = None  # words that took nothing: they are counted
        self.ended(AttemptResult.COMPLETE)

    def failed(self, error: UpstreamError) -> None:
        """Note that it ended in an error."""
        self.ended(_result(error, shown=self.shown), error.code)

    @property
    def cost_nano_usd(self) -> NanoUsd:
        """What it costs, as far as that is known."""
        return NanoUsd(0) if self.took is None else self.target.cost(self.took)

    def record(self) -> AttemptRecord:
        """Return what the ledger keeps of it."""
        first = self.first_token_at
        return AttemptRecord(
            target=self.target.name,
            result=self.result or AttemptResult.ABANDONED,
            error_code=self.error_code,
            first_token_ms=None if first is None else _ms(first - self.started),
            began_ms=_ms(self.started - self.arrived),
            ended_ms=None if self.left_at is None else _ms(self.left_at - self.arrived),
        )


_OURS = frozenset({401, 402, 403})
"""The gateway's own credentials or account at the target: every call there fails."""


def _result(error: UpstreamError, *, shown: bool) -> AttemptResult:
    if isinstance(error, UpstreamRefused) and error.status == 429:
        return AttemptResult.LIMITED
    if (
        isinstance(error, UpstreamRefused)
        and 400 <= error.status < 500
        and error.status not in _OURS | {408}
    ):
        return AttemptResult.REFUSED
    if shown or isinstance(error, UpstreamCut):
        return AttemptResult.CUT
    return AttemptResult.FAILED


@dataclass(slots=True)
class Account:
    """Kept by the pipeline, settled once at its end, whichever end that is."""

    call: Call
    target: Target
    """The first choice; the row names it if no target is ever asked."""
    request_model: str
    stream: bool
    attempts: list[Attempt] = field(default_factory=list)
    """In the order in which they began."""
    speaker: Attempt | None = None
    """The attempt whose answer the caller is getting, or that was asked last."""
    outcome: Outcome = Outcome.FAILED
    error_code: str | None = ForebayError.code
    """A fault of ours, until something better is known: what is not noted did not happen."""
    began: bool = False
    """Whether anything of an answer has reached the caller."""
    first_token_at: float | None = None
    most_output_tokens: int | None = None
    """Of one attempt, as far as money is held for it; None: there is no limit."""
    shared_headers: Mapping[str, str] | None = None
    """Of the answer of another process, if that is given."""

    def begins(self, target: Target, text: list[str], *, now: float) -> Attempt:
        """Note that a target is asked, and where its answer's text will be."""
        attempt = Attempt(
            target,
            now,
            text,
            arrived=self.call.started,
            is_stream=self.stream,
            most_output_tokens=self.most_output_tokens,
        )
        self.attempts.append(attempt)
        self.speaker = attempt
        return attempt

    def completed(self) -> None:
        """Note that the answer is whole and was taken."""
        self.outcome, self.error_code = Outcome.COMPLETE, None

    def left(self) -> None:
        """Note that nobody reads on: what is not complete now never will be."""
        if self.outcome is not Outcome.COMPLETE:
            self.cancelled()

    def cancelled(self) -> None:
        """Note that the way to the caller broke, or time ran out."""
        self.outcome, self.error_code = Outcome.CANCELLED, None

    def failed(self, error: ForebayError) -> None:
        """Note an error, before the answer began or in the middle of it."""
        self.outcome = Outcome.CUT if self.began else Outcome.FAILED
        self.error_code = error.code

    @property
    def answering(self) -> Target:
        """The target that answers, or was asked last."""
        return self.speaker.target if self.speaker else self.target

    @property
    def cost_nano_usd(self) -> NanoUsd:
        """What all attempts cost together, as far as that is known."""
        return NanoUsd(sum(attempt.cost_nano_usd for attempt in self.attempts))

    def row(self, *, ended: float) -> LedgerRow:
        """Write the ledger row; `ended` is on the monotonic clock."""
        call, first = self.call, self.first_token_at
        return LedgerRow(
            request_id=call.request_id,
            created_at=call.arrived_at,
            key_id=call.key.key_id,
            key_name=call.key.name,
            tenant=call.key.tenant,
            team=call.key.team,
            request_model=self.request_model,
            provider=self.answering.provider_name,
            response_model=self.answering.model,
            stream=self.stream,
            outcome=self.outcome,
            status=self.speaker.status if self.speaker else 0,
            error_code=self.error_code,
            usage=_sum([attempt.took for attempt in self.attempts if attempt.took is not None]),
            cost_nano_usd=self.cost_nano_usd,
            time_to_first_token_ms=None if first is None else _ms(first - call.started),
            duration_ms=_ms(ended - call.started),
            attempts=tuple(attempt.record() for attempt in self.attempts),
        )


def _sum(usages: list[Usage]) -> Usage:
    """Add usages up; a sum is reported if all that took anything were."""
    taken = [usage for usage in usages if usage.input_tokens or usage.output_tokens] or usages
    return total(taken) if taken else NOTHING


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

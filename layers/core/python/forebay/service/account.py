"""What becomes known of a request while it runs, and the ledger row it ends in."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.errors import ForebayError
from forebay.model import KeyRecord, LedgerRow, Outcome, Usage
from forebay.service.catalog import Target


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call: who, when, and under which id."""

    request_id: str
    key: KeyRecord
    arrived_at: float
    """Epoch seconds."""
    started: float
    """The same moment on the monotonic clock."""


@dataclass(slots=True)
class Account:
    """Kept by the pipeline, settled once at its end, whichever end that is."""

    call: Call
    target: Target
    """The one that is asked now; at the end, the one that answered or failed last."""
    request_model: str
    stream: bool
    attempts: int = 0
    outcome: Outcome = Outcome.FAILED
    error_code: str | None = ForebayError.code
    """A fault of ours, until something better is known: what is not noted did not happen."""
    status: int = 0
    """HTTP status of the provider's reply; 0 while there is none."""
    began: bool = False
    """Whether anything of an answer has reached the caller."""
    first_token_at: float | None = None
    usage: Usage | None = None
    text: list[str] = field(default_factory=list)
    """The answer so far, for counting tokens where the provider did not."""

    def tries(self, target: Target, text: list[str]) -> None:
        """Note that a target is asked, and where its answer's text will be."""
        self.target, self.text = target, text
        self.attempts += 1
        self.status, self.usage, self.first_token_at = 0, None, None

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

    def row(self, usage: Usage, *, ended: float) -> LedgerRow:
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
            provider=self.target.provider_name,
            response_model=self.target.model,
            stream=self.stream,
            outcome=self.outcome,
            status=self.status,
            error_code=self.error_code,
            usage=usage,
            cost_nano_usd=self.target.cost(usage),
            time_to_first_token_ms=None if first is None else _ms(first - call.started),
            duration_ms=_ms(ended - call.started),
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

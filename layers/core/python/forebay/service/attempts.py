"""Which targets a request is tried at, in which order, and when it is given up.

The model's own targets come first, each by its weight, then those of its fallbacks in their order.
Each target is tried once; when all have failed, the first may be tried again while its credit
lasts. At most `MAX_ATTEMPTS` in all (invariant 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from forebay.dialects.exchange import Exchange
from forebay.dialects.question import AnswerIdentity, Question
from forebay.errors import InvalidRequest, UpstreamError, UpstreamRefused
from forebay.resilience.credit import RetryCredit
from forebay.resilience.retry import (
    MAX_ATTEMPTS,
    MAX_RETRY_AFTER_S,
    another_target_may_help,
    backoff_s,
    retry_after_s,
    same_target_may_help,
)
from forebay.service.account import Call
from forebay.service.catalog import Target
from forebay.service.exchanges import exchange_for


@dataclass(slots=True)
class Credits:
    """The retry credit of each target, in this process."""

    _of: dict[str, RetryCredit] = field(default_factory=dict)

    def succeeded(self, target: Target) -> None:
        """Note a success."""
        self._of[target.name] = self._of.get(target.name, RetryCredit()).succeeded()

    def spend(self, target: Target) -> bool:
        """Take one credit if there is one."""
        left = self._of.get(target.name, RetryCredit()).spent()
        if left is not None:
            self._of[target.name] = left
        return left is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one target."""

    number: int
    """From 1."""
    target: Target
    exchange: Exchange
    pause_s: float = 0.0
    """To wait before it."""


class Attempts:
    """The attempts of one request.

    Args:
        asked: What is asked.
        call: By whom and when.
        targets: In order of preference, each once, at least one.
        credits: Shared by all requests of the process.
        roll: Uniform in [0, 1) at each call.
    """

    def __init__(
        self,
        asked: Question,
        call: Call,
        targets: list[Target],
        credits: Credits,  # noqa: A002 - the field's word
        roll: Callable[[], float],
    ) -> None:
        self._asked = asked
        self._call = call
        self._untried = iter(targets)
        self._credits = credits
        self._roll = roll
        self._failed: list[tuple[Target, UpstreamError]] = []
        self._retries = 0

    def first(self) -> Attempt:
        """The first attempt, at the first target that can do what is asked.

        Raises:
            InvalidRequest: None can; it is the first one's complaint.
        """
        complaints: list[InvalidRequest] = []
        for attempt in self._able(complaints):
            return attempt
        raise complaints[0]

    def after(self, failed: Target, error: UpstreamError, *, now: float) -> Attempt | None:
        """The attempt that follows a failure; None if that was the last.

        Args:
            failed: The target that was tried.
            error: How it failed; nothing of its answer has reached the caller.
            now: Epoch seconds.
        """
        self._failed.append((failed, error))
        if len(self._failed) >= MAX_ATTEMPTS or not another_target_may_help(error):
            return None
        for attempt in self._able([]):
            return attempt
        return self._again(now)

    def succeeded(self, target: Target) -> None:
        """Note that a target answered."""
        self._credits.succeeded(target)

    def _able(self, complaints: list[InvalidRequest]) -> Iterator[Attempt]:
        for target in self._untried:
            try:
                yield self._attempt(target, 0.0)
            except InvalidRequest as complaint:
                complaints.append(complaint)

    def _again(self, now: float) -> Attempt | None:
        """The target that is likeliest to answer next time, if any has patience and credit left."""
        for target, error in self._failed:
            pause_s = self._pause_s(error, now)
            if pause_s is not None and self._credits.spend(target):
                self._retries += 1
                return self._attempt(target, pause_s)
        return None

    def _pause_s(self, error: UpstreamError, now: float) -> float | None:
        """How long to wait before the same target is asked again; None: not again."""
        if not same_target_may_help(error):
            return None
        headers = error.headers if isinstance(error, UpstreamRefused) else {}
        asked_s = retry_after_s(headers, now=now)
        if asked_s is not None and asked_s > MAX_RETRY_AFTER_S:
            return None
        return max(asked_s or 0.0, backoff_s(self._retries, self._roll()))

    def _attempt(self, target: Target, pause_s: float) -> Attempt:
        identity = AnswerIdentity(self._call.request_id, target.model, int(self._call.arrived_at))
        exchange = exchange_for(self._asked, target, identity)
        return Attempt(len(self._failed) + 1, target, exchange, pause_s)

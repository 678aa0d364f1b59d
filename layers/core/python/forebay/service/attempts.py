"""Which targets a request is tried at, in which order, and when it is given up.

The model's own targets come first, then those of its fallbacks in their order; one whose breaker
is open is passed over while there is another. Each target is tried once; when all have failed, one
of them may be tried again while its credit lasts. At most `MAX_ATTEMPTS` in all (invariant 6).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from forebay.dialects.continuation import Interrupted
from forebay.dialects.exchange import Exchange
from forebay.dialects.output_limit import limited
from forebay.dialects.question import AnswerIdentity, Question
from forebay.errors import InvalidRequest, UpstreamError, UpstreamRefused
from forebay.model import Usage
from forebay.money import NanoUsd
from forebay.ports import Clock
from forebay.resilience.deadline import Deadline
from forebay.resilience.retry import (
    MAX_ATTEMPTS,
    MAX_RETRY_AFTER_S,
    another_target_may_help,
    backoff_s,
    retry_after_s,
    same_target_may_help,
)
from forebay.service.account import Account
from forebay.service.catalog import ModelPolicy, Target
from forebay.service.dispatch import Choice, Dispatch
from forebay.service.exchanges import continued_exchange, exchange_for

Prepare = Callable[[Target], Exchange | None]
"""Prepares the exchange with a target; None if it is not the one for this."""

Delivered = Callable[[Interrupted], Awaitable[Usage]]
"""Counts what the caller has: the original input, and the output that was sent."""


Covers = Callable[[Target], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt that is to be made."""

    number: int
    """From 1."""
    target: Target
    exchange: Exchange
    pause_s: float = 0.0
    """To wait before it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all attempts of a request have in common."""

    asked: Question
    account: Account
    policy: ModelPolicy
    deadline: Deadline
    delivered: Delivered
    covers: Covers
    """Whether there is money for an attempt at a target."""
    output_limit: int | None = None
    """Tokens of each answer that money is held for; None: as asked."""

    def spent(self) -> NanoUsd:
        """What the attempts have cost so far."""
        return self.account.cost_nano_usd


class Attempts:
    """The attempts of one request.

    Args:
        job: What is to be done.
        choice: The targets, at least one.
        dispatch: Knows which targets are left alone, has their credit, and spreads the pauses.
        clock: Tells the time.
    """

    def __init__(self, job: Job, choice: Choice, dispatch: Dispatch, clock: Clock) -> None:
        self._job = job
        self._choice = choice
        self._untried = choice.targets[::-1]
        self._dispatch = dispatch
        self._clock = clock
        self._passed_over: list[Target] = []
        self._failed: list[tuple[Try, UpstreamError]] = []
        self._made = 0
        self._hedges = job.policy.resilience.hedge
        self._retries = 0

    @property
    def policy(self) -> ModelPolicy:
        """The model's."""
        return self._job.policy

    async def first(self) -> Try:
        """The first attempt, at the first target that can do what is asked.

        Raises:
            InvalidRequest: None can; it is the first one's complaint.
        """
        complaints: list[InvalidRequest] = []
        following = await self._next(self._afresh, complaints)
        if following is None:
            raise complaints[0]
        return following

    def patience_s(self, step: Try) -> float | None:
        """How long an attempt may be silent before `rival` is asked too; None: for ever.

        One hedge a call at most, and none for an answer in one piece: its first word comes last.
        """
        account = self._job.account
        may_hedge = self._hedges and account.stream and not account.began and self._untried
        return self._choice.hedge_after_s(step.target) if may_hedge else None

    async def rival(self) -> Try | None:
        """An attempt beside one that is late, within the budget; None if there is none to make."""
        self._hedges = False
        if self._made >= MAX_ATTEMPTS or not self._dispatch.spend_hedge():
            return None
        return await self._next(self._afresh, [], last_resort=False)

    def failed(self, step: Try, error: UpstreamError) -> None:
        """Note how an attempt failed."""
        self._failed.append((step, error))

    async def following(self) -> Try | None:
        """The attempt that follows the last failure; None if that was the end.

        Once the caller has seen any of an answer, it is one that goes on with it.
        """
        step, error = self._failed[-1]
        self._dispatch.fleet.begin()  # it may be long since the request came
        in_time = self._job.deadline.remaining(self._clock.monotonic()) > 0
        if self._made >= MAX_ATTEMPTS or not in_time or not another_target_may_help(error):
            return None
        prepare: Prepare = self._afresh
        if self._job.account.began:
            resumed = await self._continuing(step)
            if resumed is None:
                return None
            prepare = resumed
        return await self._next(prepare, []) or await self._again(prepare)

    # --- which target

    async def _next(
        self, prepare: Prepare, complaints: list[InvalidRequest], *, last_resort: bool = True
    ) -> Try | None:
        while self._untried:
            target = self._untried.pop()
            following = self._try(prepare, target, complaints)
            if following is None:
                continue
            if not await self._dispatch.fleet.may_try(target.name):
                self._passed_over.append(target)
            elif await self._job.covers(target):
                return self._counted(following)
        # A target that is left alone is still better than no answer at all.
        while last_resort and self._passed_over:
            following = self._try(prepare, self._passed_over.pop(0), complaints)
            if following is not None and await self._job.covers(following.target):
                return self._counted(following)
        return None

    async def _again(self, prepare: Prepare) -> Try | None:
        """The target that is likeliest to answer next time, if any has patience and credit left."""
        for step, error in self._failed:
            target, pause_s = step.target, self._pause_s(error)
            following = None if pause_s is None else self._try(prepare, target, [], pause_s)
            if following is None or not await self._dispatch.fleet.spend_credit(target.name):
                continue
            if await self._job.covers(target):
                self._retries += 1
                return self._counted(following)
        return None

    def _pause_s(self, error: UpstreamError) -> float | None:
        """How long to wait before the same target is asked again; None: not again."""
        if not same_target_may_help(error):
            return None
        headers = error.headers if isinstance(error, UpstreamRefused) else {}
        asked_s = retry_after_s(headers, now=self._clock.now())
        if asked_s is not None and asked_s > MAX_RETRY_AFTER_S:
            return None
        pause_s = max(asked_s or 0.0, backoff_s(self._retries, self._dispatch.entropy.random()))
        in_time = pause_s < self._job.deadline.remaining(self._clock.monotonic())
        return pause_s if in_time else None

    # --- what is asked of it

    def _try(
        self,
        prepare: Prepare,
        target: Target,
        complaints: list[InvalidRequest],
        pause_s: float = 0.0,
    ) -> Try | None:
        try:
            exchange = prepare(target)
        except InvalidRequest as complaint:
            complaints.append(complaint)
            return None
        return None if exchange is None else Try(self._made + 1, target, exchange, pause_s)

    def _counted(self, following: Try) -> Try:
        self._made += 1
        return following

    def _afresh(self, target: Target) -> Exchange:
        hold_tools = self._job.policy.resilience.buffer_tool_calls
        return exchange_for(
            self._asked(target),
            target,
            self._identity(target),
            spent=self._job.spent,
            hold_tools=hold_tools,
        )

    def _asked(self, target: Target) -> Question:
        """What is asked of a target: with the output limit that money is held for."""
        job = self._job
        if job.output_limit is None:
            return job.asked
        return limited(job.asked, job.output_limit, field=target.dialect.limit_field)

    async def _continuing(self, failed: Try) -> Prepare | None:
        """Prepare to go on where an answer broke off; None if nobody can."""
        interrupted = failed.exchange.interrupted()
        if interrupted is None or not self._job.policy.resilience.continuation:
            return None
        delivered = await self._job.delivered(interrupted)

        def prepare(target: Target) -> Exchange | None:
            return continued_exchange(
                self._asked(target),
                target,
                self._identity(target),
                interrupted,
                delivered=delivered,
                spent=self._job.spent,
            )

        return prepare

    def _identity(self, target: Target) -> AnswerIdentity:
        call = self._job.account.call
        return AnswerIdentity(call.request_id, target.model, int(call.arrived_at))

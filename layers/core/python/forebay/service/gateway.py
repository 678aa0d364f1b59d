"""The pipeline of one request, readable from top to bottom: route, call, relay, settle.

(Parsing and authentication come before it, in `forebay.web`; admission and the cache will stand
at its beginning.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from forebay.dialects import sse
from forebay.dialects.demand import demand_of
from forebay.dialects.question import Question
from forebay.errors import ForebayError, InvalidRequest, UpstreamError
from forebay.money import format_usd
from forebay.ports import Clock
from forebay.service.account import Account, Call
from forebay.service.attempts import Attempts, Job, Try
from forebay.service.beginning import begun
from forebay.service.catalog import Catalog, Target
from forebay.service.dispatch import Dispatch
from forebay.service.hedging import first_to_speak
from forebay.service.recording import Head
from forebay.service.relay import Relay
from forebay.service.settlement import Settlement
from forebay.service.sharing import Sharing
from forebay.service.spending import Permit, Spending, tiers_at
from forebay.telemetry import REQUEST_ID

KEEP_ALIVE_S = 15.0
"""A stream that has not begun after so long begins with a comment: an edge-optimised API cuts
after 30 s of silence, and other proxies on the way do too. (Later silences are the runtime's.)"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has begun.

    Args:
        headers: For the caller: `x-forebay-…`.
        stream: Whether the body is an event stream; else it is one JSON document.
        first: What there is of the body, in the caller's dialect; never empty.
        rest: What follows. Iterating raises `UpstreamError` where the answer breaks off: what
            was sent then is not whole.
    """

    headers: dict[str, str]
    stream: bool
    first: bytes
    rest: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers questions of any dialect from targets of any dialect."""

    catalog: Catalog
    dispatch: Dispatch
    settlement: Settlement
    clock: Clock
    sharing: Sharing
    spending: Spending

    @asynccontextmanager
    async def answer(self, asked: Question, call: Call) -> AsyncIterator[Answer]:
        """Answer a request; leaving the context settles it, however it was left.

        Raises:
            ModelNotFound: See `Catalog.find`.
            InvalidRequest: The target cannot do what is asked; nothing was sent, nothing is owed.
            UpstreamError: There is no answer. Once there is one, its `rest` raises instead.
        """
        relay, permit = await self._plan(asked, call)
        account, owed = relay.account, True
        seat = self.sharing.board(
            relay.attempts.policy.resilience.single_flight,
            account,
            partial(self._ask, relay),
            lambda: Head(_headers(account, permit), asked.stream),
        )
        parts = self._ask(relay) if seat is None else self.sharing.follow(seat, account)
        try:
            async with begun(
                parts,
                patience_s=_patience_s(relay) if asked.stream else None,
                sign_of_life=sse.COMMENT,
            ) as (first, rest):
                yield Answer(_headers(account, permit), asked.stream, first, rest)
            account.left()
        except InvalidRequest:
            owed = False
            raise
        except ForebayError as error:
            account.failed(error)
            raise
        except (asyncio.CancelledError, ConnectionError):
            account.cancelled()
            raise
        finally:
            if seat is not None:  # while others listen, who leads pays until the end
                await seat.aclose()
                await seat.landed()
            if owed:
                await self.settlement.settle(account, asked.text, permit)
            elif permit is not None:
                await permit.release()

    async def _plan(self, asked: Question, call: Call) -> tuple[Relay, Permit | None]:
        """Admit the request: choose targets and their order, until when, and for how much."""
        route = self.catalog.find(asked.model, call.key)
        until = call.deadline(stream=asked.stream, total_s=route.policy.total_s)
        choice = await self.dispatch.choose(route, asked)
        permit = await self.spending.admit(
            call, lambda: demand_of(asked), route.groups[0], partial(tiers_at, asked)
        )
        account = Account(call, choice.targets[0], request_model=asked.model, stream=asked.stream)
        account.most_output_tokens = None if permit is None else permit.bound.output_tokens
        settlement = self.settlement

        async def covers(target: Target) -> bool:
            if permit is None:
                return True
            await settlement.charge(account, asked.text)
            return await permit.covers(target, account)

        job = Job(
            asked,
            account,
            route.policy,
            until,
            lambda interrupted: settlement.delivered(account, interrupted, asked.text),
            covers,
            None if permit is None else permit.bound.output_limit,
        )
        attempts = Attempts(job, choice, self.dispatch, self.clock)
        charge = partial(settlement.charge, account, asked.text)
        return Relay(account, attempts, self.dispatch, until, self.clock, charge), permit

    async def _ask(self, relay: Relay) -> AsyncGenerator[bytes]:
        """Ask one target after the other until an answer is whole, and pass it on.

        Once the caller has seen any of an answer, only what continues it exactly may follow.
        """
        account = relay.account
        step = await relay.attempts.first()
        while True:
            try:
                async with aclosing(self._race(step, relay)) as parts:
                    async for part in parts:
                        account.began = True
                        yield part
            except UpstreamError as error:
                following = await relay.attempts.following()
                if following is None:
                    raise
                self._tell(error, account)
                step = following
            else:
                account.completed()
                return

    def _race(self, step: Try, relay: Relay) -> AsyncGenerator[bytes]:
        """Make an attempt, with another beside it where its first word is late."""
        patience_s = relay.attempts.patience_s(step)
        if patience_s is None:
            return relay.run(step)

        async def rival() -> AsyncGenerator[bytes] | None:
            second = await relay.attempts.rival()
            return None if second is None else relay.run(second)

        return first_to_speak(
            relay.run(step),
            rival,
            patience_s=patience_s,
            failed=lambda error: self._tell(error, relay.account),
        )

    def _tell(self, error: UpstreamError, account: Account) -> None:
        """Log why an attempt failed; the request's own line tells of the last one."""
        self.settlement.telemetry.incident(
            error.code,
            f"attempt {len(account.attempts)}: {error.message}",
            **{REQUEST_ID: account.call.request_id},
        )


def _patience_s(relay: Relay) -> float:
    """How long a stream may be silent at its beginning: some callers are impatient."""
    return min(KEEP_ALIVE_S, relay.deadline.longest.first_byte_s / 2)


def _headers(account: Account, permit: Permit | None) -> dict[str, str]:
    allowed = {} if permit is None else permit.headers
    if account.shared_headers is not None:
        return {**account.shared_headers, **allowed}
    attempts = str(len(account.attempts))
    headers = {
        "x-forebay-target": account.answering.name,
        "x-forebay-attempts": attempts,
        **allowed,
    }
    if not account.stream and account.speaker and account.speaker.took:
        headers["x-forebay-cost-usd"] = format_usd(account.cost_nano_usd)
    return headers

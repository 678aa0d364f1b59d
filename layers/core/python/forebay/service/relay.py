"""One attempt: a target is asked, and its answer passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.exchange import Exchange
from forebay.dialects.seam import SeamMismatch
from forebay.errors import (
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamRefused,
    UpstreamUnavailable,
)
from forebay.model import AttemptResult
from forebay.ports import Clock, UpstreamReply
from forebay.resilience.deadline import Deadline
from forebay.resilience.retry import retry_after_s
from forebay.service.account import Account, Attempt
from forebay.service.attempts import Attempts, Try
from forebay.service.catalog import Target
from forebay.service.dispatch import Dispatch
from forebay.service.replies import check_status, reported


@dataclass(frozen=True, slots=True)
class Relay:
    """Makes attempts, and notes what becomes known of each.

    Args:
        account: Of the request.
        attempts: Are told of failures.
        dispatch: Is told how each attempt went.
        deadline: Of the request.
        clock: Tells the time.
        before_end: Awaited before the last part of a whole answer is written.
    """

    account: Account
    attempts: Attempts
    dispatch: Dispatch
    deadline: Deadline
    clock: Clock
    before_end: Callable[[], Awaitable[None]]

    async def run(self, step: Try) -> AsyncGenerator[bytes]:
        """Make an attempt and pass its answer on, from the first part that means something.

        Raises:
            UpstreamError: There is no answer, or it broke off.
        """
        if step.pause_s:
            await self.clock.sleep(step.pause_s)
        exchange, now = step.exchange, self.clock.monotonic()
        attempt = self.account.begins(step.target, exchange.text, now=now)
        with self.dispatch.calling(attempt):
            try:
                async with aclosing(self._ask(attempt, exchange)) as parts:
                    async for part in parts:
                        yield part
            except UpstreamError as error:
                attempt.failed(error)
                attempt.retry_after_s = _patience(error, self.clock.now())
                self.attempts.failed(step, error)
                raise
            finally:
                attempt.usage, attempt.left_at = exchange.usage, self.clock.monotonic()

    async def _ask(self, attempt: Attempt, exchange: Exchange) -> AsyncGenerator[bytes]:
        target = attempt.target
        timeouts = self.deadline.clipped(target.timeouts, attempt.started)
        request = replace(exchange.request, timeouts=timeouts, until=self.deadline.at)
        async with await target.provider.send(request) as reply:
            attempt.status = reply.status
            await _check_head(reply, exchange, target)
            async with aclosing(self._pass_on(reply, exchange, attempt)) as parts:
                async for part in parts:
                    yield part

    async def _pass_on(
        self, reply: UpstreamReply, exchange: Exchange, attempt: Attempt
    ) -> AsyncGenerator[bytes]:
        """Pass an answer on as it comes, and its end only if it is whole (invariant 3).

        What comes before its first word (a role, an id) is held back until then: a target that
        fails there can still be replaced without anybody's notice.
        """
        held, target = b"", attempt.target.name
        try:
            async for received in reply.chunks():
                held += exchange.feed(received)
                if attempt.first_token_at is None and exchange.text:
                    self._spoke(attempt)
                if held and exchange.shown:
                    attempt.shown = True
                    yield held
                    held = b""
                if exchange.ended:
                    break
                self._check_time(target)
            await self.before_end()
            last = held + exchange.end()
            attempt.completed(exchange.usage)
            yield last
        except UpstreamReported as error:
            raise reported(error, attempt.target, attempt.status) from error
        except DialectError as error:
            if isinstance(error, SeamMismatch):  # it works, and does not go on with this answer
                attempt.ended(AttemptResult.REFUSED, UpstreamCut.code)
            kind = UpstreamCut if exchange.text else UpstreamGarbled
            raise kind(f"{target}: {error}.", target=target) from error

    def _check_time(self, target: str) -> None:
        """A stream that trickles keeps every single time-out, so this is asked at each part."""
        if not self.deadline.remaining(self.clock.monotonic()):
            raise UpstreamUnavailable(
                f"{target} had not ended its answer when its time was up.", target=target
            )

    def _spoke(self, attempt: Attempt) -> None:
        attempt.first_token_at = self.clock.monotonic()
        if self.account.first_token_at is None:
            self.account.first_token_at = attempt.first_token_at


def _patience(error: UpstreamError, now: float) -> float | None:
    """How long a target asks to be spared."""
    return retry_after_s(error.headers, now=now) if isinstance(error, UpstreamRefused) else None


async def _check_head(reply: UpstreamReply, exchange: Exchange, target: Target) -> None:
    """Refuse a reply that cannot become an answer, before anything is promised to the caller."""
    await check_status(reply, target)
    content_type = reply.headers.get("content-type", "").lower()
    if not content_type.startswith(exchange.content_type):
        raise UpstreamGarbled(f"{target.name} answered without a stream.", target=target.name)

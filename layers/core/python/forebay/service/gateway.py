"""The pipeline of one request, readable from top to bottom: route, call, relay, settle.

(Parsing and authentication come before it, in `forebay.web`; admission and the cache will stand
at its beginning.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from forebay.dialects import DialectError, UpstreamReported, sse
from forebay.dialects.exchange import Exchange
from forebay.dialects.question import Question
from forebay.errors import (
    ForebayError,
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamRefused,
)
from forebay.money import format_usd
from forebay.ports import Clock, Entropy, UpstreamReply
from forebay.routing import weighted_order
from forebay.service.account import Account, Call
from forebay.service.attempts import Attempt, Attempts, Credits
from forebay.service.beginning import begun
from forebay.service.catalog import Catalog, Target
from forebay.service.settlement import Settlement
from forebay.telemetry import REQUEST_ID

MAX_ERROR_BYTES = 64 * 1024
"""As much of a failed reply's body is read."""

KEEP_ALIVE_S = 15.0
"""A stream that has not begun after so long begins with a comment: an edge-optimised API cuts
after 30 s of silence, and other proxies on the way do too. (Later silences are the runtime's.)"""

RETRY_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
"""What a provider says about trying again; it reaches the caller."""


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
    settlement: Settlement
    clock: Clock
    entropy: Entropy
    credits: Credits = field(default_factory=Credits)

    @asynccontextmanager
    async def answer(self, asked: Question, call: Call) -> AsyncIterator[Answer]:
        """Answer a request; leaving the context settles it, however it was left.

        Raises:
            ModelNotFound: See `Catalog.find`.
            InvalidRequest: The target cannot do what is asked; nothing was sent, nothing is owed.
            UpstreamError: There is no answer. Once there is one, its `rest` raises instead.
        """
        attempts = Attempts(
            asked, call, self._targets(asked.model, call), self.credits, self.entropy.random
        )
        first_attempt = attempts.first()
        account = Account(
            call, first_attempt.target, request_model=asked.model, stream=asked.stream
        )
        patience_s = KEEP_ALIVE_S if asked.stream else None
        parts = self._ask(first_attempt, attempts, account)
        try:
            async with begun(parts, patience_s=patience_s, sign_of_life=sse.COMMENT) as (
                first,
                rest,
            ):
                yield Answer(_headers(account), asked.stream, first, rest)
            account.left()
        except ForebayError as error:
            account.failed(error)
            raise
        except (asyncio.CancelledError, ConnectionError):
            account.cancelled()
            raise
        finally:
            await self.settlement.settle(account, asked.text)

    def _targets(self, model: str, call: Call) -> list[Target]:
        """All targets for a model, in the order in which they are tried."""
        ordered: list[Target] = []
        for group in self.catalog.find(model, call.key):
            order = weighted_order([target.weight for target in group], self.entropy.random)
            ordered += [group[index] for index in order if group[index] not in ordered]
        return ordered

    async def _ask(
        self, attempt: Attempt, attempts: Attempts, account: Account
    ) -> AsyncGenerator[bytes]:
        """Ask one target after the other until one answers, and pass its answer on.

        Once the caller has seen any of an answer, its failure is final.
        """
        while True:
            if attempt.pause_s:
                await self.clock.sleep(attempt.pause_s)
            try:
                async with aclosing(self._try(attempt, account)) as parts:
                    async for part in parts:
                        account.began = True
                        yield part
            except UpstreamError as error:
                if account.began:
                    raise
                following = attempts.after(attempt.target, error, now=self.clock.now())
                if following is None:
                    raise
                self._tell(error, attempt, account)
                attempt = following
            else:
                attempts.succeeded(attempt.target)
                account.completed()
                return

    async def _try(self, attempt: Attempt, account: Account) -> AsyncGenerator[bytes]:
        """Ask one target and pass its answer on."""
        target, exchange = attempt.target, attempt.exchange
        account.tries(target, exchange.text)
        async with await target.provider.send(exchange.request) as reply:
            account.status = reply.status
            await _check_head(reply, exchange, target)
            async with aclosing(self._relay(reply, exchange, account)) as parts:
                async for part in parts:
                    yield part

    def _tell(self, error: UpstreamError, attempt: Attempt, account: Account) -> None:
        """Log why an attempt failed; the request's own line tells of the last one."""
        self.settlement.telemetry.incident(
            error.code,
            f"attempt {attempt.number}: {error.message}",
            **{REQUEST_ID: account.call.request_id},
        )

    async def _relay(
        self, reply: UpstreamReply, exchange: Exchange, account: Account
    ) -> AsyncGenerator[bytes]:
        """Pass an answer on as it comes, and its end only if it is whole (invariant 3).

        What comes before its first word (a role, an id) is held back until then: a target that
        fails there can still be replaced without anybody's notice.
        """
        held = b""
        try:
            async for received in reply.chunks():
                held += exchange.feed(received)
                self._note(account, exchange)
                if held and exchange.text:
                    yield held
                    held = b""
                if exchange.ended:
                    break
            last = held + exchange.end()
            self._note(account, exchange)
            yield last
        except UpstreamReported as error:
            raise _reported(error, account) from error
        except DialectError as error:
            kind = UpstreamCut if account.text else UpstreamGarbled
            target = account.target.name
            raise kind(f"{target}: {error}.", target=target) from error

    def _note(self, account: Account, exchange: Exchange) -> None:
        account.usage = exchange.usage
        if account.first_token_at is None and exchange.text:
            account.first_token_at = self.clock.monotonic()


async def _check_head(reply: UpstreamReply, exchange: Exchange, target: Target) -> None:
    """Refuse a reply that cannot become an answer, before anything is promised to the caller."""
    if not 200 <= reply.status < 300:
        error = target.dialect.parse_error(await _read(reply, MAX_ERROR_BYTES))
        raise UpstreamRefused(
            f"{target.name} answered with status {reply.status}.",
            target=target.name,
            status=reply.status,
            headers={name: reply.headers[name] for name in RETRY_HEADERS if name in reply.headers},
            error=error,
        )
    content_type = reply.headers.get("content-type", "").lower()
    if not content_type.startswith(exchange.content_type):
        raise UpstreamGarbled(f"{target.name} answered without a stream.", target=target.name)


def _reported(error: UpstreamReported, account: Account) -> UpstreamRefused:
    """An error object in place of an answer, under a status that promised one."""
    return UpstreamRefused(
        f"{account.target.name} reported an error in its answer.",
        target=account.target.name,
        status=account.status,
        headers={},
        error=error.error,
    )


async def _read(reply: UpstreamReply, limit: int) -> bytes:
    """Read a body, but not much more than `limit` bytes of it."""
    parts: list[bytes] = []
    size = 0
    async for part in reply.chunks():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)


def _headers(account: Account) -> dict[str, str]:
    headers = {"x-forebay-target": account.target.name, "x-forebay-attempts": str(account.attempts)}
    if not account.stream and account.usage is not None:
        headers["x-forebay-cost-usd"] = format_usd(account.target.cost(account.usage))
    return headers

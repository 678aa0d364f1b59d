"""The pipeline of a request for embeddings: route, call, settle.

All vectors of an answer come from one target: those of different models cannot be compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NoReturn

from forebay.dialects.demand import embeddings_demand
from forebay.dialects.embeddings import Embedded, EmbeddingsRequest, token_bound, write_answer
from forebay.dialects.question import Question
from forebay.errors import (
    ForebayError,
    InvalidRequest,
    StoreError,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnavailable,
)
from forebay.model import AttemptResult, Usage, UsageSource
from forebay.money import format_usd
from forebay.resilience.deadline import Deadline
from forebay.resilience.retry import MAX_ATTEMPTS, another_target_may_help, retry_after_s
from forebay.service.account import NOTHING, Account, Attempt, Call
from forebay.service.catalog import Route, Target
from forebay.service.embedding_targets import EmbeddingTargets, check_able
from forebay.service.gateway import Answer, Gateway
from forebay.service.spending import Permit
from forebay.telemetry import REQUEST_ID

BYTES_PER_TOKEN: Final = 4
"""Where a text may have been embedded and nobody says so; about right for most languages."""


PART_BYTES: Final = 256 * 1024
"""An answer goes out in parts of about this size: a vector each would be thousands of them."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """Answers requests for embeddings.

    Args:
        gateway: Whose targets, books and clock these are.
        targets: Asks them.
    """

    gateway: Gateway
    targets: EmbeddingTargets

    @asynccontextmanager
    async def answer(self, asked: EmbeddingsRequest, call: Call) -> AsyncIterator[Answer]:
        """Answer a request; leaving the context settles it, however it was left.

        Raises:
            ModelNotFound: See `Catalog.find`.
            InvalidRequest: No target can do what is asked; nothing was sent, nothing is owed.
            UpstreamError: There is no answer.
        """
        settlement = self.gateway.settlement
        route = self.gateway.catalog.find(asked.model, call.key)
        until = call.deadline(stream=False, total_s=route.policy.total_s)
        able = await self._able(route, asked)
        permit = await self.gateway.spending.admit(call, lambda: embeddings_demand(asked), able)
        account = Account(call, able[0], request_model=asked.model, stream=False)
        try:
            embedded = await self._in_time(until, able, asked, account, permit)
            await settlement.charge(account, asked.text)
            yield _answer(embedded, account, permit)
            account.completed()
        except ForebayError as error:
            account.failed(error)
            raise
        except (asyncio.CancelledError, ConnectionError):
            account.cancelled()
            raise
        finally:
            await settlement.settle(account, asked.text, permit)

    async def _able(self, route: Route, asked: EmbeddingsRequest) -> list[Target]:
        """Return the targets that can do what is asked, in the order in which they are tried.

        Raises:
            InvalidRequest: None can; it is the first one's complaint.
        """
        choice = await self.gateway.dispatch.choose(route, _question(asked))
        able: list[Target] = []
        complaints: list[InvalidRequest] = []
        for target in choice.targets:
            try:
                check_able(target, asked)
            except InvalidRequest as complaint:
                complaints.append(complaint)
            else:
                able.append(target)
        if not able:
            raise complaints[0]
        return able

    async def _in_time(
        self,
        until: Deadline,
        able: list[Target],
        asked: EmbeddingsRequest,
        account: Account,
        permit: Permit | None,
    ) -> Embedded:
        try:
            async with asyncio.timeout(until.remaining(self.gateway.clock.monotonic())):
                return await self._from_one_of(able, asked, account, permit)
        except TimeoutError as error:
            target = account.answering.name
            raise UpstreamUnavailable(
                f"{target} had not answered when its time was up.", target=target
            ) from error

    async def _from_one_of(
        self,
        able: list[Target],
        asked: EmbeddingsRequest,
        account: Account,
        permit: Permit | None,
    ) -> Embedded:
        """Ask one target after the other until one answers.

        One whose breaker is open is passed over while there is another.
        """
        fleet = self.gateway.dispatch.fleet
        untried, passed_over = list(able), list[Target]()
        while True:
            target = untried.pop(0) if untried else passed_over.pop(0)
            if untried and not await fleet.may_try(target.name):
                passed_over.append(target)
                continue
            try:
                return await self._from(target, asked, account)
            except UpstreamError as error:
                is_last = not (untried or passed_over) or len(account.attempts) >= MAX_ATTEMPTS
                if is_last or not another_target_may_help(error):
                    raise
                if permit and not await permit.covers((untried or passed_over)[0], account):
                    raise
                self._tell(error, account)

    async def _from(self, target: Target, asked: EmbeddingsRequest, account: Account) -> Embedded:
        """Ask one target, and note what becomes known of it."""
        clock = self.gateway.clock
        attempt = account.begins(target, [], now=clock.monotonic())
        try:
            with self.gateway.dispatch.calling(attempt):
                try:
                    embedded = await self.targets.embed(
                        target, asked, tenant=account.call.key.tenant
                    )
                except UpstreamError as error:
                    _note_failure(attempt, error, clock.now())
                    raise
                except StoreError as error:  # no credentials: nothing was sent
                    attempt.ended(AttemptResult.ABANDONED, error.code)
                    attempt.took = NOTHING
                    raise
                attempt.status = 200
                tokens = embedded.input_tokens
                attempt.completed(None if tokens is None else Usage(tokens, 0))
                return embedded
        finally:
            left_early = attempt.result in {AttemptResult.CUT, AttemptResult.ABANDONED}
            if left_early and attempt.took is None:
                attempt.took = _estimate(asked)

    def _tell(self, error: UpstreamError, account: Account) -> None:
        """Log why an attempt failed; the request's own line tells of the last one."""
        self.gateway.settlement.telemetry.incident(
            error.code,
            f"attempt {len(account.attempts)}: {error.message}",
            **{REQUEST_ID: account.call.request_id},
        )


def _question(asked: EmbeddingsRequest) -> Question:
    """Say what is asked, for those to whom it is all one."""

    def never(*_: object) -> NoReturn:
        raise InvalidRequest("Embeddings are not translated.")

    return Question(asked.model, stream=False, conversation=never, text=asked.text, writer=never)


def _note_failure(attempt: Attempt, error: UpstreamError, now: float) -> None:
    attempt.failed(error)
    if isinstance(error, UpstreamRefused):
        attempt.status = error.status
        attempt.retry_after_s = retry_after_s(error.headers, now=now)


def _estimate(asked: EmbeddingsRequest) -> Usage:
    """Tell what a request took that may have been worked on, and whose answer nobody has."""
    size = sum(token_bound(each, of_tokens=asked.of_tokens) for each in asked.inputs)
    tokens = size if asked.of_tokens else max(1, round(size / BYTES_PER_TOKEN))
    return Usage(tokens, 0, source=UsageSource.ESTIMATED)


def _answer(embedded: Embedded, account: Account, permit: Permit | None) -> Answer:
    target = account.answering
    took = account.attempts[-1].took
    headers = {
        "x-forebay-target": target.name,
        "x-forebay-attempts": str(len(account.attempts)),
        "x-forebay-cost-usd": format_usd(account.cost_nano_usd),
        **(permit.headers if permit else {}),
    }
    parts = _parts(
        write_answer(
            embedded.vectors,
            model=embedded.model or target.model,
            input_tokens=took.input_tokens if took else 0,
        )
    )
    return Answer(headers, stream=False, first=next(parts), rest=_rest(parts))


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= PART_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


async def _rest(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part

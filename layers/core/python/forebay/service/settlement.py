"""The end of every admitted request: one ledger row, one log line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from forebay.dialects.continuation import Interrupted
from forebay.errors import StoreError
from forebay.model import AttemptResult, LedgerRow, Usage, UsageSource
from forebay.ports import Clock, Ledger, Telemetry, TokenCounter
from forebay.service.account import NOTHING, Account, Attempt
from forebay.service.fleet import Fleet
from forebay.service.spending import Permit
from forebay.telemetry import REQUEST_ID

RETRY_PAUSES_S = (0.1, 0.2)
"""Before the second and the third attempt to store a row; repeating a put is harmless."""

UNSEEN_TOKENS = 64
"""Added to the output of a stream that ended early: what a provider wrote and nobody received."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles accounts.

    It runs after the caller has the last byte, and to its end even if the request is cancelled
    meanwhile.
    """

    ledger: Ledger
    counter: TokenCounter
    telemetry: Telemetry
    clock: Clock
    fleet: Fleet

    async def settle(
        self, account: Account, prompt: Callable[[], str], permit: Permit | None = None
    ) -> None:
        """Write the account's row, and what its attempts say of their targets.

        Args:
            account: Not changed any more.
            prompt: Returns what was asked; called only if a provider reported no usage.
            permit: What the request was allowed to cost; settled after the row, for what it says.
        """
        ended = self.clock.monotonic()
        settling = self._settle(account, prompt, permit, ended)
        await asyncio.shield(asyncio.ensure_future(settling))

    async def charge(self, account: Account, prompt: Callable[[], str]) -> None:
        """Find out what each attempt that has ended took."""
        for attempt in account.attempts:
            if attempt.took is None and attempt.result is not None:
                attempt.took = await self._taken(attempt, prompt)

    async def delivered(
        self, account: Account, interrupted: Interrupted, prompt: Callable[[], str]
    ) -> Usage:
        """Tell what the caller has had of an answer that broke off: as shown in its usage."""
        first = next(attempt for attempt in account.attempts if attempt.shown)
        if first.usage is not None:
            asked, cached = first.usage.input_tokens, first.usage.cached_input_tokens
        else:
            asked, cached = await self.counter.count(prompt(), model=first.target.model), 0
        shown = await self.counter.count(interrupted.text, model=first.target.model)
        return Usage(asked, shown, cached, source=UsageSource.ESTIMATED)

    async def _settle(
        self, account: Account, prompt: Callable[[], str], permit: Permit | None, ended: float
    ) -> None:
        for attempt in account.attempts:
            attempt.ended(AttemptResult.ABANDONED)
        await self.charge(account, prompt)
        row = account.row(ended=ended)
        stored = await self._put(row)
        if permit is not None:
            await permit.settle(stored)
        await self.fleet.flush()  # faults have been on their way since they were seen
        self.telemetry.request_ended(stored)

    async def _put(self, row: LedgerRow) -> LedgerRow:
        for pause_s in (*RETRY_PAUSES_S, None):
            try:
                return await self.ledger.put(row)
            except StoreError as error:
                if pause_s is None:
                    # The log line has every field of the row, so it can be entered later.
                    self.telemetry.incident(
                        "ledger_row_not_stored", error.message, **{REQUEST_ID: row.request_id}
                    )
                    break
            await self.clock.sleep(pause_s)
        return row

    async def _taken(self, attempt: Attempt, prompt: Callable[[], str]) -> Usage:
        """Count what an attempt took of which nothing is known for certain (`Attempt.took`).

        An attempt that was refused or never answered took nothing.
        """
        whole = attempt.result is AttemptResult.COMPLETE
        left_early = attempt.result in {AttemptResult.CUT, AttemptResult.ABANDONED}
        if not (whole or left_early or attempt.text):
            return NOTHING
        unseen = 0 if whole or not attempt.is_stream else UNSEEN_TOKENS
        return await self._count(attempt, prompt, unseen=unseen)

    async def _count(self, attempt: Attempt, prompt: Callable[[], str], *, unseen: int) -> Usage:
        model, reported = attempt.target.model, attempt.usage
        received = await self.counter.count("".join(attempt.text), model=model)
        output = received + unseen
        if attempt.most_output_tokens is not None:
            output = min(output, attempt.most_output_tokens)
        if reported is None:
            asked = await self.counter.count(prompt(), model=model)
            return Usage(asked, output, source=UsageSource.ESTIMATED)
        if reported.output_tokens >= received:
            return reported  # it came last, after the words that it counts
        return replace(reported, output_tokens=output, source=UsageSource.ESTIMATED)

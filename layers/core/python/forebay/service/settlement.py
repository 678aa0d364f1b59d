"""The end of every admitted request: one ledger row, one log line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from forebay.errors import StoreError
from forebay.model import LedgerRow, Outcome, Usage, UsageSource
from forebay.ports import Clock, Ledger, Telemetry, TokenCounter
from forebay.service.account import Account
from forebay.telemetry import REQUEST_ID

RETRY_PAUSES_S = (0.1, 0.2)
"""Before the second and the third attempt to store a row; repeating a put is harmless."""


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

    async def settle(self, account: Account, prompt: Callable[[], str]) -> None:
        """Write the account's row.

        Args:
            account: Not changed any more.
            prompt: Returns what was asked; called only if the provider reported no usage.
        """
        ended = self.clock.monotonic()
        await asyncio.shield(asyncio.ensure_future(self._settle(account, prompt, ended)))

    async def _settle(self, account: Account, prompt: Callable[[], str], ended: float) -> None:
        usage = account.usage or await self._estimate(account, prompt)
        row = account.row(usage, ended=ended)
        self.telemetry.request_ended(await self._put(row))

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

    async def _estimate(self, account: Account, prompt: Callable[[], str]) -> Usage:
        """Count what was sent and received; a request that got no reply used nothing."""
        if account.outcome is Outcome.FAILED:
            return Usage(input_tokens=0, output_tokens=0, source=UsageSource.ESTIMATED)
        model = account.target.model
        return Usage(
            input_tokens=await self.counter.count(prompt(), model=model),
            output_tokens=await self.counter.count("".join(account.text), model=model),
            source=UsageSource.ESTIMATED,
        )

"""The sweep: settles holds that outlived their request, whose process died with them.

It does what the request would have done, in the same order: a row into the ledger if there is none
(outcome `lost`, at the worst case), and then the settlement, for what the stored row says.
"""

from __future__ import annotations

from forebay.admission.hold import Hold, request_id_of
from forebay.admission.leaf import Leaf, Settlement
from forebay.errors import StoreUnavailable
from forebay.model import KeyRecord, LedgerRow, Outcome, Usage, UsageSource
from forebay.money import NanoUsd
from forebay.ports import Clock, Keys, Ledger, Limits
from forebay.ports.background import OpenHolds


class Sweep:
    """Settle expired holds.

    Any number may run at once: each step is conditional, and doing it twice changes nothing.

    Args:
        limits: Where holds are settled.
        holds: Where they are found.
        ledger: Where their rows go.
        keys: Whose they are.
        clock: Its wall clock, right to about 2 s.
    """

    def __init__(
        self, limits: Limits, holds: OpenHolds, ledger: Ledger, keys: Keys, clock: Clock
    ) -> None:
        self._limits = limits
        self._holds = holds
        self._ledger = ledger
        self._keys = keys
        self._clock = clock

    async def run(self) -> int:
        """Sweep the leaves that are due and return how many holds were settled.

        Raises:
            StoreUnavailable: The store did not answer; the next run goes on where this one ended.
        """
        settled = 0
        async for scope in self._holds.due(now=self._clock.now()):
            settled += await self._sweep(scope)
        return settled

    async def _sweep(self, scope: str) -> int:
        leaf = await self._holds.read(scope)
        if leaf is None or leaf.sweep_at is None:
            return 0  # the index was behind
        now = self._clock.now()
        expired = {short: hold for short, hold in leaf.holds.items() if hold.expires_at <= now}
        if expired:
            key_id = scope.split("#")[1]
            key = await self._keys.find(key_id)
            for short, hold in expired.items():
                await self._settle(leaf, short, hold, key)
        open_until = [hold.expires_at for short, hold in leaf.holds.items() if short not in expired]
        await self._holds.sweep_at(leaf, min(open_until, default=None))
        return len(expired)

    async def _settle(self, leaf: Leaf, short: str, hold: Hold, key: KeyRecord | None) -> None:
        stored = await self._ledger.put(_lost(leaf, short, hold, key))
        change = Settlement(short, hold, stored.cost_nano_usd)
        write = await self._limits.settle(leaf.scope, change)
        if not write.done and write.leaf is not None and short in write.leaf.holds:
            raise StoreUnavailable(f"limits: a hold in {leaf.scope} changed after its expiry")


def _lost(leaf: Leaf, short: str, hold: Hold, key: KeyRecord | None) -> LedgerRow:
    """Return the row of a request of which nothing is known but what it could cost."""
    return LedgerRow(
        request_id=request_id_of(short, hold),
        created_at=hold.made_ms / 1000,
        key_id=leaf.scope.split("#")[1],
        key_name="" if key is None else key.name,
        tenant="" if key is None else key.tenant,
        team=None if key is None else key.team,
        request_model="",
        provider="",
        response_model="",
        stream=False,
        outcome=Outcome.LOST,
        status=0,
        error_code="process_lost",
        usage=Usage(0, 0, source=UsageSource.ESTIMATED),
        cost_nano_usd=NanoUsd(hold.nano_usd),
        time_to_first_token_ms=None,
        duration_ms=max(0, hold.expires_at * 1000 - hold.made_ms),
    )

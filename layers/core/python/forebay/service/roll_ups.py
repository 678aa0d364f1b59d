"""The ledger's stream, added up by day, key, team, model and tag."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from forebay.ports.background import UsageBooks
from forebay.rollups import LedgerBatch, NumberedRow, RollUp, Tally, rows_by_roll_up

Settle = Callable[[LedgerBatch], Awaitable[None]]
"""Enters a batch; raises `StoreError` if the same rows are to come again."""


class RollUps:
    """Enters batches of rows, each row once (decision 0019).

    Args:
        books: Where the sums are.
    """

    def __init__(self, books: UsageBooks) -> None:
        self._books = books

    async def enter(self, batch: LedgerBatch) -> None:
        """Add a batch. One write for each day, key, team, model and tag in it.

        Raises:
            StoreError: The store failed for one roll-up or several, the others are entered. The
                rows are to come again, in whichever batches: what was entered counts once.
        """
        by_roll_up = rows_by_roll_up(batch.rows)
        await to_the_end(
            self._add(roll_up, batch.shard, rows) for roll_up, rows in by_roll_up.items()
        )

    async def _add(self, roll_up: RollUp, shard: str, rows: Sequence[NumberedRow]) -> None:
        while rows:
            counted_to = await self._books.add(roll_up, shard, Tally.of(rows))
            if counted_to is None:
                return
            # A batch may overlap with what came before: count what is behind it. Each turn has
            # fewer rows, as the part has counted the first of them at least.
            rows = [each for each in rows if each.number > counted_to]


def all_of(*parts: Settle) -> Settle:
    """Let several take in each batch, side by side; if one fails, it is to come again to all."""

    async def settle(batch: LedgerBatch) -> None:
        await to_the_end(part(batch) for part in parts)

    return settle


async def to_the_end(parts: Iterable[Awaitable[None]]) -> None:
    """Await all, each to its end, and raise the first failure after.

    One that is throttled does not keep the others from being entered.
    """
    for end in await asyncio.gather(*parts, return_exceptions=True):
        if end is not None:
            raise end

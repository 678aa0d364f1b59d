"""What was spent in the last hour, told as soon as the ledger's stream brings it.

Minutes of the hour are in one item, so that one write adds a batch and answers with the whole hour.
A batch that is delivered again is not added again; requests that ended over an hour ago are not
added at all. The exact sums are the roll-ups'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from forebay import telemetry as names
from forebay.money import NANO_PER_USD, NanoUsd
from forebay.ports import Clock
from forebay.ports.background import Gauges, SpendBooks
from forebay.rollups import LedgerBatch, MinuteSpend, NumberedRow

MINUTE_S: Final = 60
MINUTES: Final = 60
"""The window: this minute and the 59 before it."""


@dataclass(frozen=True, slots=True)
class SpendMeter:
    """Adds up the spend of the last hour, and tells it with each batch.

    Args:
        books: Where the minutes are.
        gauges: Told the sum, in USD.
        clock: Only its wall clock is asked.
    """

    books: SpendBooks
    gauges: Gauges
    clock: Clock

    async def enter(self, batch: LedgerBatch) -> None:
        """Add a batch, and tell the sum. One write.

        Raises:
            StoreUnavailable: It is to come again: what was added counts once.
        """
        now = int(self.clock.now() // MINUTE_S)
        rows: Sequence[NumberedRow] = sorted(batch.rows, key=lambda each: each.number)
        while rows:
            entry = _entry(batch.shard, rows, now=now)
            state = await self.books.add_spend(entry)
            if state.counted_to is None:
                self.gauges.gauge(names.SPEND_LAST_HOUR, _sum_usd(state.minutes.items(), now=now))
                return
            # The batch overlaps with what came before: count what is behind it. As with roll-ups,
            # the first row at least has been counted.
            counted_to = state.counted_to
            rows = [each for each in rows if each.number > counted_to]


def _entry(shard: str, rows: Sequence[NumberedRow], *, now: int) -> MinuteSpend:
    minutes: dict[int, NanoUsd] = {}
    for each in rows:
        ended_at = each.row.created_at + each.row.duration_ms / 1000
        minute = min(int(ended_at // MINUTE_S), now)  # another sandbox's clock may be ahead
        if minute > now - MINUTES:
            minutes[minute] = NanoUsd(minutes.get(minute, 0) + each.row.cost_nano_usd)
    return MinuteSpend(shard, rows[0].number, rows[-1].number, minutes, now)


def _sum_usd(minutes: Iterable[tuple[int, NanoUsd]], *, now: int) -> float:
    """A metric is a float; the sum is exact before it becomes one."""
    return sum(cost for minute, cost in minutes if minute > now - MINUTES) / NANO_PER_USD

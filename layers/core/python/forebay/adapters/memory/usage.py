"""Ports `UsageBooks` and `UsageReader` in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from forebay.rollups import Dimension, RollUp, Tally, Totals


class MemoryUsage:
    """Parts of roll-ups in a dict, kept for as long as the process."""

    def __init__(self) -> None:
        self._parts: dict[tuple[RollUp, str], tuple[str, Totals]] = {}

    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        """Add to a shard's part of a roll-up, unless it has counted a row from then on."""
        last, totals = self._parts.get((roll_up, shard), ("", Totals()))
        if last >= tally.first:
            return last
        totals.include(tally.totals)
        self._parts[roll_up, shard] = (tally.last, totals)
        return None

    def roll_ups(
        self, dimension: Dimension, *, first_day: str, last_day: str
    ) -> Iterator[tuple[RollUp, Totals]]:
        """Read the roll-ups of these days, once for each of their parts."""
        first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
        for (roll_up, _), (_, totals) in list(self._parts.items()):
            if roll_up.dimension is dimension and first <= date.fromisoformat(roll_up.day) <= last:
                copy = Totals()
                copy.include(totals)
                yield roll_up, copy

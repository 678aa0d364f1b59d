"""Port `SpendBooks` in memory."""

from __future__ import annotations

from forebay.money import NanoUsd
from forebay.rollups import MinuteSpend, SpendState


class MemorySpendBooks:
    """Minutes and counted rows in dicts, kept for as long as the process."""

    def __init__(self) -> None:
        self._minutes: dict[int, NanoUsd] = {}
        self._counted: dict[str, str] = {}

    async def add_spend(self, entry: MinuteSpend) -> SpendState:
        """Add rows of a shard, unless it has counted one from `entry.first` on."""
        counted_to = self._counted.get(entry.shard, "")
        if counted_to >= entry.first:
            return SpendState(dict(self._minutes), counted_to)
        self._counted[entry.shard] = entry.last
        for minute, cost in entry.minutes.items():
            self._minutes[minute] = NanoUsd(self._minutes.get(minute, 0) + cost)
        return SpendState(dict(self._minutes), None)

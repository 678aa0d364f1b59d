"""Ports `FleetStore` and `FleetBooks` in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TypeVar

from forebay.resilience.breaker import Breaker, BreakerRecord, BreakerState, Replacement
from forebay.resilience.credit import RetryCredit
from forebay.resilience.fleet_view import MAX_FIGURES, NO_FIGURES, Figures, FleetSnapshot
from forebay.resilience.window import Counts, Window, is_stale

Entry = TypeVar("Entry")


class MemoryFleet:
    """Records in a dict, shared by all who are given it; its reads are never behind its writes."""

    def __init__(self) -> None:
        self._records: dict[str, BreakerRecord] = {}
        self._batches: set[tuple[str, str]] = set()
        self._snapshot = FleetSnapshot()

    async def snapshot(self) -> FleetSnapshot:
        """Read it."""
        return self._snapshot

    async def report(self, target: str, told: Window) -> BreakerRecord:
        """Add to a target's counts and return its record as it is now."""
        record = self._record(target)
        return self._put(replace(record, told=_sum(record.told, told)))

    async def replace(self, target: str, breaker: Breaker) -> Replacement:
        """Store a target's next state, if its version is the one after the stored one."""
        record = self._record(target)
        if record.breaker.version != breaker.version - 1:
            return Replacement(won=False, record=record)
        return Replacement(won=True, record=self._put(replace(record, breaker=breaker)))

    async def publish(self, record: BreakerRecord) -> None:
        """Put a target's state into the snapshot, unless a later version is there."""
        shown = self._snapshot.breakers.get(record.target)
        if shown is None or shown.version < record.breaker.version:
            breakers = {**self._snapshot.breakers, record.target: record.breaker}
            self._show(breakers, self._snapshot.figures)

    async def spend_credit(self, target: str) -> float | None:
        """Spend one of the target's retry credit; return what is left, None if there was none."""
        record = self._record(target)
        left = RetryCredit(record.credit).spent()
        return None if left is None else self._put(replace(record, credit=left.left)).credit

    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        """Add what the ledger's stream brought; return the record as it is now."""
        record = self._record(target)
        if (target, batch) in self._batches:
            return record
        self._batches.add((target, batch))
        credit = RetryCredit(record.credit).succeeded(successes).left
        return self._put(replace(record, streamed=_sum(record.streamed, window), credit=credit))

    async def publish_figures(self, target: str, figures: Figures) -> None:
        """Put a target's figures into the snapshot, if there is room for them."""
        others = _without(target, self._snapshot.figures)
        if figures == NO_FIGURES:
            self._show(self._snapshot.breakers, others)
        elif len(others) < MAX_FIGURES:
            self._show(self._snapshot.breakers, {**others, target: figures})

    async def records(self) -> AsyncIterator[BreakerRecord]:
        """All records as they are now, in no order."""
        for record in list(self._records.values()):
            yield record

    async def forget(self, record: BreakerRecord) -> None:
        """Take a closed target's state out of the snapshot, if it is still this one."""
        held = self._snapshot.breakers
        if held.get(record.target) == record.breaker and _is_closed(record):
            self._show(_without(record.target, held), self._snapshot.figures)

    def _record(self, target: str) -> BreakerRecord:
        return self._records.get(target, BreakerRecord(target))

    def _put(self, record: BreakerRecord) -> BreakerRecord:
        self._records[record.target] = record
        return record

    def _show(self, breakers: Mapping[str, Breaker], figures: Mapping[str, Figures]) -> None:
        self._snapshot = FleetSnapshot(breakers, figures)


def _is_closed(record: BreakerRecord) -> bool:
    return record.breaker.state is BreakerState.CLOSED


def _without(target: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {name: entry for name, entry in entries.items() if name != target}


def _sum(held: Window, more: Window) -> dict[int, Counts]:
    newest = max(more, default=0)
    kept = {each for each in held if not is_stale(each, newest=newest)} if more else held.keys()
    return {
        each: held.get(each, Counts()) + more.get(each, Counts()) for each in kept | more.keys()
    }

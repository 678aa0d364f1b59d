"""The fleet's snapshot, put right from the targets' records.

Whoever changes a breaker writes the record, then the snapshot; it may die in between. Whoever
measures publishes figures; it may have nothing more to measure. Both are mended here, so that the
snapshot is right a minute later whatever happened.
"""

from __future__ import annotations

from forebay.ports import Clock, FleetStore
from forebay.ports.background import FleetBooks
from forebay.resilience.breaker import BreakerRecord, BreakerState
from forebay.resilience.fleet_view import HEALTHY, NO_FIGURES
from forebay.resilience.window import bucket_s
from forebay.service.settler import STALE_S
from forebay.settings import BreakerSettings

FORGET_AFTER_S = 60.0
"""A breaker that is closed for so long says no more than one that is absent: no process goes by a
copy of the snapshot that is older than half of this."""


class SnapshotRepair:
    """Two of the controller's duties.

    Args:
        store: Where the processes of the fleet meet.
        books: What only settler and controller see there.
        clock: Only its wall clock is asked.
        settings: Say how long a bucket is.
    """

    def __init__(
        self, store: FleetStore, books: FleetBooks, clock: Clock, settings: BreakerSettings
    ) -> None:
        self._store = store
        self._books = books
        self._clock = clock
        self._settings = settings

    async def republish_breakers(self) -> None:
        """Publish what the snapshot does not have yet; take out what is closed for long.

        Reads all records; writes nothing while all is well.
        """
        shown = (await self._store.snapshot()).breakers
        forgettable = self._clock.now() - FORGET_AFTER_S
        async for record in self._books.records():
            breaker = record.breaker
            if breaker.state is BreakerState.CLOSED and breaker.since < forgettable:
                if record.target in shown:
                    await self._republish_or_forget(record, shown[record.target].version)
            elif breaker.version > shown.get(record.target, HEALTHY).version:
                await self._store.publish(record)

    async def drop_stale_figures(self) -> None:
        """Take out figures of targets that nobody has called for `STALE_S`, or that are gone."""
        shown = (await self._store.snapshot()).figures
        if not shown:
            return
        stale = set(shown)
        async for record in self._books.records():
            if self._clock.now() - self._last_heard_of(record) < STALE_S:
                stale.discard(record.target)
        for target in sorted(stale):
            await self._books.publish_figures(target, NO_FIGURES)

    async def _republish_or_forget(self, record: BreakerRecord, shown_version: int) -> None:
        if shown_version < record.breaker.version:
            await self._store.publish(record)  # the next round forgets it
        else:
            await self._books.forget(record)

    def _last_heard_of(self, record: BreakerRecord) -> float:
        """When the latest attempt ended that is in its record, epoch seconds; 0 if none is."""
        return (max(record.streamed, default=-1) + 1) * bucket_s(self._settings)

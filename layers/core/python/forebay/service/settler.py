"""The ledger's rows, turned into what the fleet knows of its targets' health.

A batch of rows is entered target by target, each by one write that a second delivery of the batch
does not repeat. What follows from the record (a breaker that should open, figures to publish) is
done again when a batch comes again, which is harmless and mends what was interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from forebay.model import LedgerRow
from forebay.ports import Clock, FleetStore
from forebay.ports.background import FleetBooks
from forebay.resilience.breaker import BreakerRecord, judged
from forebay.resilience.first_tokens import FirstTokens
from forebay.resilience.fleet_view import Figures
from forebay.rollups import LedgerBatch
from forebay.service.health_windows import TargetNews, news_by_target
from forebay.settings import BreakerSettings

STALE_S = 600.0
"""After so long without a call, what was measured of a target says nothing of it any more."""

RETELL_S = 60.0
"""Figures that hardly change are published so often."""

P95_CHANGE = 0.1
"""A 95th percentile that moved by this share is published at once: hedges go by it."""

CREDIT_CHANGE = 1.0
"""Retry credit that moved by this much is: a further attempt costs one."""


@dataclass(slots=True)
class _Measured:
    """What this process measured of a target, and last said of it."""

    first_tokens: FirstTokens = field(default_factory=FirstTokens)
    last_batch: str = ""
    last_at: float = 0.0
    told: tuple[float, float] | None = None
    """95th percentile (seconds) and retry credit."""
    told_at: float = 0.0

    def add(self, news: TargetNews, *, batch: str, now: float) -> None:
        """Take in times; those of a batch that comes again are known."""
        if now - self.last_at > STALE_S:
            self.first_tokens = FirstTokens()
        self.last_at = now
        if batch != self.last_batch:
            self.last_batch = batch
            for time_s in news.first_tokens_s:
                self.first_tokens.add(time_s)

    def worth_telling(self, p95_s: float, credit: float, *, now: float) -> bool:
        """Whether others should hear of these figures now."""
        if self.told is None or now - self.told_at >= RETELL_S:
            return True
        before_s, before = self.told
        return (
            abs(p95_s - before_s) > P95_CHANGE * before_s or abs(credit - before) >= CREDIT_CHANGE
        )


class Settler:
    """Enters batches of rows; to be used within one event loop.

    Args:
        store: Where the processes of the fleet meet.
        books: What only settler and controller write there.
        clock: Only its wall clock is asked.
        settings: When breakers open.
    """

    def __init__(
        self, store: FleetStore, books: FleetBooks, clock: Clock, settings: BreakerSettings
    ) -> None:
        self._store = store
        self._books = books
        self._clock = clock
        self._settings = settings
        self._measured: dict[str, _Measured] = {}

    async def settle_batch(self, batch: LedgerBatch) -> None:
        """Enter a batch of the ledger's stream; see `settle`."""
        await self.settle(batch.name, [each.row for each in batch.rows])

    async def settle(self, batch: str, rows: Iterable[LedgerRow]) -> None:
        """Enter the rows. One write a target; two or three more when something changed.

        Args:
            batch: Names these rows; the same when they are delivered again.
            rows: Of the ledger.

        Raises:
            StoreError: The store failed for one target or several, the others are entered. The
                same batch is to come again: what was entered is not entered twice.
        """
        news = news_by_target(rows, self._settings, now=self._clock.now())
        # Each to its end: a target whose item is throttled does not keep others from being heard.
        ends = await asyncio.gather(
            *(self._enter(target, each, batch) for target, each in news.items()),
            return_exceptions=True,
        )
        for end in ends:
            if end is not None:
                raise end

    async def _enter(self, target: str, news: TargetNews, batch: str) -> None:
        if not news.window:  # nothing that says something, or nothing recent
            return
        record = await self._books.add_streamed(
            target, news.window, batch=batch, successes=news.successes
        )
        opened = judged(record, self._settings, now=self._clock.now())
        if opened is not None:
            record = (await self._store.replace(target, opened)).record
            await self._store.publish(record)
        await self._tell_figures(record, news, batch)

    async def _tell_figures(self, record: BreakerRecord, news: TargetNews, batch: str) -> None:
        now = self._clock.now()
        measured = self._measured.setdefault(record.target, _Measured())
        measured.add(news, batch=batch, now=now)
        p95_s = measured.first_tokens.p95_s
        # A process that has measured too little says nothing: another's figures may stand there.
        if p95_s is not None and measured.worth_telling(p95_s, record.credit, now=now):
            await self._books.publish_figures(record.target, Figures(p95_s, record.credit))
            measured.told, measured.told_at = (p95_s, record.credit), now

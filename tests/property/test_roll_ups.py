"""However the ledger's stream is delivered, roll-ups are the sums of its rows, to the nano-dollar.

What is taken for granted is what Lambda promises: a shard's rows come in their order the first
time. After that, anything: whole batches and parts of them again, by several processes at once,
that die or lose the store's reply at any write.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.memory import MemoryUsage
from forebay.errors import StoreUnavailable
from forebay.model import LedgerRow, Usage
from forebay.money import NanoUsd
from forebay.rollups import (
    Dimension,
    LedgerBatch,
    NumberedRow,
    RollUp,
    Tally,
    Totals,
    roll_ups_of,
)
from forebay.service.roll_ups import RollUps
from tests.support.ledger_rows import NOW, row

DAYS = ("2026-01-01", "2028-01-01")

ROWS = st.builds(
    lambda cost, tokens, model, tags, age_s: replace(
        row(ended_at=NOW - age_s),
        cost_nano_usd=NanoUsd(cost),
        usage=Usage(tokens, tokens + 1, cached_input_tokens=tokens // 2),
        request_model=model,
        tags=tuple(tags),
    ),
    cost=st.integers(0, 2**50),
    tokens=st.integers(0, 1_000),
    model=st.sampled_from(["fast", "smart"]),
    tags=st.lists(st.sampled_from(["a", "b"]), max_size=3),
    age_s=st.sampled_from([0.0, 86_400.0]),
)
SHARDS = st.lists(st.lists(ROWS, min_size=1, max_size=8), min_size=1, max_size=3)


class Died(BaseException):
    """The process was killed."""


@dataclass
class WorldsBooks:
    """Books that fail as they are told, before a write or after it."""

    usage: MemoryUsage
    fates: list[str] = field(default_factory=list)

    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        fate = self.fates.pop() if self.fates else "done"
        await asyncio.sleep(0)
        if fate == "not done":
            raise StoreUnavailable("throttled")
        if fate == "dies before":
            raise Died
        told = await self.usage.add(roll_up, shard, tally)
        if fate == "reply lost":
            raise StoreUnavailable("no reply in time")
        if fate == "dies after":
            raise Died
        return told


@dataclass
class Shard:
    """A shard, and how far its rows have been delivered."""

    name: str
    rows: list[NumberedRow]
    delivered: int = 0

    def batch(self, first: int, last: int) -> LedgerBatch:
        return LedgerBatch(f"{self.name}/{first}", self.name, tuple(self.rows[first:last]))


FATES = st.lists(
    st.sampled_from(["done", "done", "not done", "reply lost", "dies before", "dies after"]),
    max_size=12,
)


async def deliver(books: WorldsBooks, batch: LedgerBatch, processes: int) -> bool:
    """Give a batch to processes at once; return whether one of them entered it."""
    ends = await asyncio.gather(
        *(_enter(books, batch) for _ in range(processes)), return_exceptions=True
    )
    return None in ends


async def _enter(books: WorldsBooks, batch: LedgerBatch) -> None:
    try:
        await RollUps(books).enter(batch)
    except Died as death:
        raise StoreUnavailable("nobody answers") from death


def sums(usage: MemoryUsage) -> dict[RollUp, Totals]:
    found: dict[RollUp, Totals] = {}
    for dimension in Dimension:
        for roll_up, part in usage.roll_ups(dimension, first_day=DAYS[0], last_day=DAYS[1]):
            found.setdefault(roll_up, Totals()).include(part)
    return found


def expected(rows: list[LedgerRow]) -> dict[RollUp, Totals]:
    found: dict[RollUp, Totals] = {}
    for each in rows:
        for roll_up in roll_ups_of(each):
            found.setdefault(roll_up, Totals()).add(each)
    return found


@given(drawn=SHARDS, data=st.data())
def test_inv2_each_row_counts_once_in_each_roll_up(
    drawn: list[list[LedgerRow]], data: st.DataObject
) -> None:
    shards = [
        Shard(f"s{index}", [NumberedRow(f"{n:040d}", each) for n, each in enumerate(rows)])
        for index, rows in enumerate(drawn)
    ]
    usage = MemoryUsage()

    async def main() -> None:
        for _ in range(data.draw(st.integers(0, 12), label="deliveries")):
            shard = data.draw(st.sampled_from(shards), label="shard")
            first = data.draw(st.integers(0, min(shard.delivered, len(shard.rows) - 1)))
            last = data.draw(st.integers(first + 1, len(shard.rows)))
            books = WorldsBooks(usage, data.draw(FATES, label="fates"))
            processes = data.draw(st.integers(1, 3), label="processes")
            if await deliver(books, shard.batch(first, last), processes):
                shard.delivered = max(shard.delivered, last)
        for shard in shards:
            assert await deliver(WorldsBooks(usage), shard.batch(0, len(shard.rows)), 1)

    asyncio.run(main())
    assert sums(usage) == expected([each for rows in drawn for each in rows])

"""However the ledger's stream is delivered, each attempt counts once."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.model import AttemptRecord, AttemptResult, LedgerRow
from forebay.resilience.window import Counts
from forebay.service.settler import Settler
from forebay.settings import BreakerSettings
from tests.support.ledger_rows import NOW, row

TARGETS = ("a/m", "b/m")
COUNTED = st.sampled_from([AttemptResult.COMPLETE, AttemptResult.FAILED, AttemptResult.CUT])
ATTEMPTS = st.builds(AttemptRecord, target=st.sampled_from(TARGETS), result=COUNTED)
ROWS = st.tuples(st.lists(ATTEMPTS, max_size=4), st.floats(0, 15)).map(
    lambda drawn: row(*drawn[0], ended_at=NOW - drawn[1])
)
BATCHES = st.lists(st.lists(ROWS, max_size=6), min_size=1, max_size=6)


@given(batches=BATCHES, data=st.data())
def test_each_attempt_counts_once_in_any_order_and_however_often_it_comes(
    batches: list[list[LedgerRow]], data: st.DataObject
) -> None:
    numbers = st.integers(0, len(batches) - 1)
    again = data.draw(st.lists(numbers, max_size=8), label="again")
    order = data.draw(st.permutations([*range(len(batches)), *again]), label="order")

    async def main() -> dict[str, Counts]:
        fleet, clock = MemoryFleet(), ManualClock(NOW)
        processes = [Settler(fleet, fleet, clock, BreakerSettings()) for _ in range(2)]
        for place, number in enumerate(order):
            await processes[place % 2].settle(str(number), batches[number])
        return {
            record.target: sum(record.streamed.values(), Counts())
            async for record in fleet.records()
        }

    attempts = [each for batch in batches for entry in batch for each in entry.attempts]
    counted = asyncio.run(main())
    for target in TARGETS:
        own = [each.result.is_fault for each in attempts if each.target == target]
        assert counted.get(target, Counts()) == Counts(len(own), sum(own))

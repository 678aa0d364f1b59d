"""Port `FleetStore`: the retry credit that the fleet shares."""

import asyncio

import pytest

from forebay.resilience.breaker import BreakerRecord
from forebay.resilience.credit import BURST
from forebay.resilience.window import Counts
from tests.contract.stores.conftest import FleetTable, OpenFleet
from tests.contract.stores.health import BUCKET, ONE_FAULT, TARGET, on, records


def test_credit_starts_full_and_never_goes_below_zero(fleet_table: OpenFleet) -> None:
    async def spend(fleet: FleetTable) -> list[float | None]:
        return [await fleet.spend_credit(TARGET) for _ in range(12)]

    assert on(fleet_table, spend) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, None, None]
    assert records(fleet_table)[TARGET].credit == 0


def test_inv6_of_16_who_spend_at_the_same_time_as_many_succeed_as_there_is_credit(
    fleet_table: OpenFleet,
) -> None:
    async def race(fleet: FleetTable) -> list[float | None]:
        return await asyncio.gather(*(fleet.spend_credit(TARGET) for _ in range(16)))

    left = [credit for credit in on(fleet_table, race) if credit is not None]
    assert sorted(left) == list(range(10))


def test_ten_successes_earn_one_credit(fleet_table: OpenFleet) -> None:
    async def earn(fleet: FleetTable) -> list[float | None]:
        for _ in range(10):
            await fleet.spend_credit(TARGET)
        left = []
        for batch in range(4):
            await fleet.add_streamed(TARGET, {BUCKET: Counts(3)}, batch=f"{batch}", successes=3)
            left.append(await fleet.spend_credit(TARGET))
        return left

    assert on(fleet_table, earn) == [None, None, None, pytest.approx(0.2)]


@pytest.mark.parametrize("spent", [0, 1, 5, 10])
def test_credit_is_never_more_than_the_burst(fleet_table: OpenFleet, spent: int) -> None:
    async def earn(fleet: FleetTable) -> BreakerRecord:
        for _ in range(spent):
            await fleet.spend_credit(TARGET)
        return await fleet.add_streamed(TARGET, ONE_FAULT, batch="1", successes=1000)

    assert on(fleet_table, earn).credit == BURST
    assert records(fleet_table)[TARGET].credit == BURST


def test_earning_and_spending_at_the_same_time_loses_nothing_that_is_spent(
    fleet_table: OpenFleet,
) -> None:
    async def race(fleet: FleetTable) -> int:
        for _ in range(5):
            await fleet.spend_credit(TARGET)
        spends = [fleet.spend_credit(TARGET) for _ in range(8)]
        earns = [
            fleet.add_streamed(TARGET, {}, batch=f"{batch}", successes=10) for batch in range(8)
        ]
        spent, _ = await asyncio.gather(asyncio.gather(*spends), asyncio.gather(*earns))
        return sum(left is not None for left in spent)

    spent = on(fleet_table, race)
    credit = records(fleet_table)[TARGET].credit
    assert 0 <= credit <= 5 + 8 - spent

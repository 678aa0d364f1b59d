"""Ports `FleetStore` and `FleetBooks`: what every store of the targets' health does."""

import asyncio
from dataclasses import replace

import pytest

from forebay.adapters.dynamodb import DynamoFleet
from forebay.adapters.dynamodb.tables import TableLocation
from forebay.errors import StoreError
from forebay.resilience.breaker import Breaker, BreakerRecord, Replacement
from forebay.resilience.credit import BURST
from forebay.resilience.fleet_view import MAX_FIGURES, Figures, FleetSnapshot
from forebay.resilience.window import BUCKETS, Counts
from tests.contract.stores.conftest import FleetTable, OpenFleet, opened
from tests.contract.stores.health import (
    BUCKET,
    CLOSED,
    LEASED,
    NOW,
    ONE_FAULT,
    OPEN,
    OTHER,
    TARGET,
    on,
    records,
    snapshot,
)


def store_states(store: OpenFleet, *breakers: Breaker) -> BreakerRecord:
    """Give the target one state after the other and return its record."""

    async def write(fleet: FleetTable) -> list[BreakerRecord]:
        return [(await fleet.replace(TARGET, breaker)).record for breaker in breakers]

    return on(store, write)[-1]


def publish(store: OpenFleet, *shown: BreakerRecord) -> None:
    async def write(fleet: FleetTable) -> None:
        for record in shown:
            await fleet.publish(record)

    on(store, write)


def test_an_empty_store_knows_nothing(fleet_table: OpenFleet) -> None:
    assert snapshot(fleet_table) == FleetSnapshot()
    assert records(fleet_table) == {}


def test_a_report_adds_to_what_is_there_and_returns_all_of_it(fleet_table: OpenFleet) -> None:
    told = {BUCKET: Counts(3, 1, 2), BUCKET - 1: Counts(2)}
    on(fleet_table, lambda fleet: fleet.report(TARGET, told))
    record = on(fleet_table, lambda fleet: fleet.report(TARGET, ONE_FAULT))
    assert record == BreakerRecord(TARGET, told={BUCKET: Counts(4, 2, 2), BUCKET - 1: Counts(2)})
    assert records(fleet_table) == {TARGET: record}


def test_reports_of_different_targets_do_not_meet(fleet_table: OpenFleet) -> None:
    on(fleet_table, lambda fleet: fleet.report(TARGET, ONE_FAULT))
    on(fleet_table, lambda fleet: fleet.report(OTHER, ONE_FAULT))
    assert records(fleet_table) == {
        target: BreakerRecord(target, told=ONE_FAULT) for target in (TARGET, OTHER)
    }


def test_16_who_report_at_the_same_time_are_all_counted(fleet_table: OpenFleet) -> None:
    async def race(fleet: FleetTable) -> list[BreakerRecord]:
        return await asyncio.gather(*(fleet.report(TARGET, ONE_FAULT) for _ in range(16)))

    seen = sorted(record.told[BUCKET].faults for record in on(fleet_table, race))
    assert seen == list(range(1, 17))
    assert records(fleet_table)[TARGET].told == {BUCKET: Counts(16, 16)}


def test_told_and_streamed_counts_are_kept_apart(fleet_table: OpenFleet) -> None:
    streamed = {BUCKET: Counts(9, 2, 1)}
    on(fleet_table, lambda fleet: fleet.report(TARGET, ONE_FAULT))
    record = on(
        fleet_table,
        lambda fleet: fleet.add_streamed(TARGET, streamed, batch="1", successes=7),
    )
    assert record == BreakerRecord(TARGET, told=ONE_FAULT, streamed=streamed)


def test_a_batch_that_comes_again_is_not_added_again(fleet_table: OpenFleet) -> None:
    async def deliver(fleet: FleetTable) -> list[BreakerRecord]:
        batches = ["shard 1: 7-9", "shard 1: 7-9", "shard 2: 7-9"]
        return [
            await fleet.add_streamed(TARGET, ONE_FAULT, batch=batch, successes=0)
            for batch in batches
        ]

    seen = [record.streamed[BUCKET].faults for record in on(fleet_table, deliver)]
    assert seen == [1, 1, 2]


def test_of_16_deliveries_of_one_batch_at_the_same_time_one_counts(fleet_table: OpenFleet) -> None:
    async def race(fleet: FleetTable) -> None:
        await asyncio.gather(
            *(fleet.add_streamed(TARGET, ONE_FAULT, batch="1", successes=0) for _ in range(16))
        )

    on(fleet_table, race)
    assert records(fleet_table)[TARGET].streamed == ONE_FAULT


def test_counts_out_of_reach_are_dropped(fleet_table: OpenFleet) -> None:
    async def live_on(fleet: FleetTable) -> BreakerRecord:
        for bucket in range(BUCKET, BUCKET + 10 * BUCKETS):
            await fleet.add_streamed(TARGET, {bucket: Counts(5)}, batch=str(bucket), successes=0)
            await fleet.report(TARGET, {bucket: Counts(1, 1, 1)})
        return await fleet.report(TARGET, {BUCKET + 10 * BUCKETS: Counts(1, 1)})

    record = on(fleet_table, live_on)
    newest = BUCKET + 10 * BUCKETS
    in_reach = set(range(newest - BUCKETS + 1, newest))
    assert in_reach <= record.told.keys()
    assert in_reach <= record.streamed.keys()
    assert len(record.told) + len(record.streamed) <= 5 * BUCKETS


def test_a_state_is_stored_whole(fleet_table: OpenFleet) -> None:
    assert store_states(fleet_table, OPEN, LEASED).breaker == LEASED
    assert records(fleet_table)[TARGET] == BreakerRecord(TARGET, LEASED)


@pytest.mark.parametrize(
    "version", [0, 1, 3, 4], ids=["before", "again", "skipped one", "skipped two"]
)
def test_only_the_very_next_state_is_stored(fleet_table: OpenFleet, version: int) -> None:
    store_states(fleet_table, OPEN)
    record = store_states(fleet_table, replace(LEASED, version=version))
    assert record.breaker == OPEN
    assert records(fleet_table)[TARGET].breaker == OPEN


def test_a_first_state_needs_no_report_before_it_but_must_be_the_first(
    fleet_table: OpenFleet,
) -> None:
    assert store_states(fleet_table, LEASED) == BreakerRecord(TARGET)
    assert store_states(fleet_table, OPEN).breaker == OPEN


def test_a_new_state_keeps_counts_and_credit(fleet_table: OpenFleet) -> None:
    on(fleet_table, lambda fleet: fleet.report(TARGET, ONE_FAULT))
    on(fleet_table, lambda fleet: fleet.spend_credit(TARGET))
    assert store_states(fleet_table, OPEN) == BreakerRecord(
        TARGET, OPEN, told=ONE_FAULT, credit=BURST - 1
    )


def test_of_16_who_change_a_state_at_the_same_time_one_wins_and_all_are_told(
    fleet_table: OpenFleet,
) -> None:
    async def race(fleet: FleetTable) -> list[Replacement]:
        rivals = [replace(OPEN, until=NOW + number) for number in range(16)]
        return await asyncio.gather(*(fleet.replace(TARGET, rival) for rival in rivals))

    told = on(fleet_table, race)
    assert [replacement.won for replacement in told].count(True) == 1
    (stored,) = {replacement.record.breaker for replacement in told}
    assert records(fleet_table)[TARGET].breaker == stored


def test_of_16_who_want_to_probe_at_the_same_instant_one_gets_the_lease(
    fleet_table: OpenFleet,
) -> None:
    store_states(fleet_table, OPEN)

    async def race(fleet: FleetTable) -> list[Replacement]:
        return await asyncio.gather(*(fleet.replace(TARGET, LEASED) for _ in range(16)))

    assert [replacement.won for replacement in on(fleet_table, race)].count(True) == 1


def test_a_published_state_is_in_the_snapshot(fleet_table: OpenFleet) -> None:
    publish(fleet_table, BreakerRecord(TARGET, OPEN), BreakerRecord(OTHER, LEASED))
    assert snapshot(fleet_table).breakers == {TARGET: OPEN, OTHER: LEASED}


def test_an_older_state_does_not_push_out_a_later_one(fleet_table: OpenFleet) -> None:
    publish(fleet_table, BreakerRecord(TARGET, LEASED), BreakerRecord(TARGET, OPEN))
    assert snapshot(fleet_table).breakers == {TARGET: LEASED}


def test_16_who_publish_first_of_all_do_not_lose_each_other(fleet_table: OpenFleet) -> None:
    targets = [f"provider/model-{number}" for number in range(16)]

    async def race(fleet: FleetTable) -> None:
        await asyncio.gather(*(fleet.publish(BreakerRecord(target, OPEN)) for target in targets))

    on(fleet_table, race)
    assert snapshot(fleet_table).breakers == dict.fromkeys(targets, OPEN)


def test_figures_stand_beside_states(fleet_table: OpenFleet) -> None:
    publish(fleet_table, BreakerRecord(TARGET, OPEN))
    on(fleet_table, lambda fleet: fleet.publish_figures(TARGET, Figures(0.25, 3.5)))
    on(fleet_table, lambda fleet: fleet.publish_figures(OTHER, Figures(None, 0.0)))
    assert snapshot(fleet_table) == FleetSnapshot(
        {TARGET: OPEN}, {TARGET: Figures(0.25, 3.5), OTHER: Figures(None, 0.0)}
    )


def test_figures_of_too_many_targets_are_left_out_but_known_ones_stay_current(
    fleet_table: OpenFleet,
) -> None:
    async def publish_all(fleet: FleetTable) -> None:
        for number in range(MAX_FIGURES + 5):
            await fleet.publish_figures(f"provider/model-{number}", Figures(1.0))
        await fleet.publish_figures("provider/model-0", Figures(2.0))

    on(fleet_table, publish_all)
    figures = snapshot(fleet_table).figures
    assert len(figures) == MAX_FIGURES
    assert figures["provider/model-0"] == Figures(2.0)


def test_figures_that_say_nothing_make_room(fleet_table: OpenFleet) -> None:
    async def publish_all(fleet: FleetTable) -> None:
        for number in range(MAX_FIGURES):
            await fleet.publish_figures(f"provider/model-{number}", Figures(1.0))
        await fleet.publish_figures("provider/model-0", Figures())
        await fleet.publish_figures(TARGET, Figures(2.0))

    on(fleet_table, publish_all)
    figures = snapshot(fleet_table).figures
    assert "provider/model-0" not in figures
    assert figures[TARGET] == Figures(2.0)


def test_a_closed_state_can_be_forgotten(fleet_table: OpenFleet) -> None:
    publish(fleet_table, BreakerRecord(TARGET, CLOSED), BreakerRecord(OTHER, OPEN))
    on(fleet_table, lambda fleet: fleet.forget(BreakerRecord(TARGET, CLOSED)))
    assert snapshot(fleet_table).breakers == {OTHER: OPEN}


@pytest.mark.parametrize(
    ("shown", "forgotten"),
    [
        pytest.param(OPEN, OPEN, id="open"),
        pytest.param(replace(OPEN, version=4), CLOSED, id="later"),
    ],
)
def test_no_other_state_is_forgotten(
    fleet_table: OpenFleet, shown: Breaker, forgotten: Breaker
) -> None:
    publish(fleet_table, BreakerRecord(TARGET, shown))
    on(fleet_table, lambda fleet: fleet.forget(BreakerRecord(TARGET, forgotten)))
    assert snapshot(fleet_table).breakers == {TARGET: shown}


def test_who_is_not_there_is_forgotten_already(fleet_table: OpenFleet) -> None:
    on(fleet_table, lambda fleet: fleet.forget(BreakerRecord(TARGET, CLOSED)))
    assert snapshot(fleet_table).breakers == {}


def test_a_batch_without_counts_changes_nothing(fleet_table: OpenFleet) -> None:
    record = on(fleet_table, lambda fleet: fleet.add_streamed(TARGET, {}, batch="1", successes=0))
    assert record == BreakerRecord(TARGET)


@pytest.mark.ministack
def test_records_are_read_over_many_pages(
    dynamo_fleet_table: OpenFleet, location: TableLocation
) -> None:
    targets = {f"provider/{number}" for number in range(25)}

    async def fill() -> None:
        async with opened(location) as database:
            for target in targets:
                item = {"target": {"S": target}, "padding": {"S": "x" * 100_000}}
                await database.put_item({"TableName": location.name, "Item": item})

    asyncio.run(fill())
    assert records(dynamo_fleet_table).keys() == targets


@pytest.mark.ministack
@pytest.mark.parametrize(
    "item",
    [
        {"target": {"S": TARGET}, "state": {"S": "ajar"}},
        {"target": {"S": TARGET}, "version": {"S": "x"}},
        {"target": {"S": TARGET}, "since": {"M": {}}},
    ],
    ids=["state", "number", "type"],
)
def test_a_record_that_cannot_be_read_is_an_error_that_names_it(
    dynamo_fleet_table: OpenFleet, location: TableLocation, item: dict[str, object]
) -> None:
    async def put() -> None:
        async with opened(location) as database:
            await database.put_item({"TableName": location.name, "Item": item})

    asyncio.run(put())
    with pytest.raises(StoreError, match=f"breakers: item {TARGET} cannot be read"):
        on(dynamo_fleet_table, lambda fleet: fleet.report(TARGET, ONE_FAULT))


@pytest.mark.ministack
def test_a_snapshot_that_cannot_be_read_is_a_store_error(
    dynamo_fleet_table: OpenFleet, location: TableLocation
) -> None:
    async def put() -> None:
        async with opened(location) as database:
            await database.put_item(
                {"TableName": location.name, "Item": {"target": {"S": "#fleet"}}}
            )

    asyncio.run(put())
    with pytest.raises(StoreError, match="breakers: item #fleet cannot be read"):
        snapshot(dynamo_fleet_table)


@pytest.mark.ministack
def test_a_table_that_is_not_there_is_a_store_error(location: TableLocation) -> None:
    async def read() -> None:
        async with opened(location) as database:
            await DynamoFleet(database, table=location.name).snapshot()

    with pytest.raises(StoreError, match="ResourceNotFoundException"):
        asyncio.run(read())

"""Items of the table `breakers`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.dynamodb import fleet_items as items
from forebay.adapters.dynamodb.attributes import encode_item
from forebay.errors import StoreError
from forebay.resilience.breaker import Breaker, BreakerRecord, BreakerState
from forebay.resilience.fleet_view import MAX_FIGURES, Figures, FleetSnapshot
from forebay.resilience.window import BUCKETS, Counts

NOW = 1_800_000_000.123456
LEASED = Breaker(BreakerState.HALF_OPEN, NOW, NOW + 10, NOW + 20, reopenings=3, version=1234)

TIMES = st.floats(0, 4e9)
BREAKERS = st.builds(
    Breaker, st.sampled_from(BreakerState), TIMES, TIMES, TIMES, st.integers(0), st.integers(0)
)
POSITIVE = st.integers(1, 10**9)
WINDOWS = st.dictionaries(
    st.integers(0, 10**10), st.builds(Counts, POSITIVE, st.integers(0, 9), st.integers(0, 9))
)


def size_bytes(attribute: Any) -> int:
    """Return what DynamoDB counts for an attribute.

    A map takes 3 bytes and 1 for each element, a number one for two digits.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, value),) = attribute.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + size_bytes(each) for name, each in value.items())
    return len(value.encode()) if kind == "S" else len(value) // 2 + 2


def item_of(snapshot: FleetSnapshot) -> dict[str, Any]:
    shown = {
        name: {"M": encode_item(items.breaker_entry(each))}
        for name, each in snapshot.breakers.items()
    }
    figures = {
        name: {"M": encode_item(items.figures_entry(each))}
        for name, each in snapshot.figures.items()
    }
    return {**items.EMPTY_SNAPSHOT, "breakers": {"M": shown}, "figures": {"M": figures}}


@given(breaker=BREAKERS, told=WINDOWS, streamed=WINDOWS, credit=st.floats(0, 10))
def test_a_record_comes_back_as_it_was(
    breaker: Breaker, told: dict[int, Counts], streamed: dict[int, Counts], credit: float
) -> None:
    item = encode_item(
        {
            "target": "p/m",
            "credit": credit,
            **items.breaker_attributes(breaker),
            **items.count_attributes(items.TOLD, told),
            **items.count_attributes(items.STREAMED, streamed),
        }
    )
    assert items.item_to_record(item) == BreakerRecord("p/m", breaker, told, streamed, credit)


@given(breakers=st.dictionaries(st.text(), BREAKERS))
def test_states_of_a_snapshot_come_back_as_they_were(breakers: dict[str, Breaker]) -> None:
    snapshot = FleetSnapshot(breakers, {"p/m": Figures(0.25, 3.5), "p/n": Figures()})
    assert items.item_to_snapshot(item_of(snapshot)) == snapshot


def test_a_snapshot_with_all_figures_and_25_open_breakers_fits_into_4_kb() -> None:
    names = [f"provider/model-of-30-chars-{number:03}" for number in range(MAX_FIGURES)]
    snapshot = FleetSnapshot(dict.fromkeys(names[:25], LEASED), dict.fromkeys(names, Figures(12.3)))
    size = sum(len(name) + size_bytes(value) for name, value in item_of(snapshot).items())
    assert size <= 4096


def test_an_item_with_a_key_alone_is_a_healthy_target() -> None:
    assert items.item_to_record({"target": {"S": "p/m"}}) == BreakerRecord("p/m")


def test_attributes_of_a_newer_version_are_passed_over() -> None:
    item = {"target": {"S": "p/m"}, "mood": {"S": "good"}, "tx1": {"N": "1"}}
    assert items.item_to_record(item) == BreakerRecord("p/m")


def test_zeros_take_no_attribute() -> None:
    window = {7: Counts(3), 8: Counts(2, 1, 1)}
    assert items.count_attributes(items.TOLD, window) == {"tc7": 3, "tc8": 2, "tf8": 1, "ts8": 1}


def test_what_is_far_from_the_newest_bucket_is_stale_and_nothing_else() -> None:
    near, far = 1000 - 2 * BUCKETS, 1000 - 2 * BUCKETS - 1
    ahead = 1000 + 2 * BUCKETS + 1
    item = encode_item(
        {
            "target": "p/m",
            "version": 1,
            "credit": 1,
            f"tc{near}": 1,
            f"sf{far}": 1,
            f"tc{ahead}": 1,
            "b0000000a": far,
            "b0000000b": near,
        }
    )
    stale = items.stale_attributes(item, newest=1000)
    assert stale == {f"sf{far}", f"tc{ahead}", "b0000000a"}


def test_different_batches_have_different_marks() -> None:
    marks = {items.batch_attribute(f"shard-{number}: 1-2") for number in range(1000)}
    assert len(marks) == 1000


@pytest.mark.parametrize(
    "change",
    [{"breakers": {"S": "x"}}, {"breakers": {"M": {"p/m": {"M": {}}}}}, {"figures": {}}],
    ids=["kind", "entry", "empty"],
)
def test_a_snapshot_that_cannot_be_read_is_a_store_error(change: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="breakers: item #fleet cannot be read"):
        items.item_to_snapshot({**items.EMPTY_SNAPSHOT, **change})

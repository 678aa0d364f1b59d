"""How large a leaf is: what DynamoDB charges for, and the memory twin models."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from forebay.adapters.dynamodb.attributes import Item
from forebay.adapters.dynamodb.limit_items import item_to_leaf, leaf_to_item
from forebay.adapters.memory import ManualClock, MemoryLimits
from forebay.adapters.memory.capacity import UNIT_BYTES, WRITE_UNITS_A_SECOND, leaf_bytes
from forebay.admission.escrow import LeafPool
from forebay.admission.leaf import HOLDS_A_LEAF, Leaf
from forebay.errors import StoreError, StoreUnavailable
from tests.support.leaves import MONTH, NOW, SCOPE, entry, leaf

POOL = LeafPool(
    room=1_234_567_890_123, committed=987_654_321_098, drawn=12, returned=3, gave=50_000_001
)
BUSY = replace(
    leaf(),
    pools={MONTH: POOL, "key.20270115": POOL},
    holds={entry(number).short_id: entry(number).hold for number in range(HOLDS_A_LEAF)},
    tat_requests_us=NOW * 1_000_000 + 123_457,
    tat_tokens_us=NOW * 1_000_000 + 123_457,
    sweep_at=NOW + 123,
)


def item_bytes(item: Item) -> int:
    """The size that DynamoDB charges for, attribute by attribute."""
    return sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(attribute: dict[str, Any]) -> int:
    kind, value = next(iter(attribute.items()))
    if kind == "N":
        digits = str(value).lstrip("-").strip("0")
        return 1 + (len(digits) + 1) // 2 + int(value.startswith("-"))
    if kind == "M":
        return 3 + sum(1 + len(name) + _value_bytes(each) for name, each in value.items())
    return len(b64decode(value)) if kind == "B" else len(str(value))


@pytest.mark.parametrize("each", [leaf(), leaf(-5), BUSY], ids=["new", "negative", "busy"])
def test_the_twin_knows_the_size_of_the_item(each: Leaf) -> None:
    assert leaf_bytes(each) == item_bytes(leaf_to_item(each))


def test_a_leaf_full_of_holds_costs_one_unit_a_write() -> None:
    assert item_bytes(leaf_to_item(BUSY)) <= UNIT_BYTES


def test_a_leaf_is_read_as_it_was_written() -> None:
    assert item_to_leaf(leaf_to_item(BUSY)) == BUSY


@pytest.mark.parametrize("name", ["version", "holds", "tat_tokens", "scope"])
def test_an_item_that_lacks_an_attribute_is_no_leaf(name: str) -> None:
    item = leaf_to_item(BUSY)
    del item[name]
    with pytest.raises(StoreError, match="cannot be read"):
        item_to_leaf(item)


def test_a_leaf_takes_a_thousand_writes_a_second_refused_ones_too() -> None:
    clock = ManualClock()
    limits = MemoryLimits(clock)

    async def main() -> None:
        await limits.create(leaf(10))
        await limits.admit(SCOPE, entry(0))
        for _ in range(WRITE_UNITS_A_SECOND - 2):
            assert not (await limits.admit(SCOPE, entry(1))).done
        with pytest.raises(StoreUnavailable, match="throttled"):
            await limits.admit(SCOPE, entry(1))
        clock.advance(1)
        await limits.admit(SCOPE, entry(1))

    asyncio.run(main())
    assert (limits.capacity.units, limits.capacity.throttled) == (WRITE_UNITS_A_SECOND + 1, 1)


def test_a_large_leaf_takes_fewer() -> None:
    limits = MemoryLimits(ManualClock())

    async def main() -> None:
        holds = {entry(number).short_id: entry(number).hold for number in range(100)}
        await limits.create(replace(leaf(0), holds=holds))
        before = limits.capacity.units
        await limits.admit(SCOPE, entry(200))
        assert limits.capacity.units - before == 3

    asyncio.run(main())

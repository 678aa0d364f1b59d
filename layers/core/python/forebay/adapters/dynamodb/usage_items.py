"""Roll-ups and items of the table `usage`: names of the attributes, and of the keys.

An item is one part of one roll-up. A partition is a month of a dimension (`2026-11#model`), sorted
by day, so that a report reads what it prints and nothing else, one query a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from forebay.adapters.dynamodb.attributes import Item, decode_item, encode_item
from forebay.errors import StoreError
from forebay.rollups import COUNTERS, Dimension, Group, RollUp, Totals

LAST_NUMBER = "last_number"
"""Number of the last row that a part has counted."""

AFTER_A_DAY = "$"
"""Follows `#`, which follows the day in a part's key."""


def part_key(roll_up: RollUp, shard: str) -> Item:
    """Return the key of a shard's part of a roll-up."""
    day, group = roll_up.day, roll_up.group
    value = group.id if group.id == group.label else f"{group.id}#{group.label}"
    return encode_item(
        {
            "rollup": _partition(day, roll_up.dimension),
            "part": f"{day}#{shard}#{value}",
        }
    )


def partitions(
    dimension: Dimension, *, first_day: str, last_day: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each partition of these days, and the lowest and highest sort key that is wanted.

    Raises:
        ValueError: A day is no date.
    """
    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    for month in range(first.year * 12 + first.month, last.year * 12 + last.month + 1):
        year, number = divmod(month - 1, 12)
        yield (
            _partition(f"{year:04d}-{number + 1:02d}", dimension),
            first.isoformat(),
            f"{last.isoformat()}{AFTER_A_DAY}",
        )


def item_to_part(item: Mapping[str, Mapping[str, Any]]) -> tuple[RollUp, Totals]:
    """Return an item as a part of a roll-up.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    try:
        values = decode_item(item)
        return (
            RollUp(
                day=values["part"].partition("#")[0],
                dimension=Dimension(values["rollup"].partition("#")[2]),
                group=Group(values["label"], values["value_id"]),
            ),
            Totals(**{name: values[name] for name in COUNTERS}),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        name = item.get("part", {}).get("S", "?")
        raise StoreError(f"usage: item {name} cannot be read: {error}") from error


def _partition(day: str, dimension: Dimension) -> str:
    return f"{day[:7]}#{dimension}"

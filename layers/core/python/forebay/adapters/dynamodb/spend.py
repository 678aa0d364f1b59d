"""Port `SpendBooks` on DynamoDB: one item of the usage table, which answers with the hour.

It has an attribute for each minute (`m29465521`: nano-dollars) and for each shard of the ledger's
stream (`s…`: the number of its last counted row and the minute of that, `000…42@29465521`). What is
too old is removed along with the next addition; a write costs a unit for each KB, so one or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from forebay.adapters.dynamodb.attributes import Item, decode_item
from forebay.adapters.dynamodb.updates import Update
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.errors import ConditionFailed, StoreError
from forebay.money import NanoUsd
from forebay.rollups import MinuteSpend, SpendState

KEY: Final[Item] = {"rollup": {"S": "spend"}, "part": {"S": "last-hour"}}
MINUTE: Final = "m"
SHARD: Final = "s"

KEPT_MINUTES: Final = 120
"""Of spend: twice the window, so that no clock that is behind misses a minute."""

KEPT_SHARD_MINUTES: Final = 25 * 60
"""A stream keeps its records for 24 hours; after that none can come again."""


class DynamoSpendBooks:
    """Add to the hour by one `UpdateItem`.

    Args:
        database: The client.
        table: Name of the usage table.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table
        self._stale: list[str] = []

    async def add_spend(self, entry: MinuteSpend) -> SpendState:
        """Add rows of a shard, unless it has counted one from `entry.first` on."""
        request = _addition(entry, self._stale).request(self._table, KEY)
        try:
            # What the condition keeps from being done twice may be sent again.
            answer = await self._database.update_item(request, repeatable=True)
        except ConditionFailed as refused:
            if refused.item is None:
                raise StoreError("usage: a refusal does not show the item it met") from refused
            item = decode_item(refused.item)
            counted_to = item[SHARD + entry.shard].partition("@")[0]
            return SpendState(_minutes(item), counted_to)
        item = decode_item(answer["Attributes"])
        self._stale = _stale(item, now=entry.now)
        return SpendState(_minutes(item), None)


def _addition(entry: MinuteSpend, stale: list[str]) -> Update:
    update = Update()
    counted = update.name(SHARD + entry.shard)
    # `42@…` is above `42`, so that the row that was counted last is not counted again.
    update.only_if(f"attribute_not_exists({counted}) OR {counted} < {update.value(entry.first)}")
    update.set(counted, update.value(f"{entry.last}@{entry.now}"))
    added = {f"{MINUTE}{minute}": cost for minute, cost in entry.minutes.items()}
    for name, cost in added.items():
        update.add(name, cost)
    for name in stale:
        if name not in added and name != SHARD + entry.shard:
            update.remove(update.name(name))
    return update


def _minutes(item: Mapping[str, Any]) -> dict[int, NanoUsd]:
    return {
        int(name.removeprefix(MINUTE)): NanoUsd(value)
        for name, value in item.items()
        if name.startswith(MINUTE)
    }


def _stale(item: Mapping[str, Any], *, now: int) -> list[str]:
    minutes = [f"{MINUTE}{minute}" for minute in _minutes(item) if minute <= now - KEPT_MINUTES]
    shards = [
        name
        for name, value in item.items()
        if name.startswith(SHARD) and int(value.partition("@")[2]) <= now - KEPT_SHARD_MINUTES
    ]
    return minutes + shards

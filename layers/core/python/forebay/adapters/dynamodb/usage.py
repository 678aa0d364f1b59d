"""Port `UsageBooks` on DynamoDB."""

from __future__ import annotations

from forebay.adapters.dynamodb.updates import Update
from forebay.adapters.dynamodb.usage_items import LAST_NUMBER, part_key
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.errors import ConditionFailed, StoreError
from forebay.rollups import COUNTERS, RollUp, Tally


class DynamoUsageBooks:
    """Add to roll-ups, one `UpdateItem` a part: one write unit, also if it is refused.

    Args:
        database: The client.
        table: Name of the usage table.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table

    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        """Add to a shard's part of a roll-up, unless it has counted a row from then on."""
        update = _addition(roll_up, tally)
        try:
            # What the condition keeps from being done twice may be sent again.
            await self._database.update_item(
                update.request(self._table, part_key(roll_up, shard)), repeatable=True
            )
        except ConditionFailed as refused:
            if refused.item is None or LAST_NUMBER not in refused.item:
                raise StoreError("usage: a refusal does not show the item it met") from refused
            return str(refused.item[LAST_NUMBER]["S"])
        return None


def _addition(roll_up: RollUp, tally: Tally) -> Update:
    update = Update()
    last = update.name(LAST_NUMBER)
    update.only_if(f"attribute_not_exists({last}) OR {last} < {update.value(tally.first)}")
    update.set(last, update.value(tally.last))
    update.set_all({"label": roll_up.group.label, "value_id": roll_up.group.id})
    for name in COUNTERS:
        update.add(name, getattr(tally.totals, name))
    return update

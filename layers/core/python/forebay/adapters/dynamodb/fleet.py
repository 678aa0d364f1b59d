"""Ports `FleetStore` and `FleetBooks` on DynamoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from forebay.adapters.dynamodb import fleet_items as items
from forebay.adapters.dynamodb.attributes import Item
from forebay.adapters.dynamodb.updates import Update
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.errors import ConditionFailed
from forebay.resilience.breaker import Breaker, BreakerRecord, BreakerState, Replacement
from forebay.resilience.credit import BURST, COST, ENOUGH, earned
from forebay.resilience.fleet_view import (
    MAX_FIGURES,
    NO_FIGURES,
    NOTHING_KNOWN,
    Figures,
    FleetSnapshot,
)
from forebay.resilience.window import Window


class DynamoFleet:
    """The targets' records and their snapshot, in one table.

    Each write is one `UpdateItem`: 1 write unit for a record, up to 4 for the snapshot. A condition
    that fails hands back the item it met, so nobody has to read after a lost race. What a condition
    keeps from being done twice may be sent again over a fresh connection.

    Args:
        database: The client.
        table: Name of the breakers table.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table
        self._stale: dict[str, frozenset[str]] = {}
        # By target: what the next write to it may remove, as the last reply showed.

    async def snapshot(self) -> FleetSnapshot:
        """Read it, eventually consistent: usually within milliseconds. 0.5 read units for 4 KB."""
        reply = await self._database.get_item(
            {"TableName": self._table, "Key": _key(items.SNAPSHOT)}
        )
        item = reply.get("Item")
        return NOTHING_KNOWN if item is None else items.item_to_snapshot(item)

    async def report(self, target: str, told: Window) -> BreakerRecord:
        """Add to a target's counts and return its record as it is now."""
        update = Update()
        self._count(target, update, items.TOLD, told)
        return self._counted(target, told, await self._update(target, update, repeatable=False))

    async def replace(self, target: str, breaker: Breaker) -> Replacement:
        """Store a target's next state, if its version is the one after the stored one.

        Never sent twice: the second would be refused, and its sender could not know that the state
        it meets is its own.
        """
        update = Update()
        update.set_all(items.breaker_attributes(breaker))
        version, before = update.name("version"), breaker.version - 1
        update.only_if(
            f"{version} = {update.value(before)}" if before else f"attribute_not_exists({version})"
        )
        try:
            item = await self._update(target, update, repeatable=False)
        except ConditionFailed as refused:
            return Replacement(won=False, record=_met(target, refused))
        return Replacement(won=True, record=items.item_to_record(item))

    async def publish(self, record: BreakerRecord) -> None:
        """Put a target's state into the snapshot, unless a later version is there."""
        update = Update()
        entry = f"{update.name('breakers')}.{update.name(record.target)}"
        update.set(entry, update.map(items.breaker_entry(record.breaker)))
        version = update.value(record.breaker.version)
        update.only_if(f"attribute_not_exists({entry}) OR {entry}.{update.name('v')} < {version}")
        await self._show(update)

    async def spend_credit(self, target: str) -> float | None:
        """Spend one of the target's retry credit; return what is left, None if there was none."""
        update = Update()
        credit, full = update.name("credit"), update.value(BURST)
        update.set(credit, f"if_not_exists({credit}, {full}) - {update.value(COST)}")
        update.only_if(f"attribute_not_exists({credit}) OR {credit} >= {update.value(ENOUGH)}")
        try:
            item = await self._update(target, update, repeatable=False)
        except ConditionFailed:
            return None
        return items.item_to_record(item).credit

    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        """Add what the ledger's stream brought; return the record as it is now."""
        update = Update()
        mark = items.batch_attribute(batch)
        update.set_all({mark: max(window, default=0)})
        update.only_if(f"attribute_not_exists({update.name(mark)})")
        self._count(target, update, items.STREAMED, window)
        try:
            item = await self._update(target, update, repeatable=True)
        except ConditionFailed as refused:
            return _met(target, refused)
        return await self._earn(self._counted(target, window, item), earned(successes))

    async def publish_figures(self, target: str, figures: Figures) -> None:
        """Put a target's figures into the snapshot, if there is room for them."""
        update = Update()
        held = update.name("figures")
        entry = f"{held}.{update.name(target)}"
        if figures == NO_FIGURES:
            update.remove(entry)
        else:
            update.set(entry, update.map(items.figures_entry(figures)))
            room = f"size({held}) < {update.value(MAX_FIGURES)}"
            update.only_if(f"attribute_exists({entry}) OR {room}")
        await self._show(update)

    async def records(self) -> AsyncIterator[BreakerRecord]:
        """All records, in no order, page by page. 0.5 read units for 4 KB."""
        page: dict[str, Any] = {"TableName": self._table}
        while True:
            reply = await self._database.call("Scan", page, repeatable=True)
            for item in reply["Items"]:
                if item["target"]["S"] != items.SNAPSHOT:
                    yield items.item_to_record(item)
            if "LastEvaluatedKey" not in reply:
                return
            page["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    async def forget(self, record: BreakerRecord) -> None:
        """Take a closed target's state out of the snapshot, if it is still this one."""
        if record.breaker.state is not BreakerState.CLOSED:
            return
        update = Update()
        entry = f"{update.name('breakers')}.{update.name(record.target)}"
        update.remove(entry)
        update.only_if(f"{entry}.{update.name('v')} = {update.value(record.breaker.version)}")
        await self._show(update)

    def _count(self, target: str, update: Update, source: str, window: Window) -> None:
        """Complete an update by counts, and remove what an earlier reply showed to be stale."""
        counts = items.count_attributes(source, window)
        for name, count in counts.items():
            update.add(name, count)
        for name in sorted(self._stale.pop(target, frozenset()) - counts.keys()):
            update.remove(update.name(name))

    def _counted(self, target: str, window: Window, item: Item) -> BreakerRecord:
        """Read the reply to such an update."""
        if window:
            self._stale[target] = items.stale_attributes(item, newest=max(window))
        return items.item_to_record(item)

    async def _earn(self, record: BreakerRecord, earning: float) -> BreakerRecord:
        """Add to the credit, at most up to `BURST`.

        An expression has no minimum, so each case has its own, with the condition under which it is
        right. Who loses a race just there loses what it earned. Full credit is an absent attribute:
        in quiet times nothing is written.
        """
        if not earning or record.credit >= BURST:
            return record
        room = round(BURST - earning, 6)
        update = Update()
        credit, most = update.name("credit"), update.value(room)
        if record.credit >= room:
            update.remove(credit)
            update.only_if(f"{credit} >= {most}")
        else:
            update.set(credit, f"{credit} + {update.value(earning)}")
            update.only_if(f"{credit} < {most}")
        try:
            item = await self._update(record.target, update, repeatable=False)
        except ConditionFailed:
            return record
        return items.item_to_record(item)

    async def _show(self, update: Update) -> None:
        """Change the snapshot; make it whole first if there is none."""
        update.only_if(f"attribute_exists({update.name('target')})")
        for _ in range(2):
            try:
                await self._update(items.SNAPSHOT, update, repeatable=True)
            except ConditionFailed as refused:
                if refused.item is None:
                    await self._make_snapshot()
                    continue
            return  # done, or what is there is to stay

    async def _make_snapshot(self) -> None:
        request = {
            "TableName": self._table,
            "Item": items.EMPTY_SNAPSHOT,
            "ConditionExpression": "attribute_not_exists(#target)",
            "ExpressionAttributeNames": {"#target": "target"},
        }
        try:
            await self._database.put_item(request, repeatable=True)
        except ConditionFailed:
            return  # another was faster

    async def _update(self, target: str, update: Update, *, repeatable: bool) -> Item:
        request = update.request(self._table, _key(target))
        reply = await self._database.update_item(request, repeatable=repeatable)
        item: Item = reply["Attributes"]
        return item


def _key(target: str) -> Item:
    return {"target": {"S": target}}


def _met(target: str, refused: ConditionFailed) -> BreakerRecord:
    """Return the record that a condition met."""
    return BreakerRecord(target) if refused.item is None else items.item_to_record(refused.item)

"""Ports `Limits` and `OpenHolds` on DynamoDB, in the table `limits`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from forebay.adapters.dynamodb.attributes import encode_item
from forebay.adapters.dynamodb.limit_items import (
    SWEEP_SHARDS,
    item_to_leaf,
    key,
    leaf_to_item,
    pool_fields,
    sweep_shard,
)
from forebay.adapters.dynamodb.updates import Update
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.admission.escrow import LeafPool
from forebay.admission.gcra import Charge
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.errors import ConditionFailed

SWEEP_INDEX = "by_sweep"


class DynamoLimits:
    """Change leaves, each by one conditional write.

    Conditions make each write harmless when it is done twice: an admission meets its own hold, a
    settlement none. So all may be sent again over a fresh connection.

    Args:
        database: The client.
        table: Name of the table `limits`.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table

    async def create(self, leaf: Leaf) -> LeafWrite:
        """Store a new leaf, unless there is one of its scope. 1 write unit."""
        request = {
            "TableName": self._table,
            "Item": leaf_to_item(leaf),
            "ConditionExpression": "attribute_not_exists(#scope)",
            "ExpressionAttributeNames": {"#scope": "scope"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            await self._database.put_item(request, repeatable=True)
        except ConditionFailed as refused:
            return _met(refused)
        return LeafWrite(done=True, leaf=leaf)

    async def admit(self, scope: str, entry: Entry) -> LeafWrite:
        """Take a hold and charge the rates. 1 write unit for each kilobyte of the leaf."""
        update = Update()
        holds, hold = _hold_path(update, entry.short_id)
        update.set(hold, update.packed(entry.hold.pack()))
        update.only_if(f"{update.name('version')} = {update.value(entry.version)}")
        update.only_if(f"attribute_not_exists({hold})")
        update.only_if(f"{update.name('period')} <= {update.value(entry.at)}")
        update.only_if(f"size({holds}) < {update.value(entry.most_holds)}")
        _commit(update, entry.hold.moves(entry.hold.nano_usd, calls=1), checked=True)
        _charge(update, "tat_requests", entry.requests)
        _charge(update, "tat_tokens", entry.tokens)
        # The first hold since the last sweep says when the next is due; later ones leave the index
        # alone, so that a request writes to it once in a quarter of an hour.
        for name, value in (
            ("sweep_at", update.value(entry.hold.expires_at)),
            ("sweep_shard", update.value(sweep_shard(scope))),
        ):
            update.set(update.name(name), f"if_not_exists({update.name(name)}, {value})")
        return await self._write(scope, update)

    async def top_up(self, scope: str, change: TopUp) -> LeafWrite:
        """Enlarge a hold. 1 write unit for each kilobyte of the leaf."""
        update = Update()
        _, hold = _hold_path(update, change.short_id)
        update.set(hold, update.packed(change.hold.pack()))
        update.only_if(f"{hold} = {update.packed(change.held.pack())}")
        _commit(update, change.moves, checked=True)
        return await self._write(scope, update)

    async def settle(self, scope: str, change: Settlement) -> LeafWrite:
        """End a hold. 1 write unit for each kilobyte of the leaf."""
        update = Update()
        _, hold = _hold_path(update, change.short_id)
        update.remove(hold)
        update.only_if(f"{hold} = {update.packed(change.hold.pack())}")
        _commit(update, change.moves, checked=False)
        if change.refund_us:
            tat = update.name("tat_tokens")
            update.set(tat, f"{tat} - {update.value(change.refund_us)}")
        return await self._write(scope, update)

    async def renew(self, change: Renewal) -> LeafWrite:
        """Change a leaf's terms. 1 write unit for each kilobyte of the leaf."""
        update, before = Update(), change.before
        update.only_if(f"{update.name('version')} = {update.value(before.version)}")
        update.only_if(f"{update.name('period')} = {update.value(before.since)}")
        update.set_all({"version": change.version, "period": change.since})
        for slot, more in change.added.items():
            room = f"{update.name(slot)}.{update.name('r')}"
            update.set(room, f"{room} + {update.value(more)}")
        for slot, room_nano_usd in change.opened.items():
            update.only_if(f"attribute_not_exists({update.name(slot)})")
            update.set(update.name(slot), update.map(pool_fields(LeafPool(room_nano_usd))))
        for slot in change.closed:
            update.remove(update.name(slot))
        return await self._write(before.scope, update)

    async def due(self, *, now: float) -> AsyncIterator[str]:
        """Scopes of leaves that are to be swept, from the index, page by page."""
        for shard in range(SWEEP_SHARDS):
            page: dict[str, Any] = {
                "TableName": self._table,
                "IndexName": SWEEP_INDEX,
                "KeyConditionExpression": "sweep_shard = :shard AND sweep_at <= :now",
                "ExpressionAttributeValues": encode_item({":shard": str(shard), ":now": now}),
            }
            while True:
                reply = await self._database.query(page)
                for item in reply["Items"]:
                    yield item["scope"]["S"]
                if "LastEvaluatedKey" not in reply:
                    break
                page["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    async def read(self, scope: str) -> Leaf | None:
        """Read a leaf, strongly consistent. 1 read unit for 4 KB."""
        reply = await self._database.get_item(
            {"TableName": self._table, "Key": key(scope), "ConsistentRead": True}
        )
        item = reply.get("Item")
        return None if item is None else item_to_leaf(item)

    async def sweep_at(self, leaf: Leaf, at: int | None) -> None:
        """Say when a leaf is to be swept next; None: not before its next hold. 1 write unit."""
        if leaf.sweep_at is None:
            return
        update = Update()
        update.only_if(f"{update.name('sweep_at')} = {update.value(leaf.sweep_at)}")
        if at is None:
            update.only_if(f"size({update.name('holds')}) = {update.value(0)}")
            update.remove(update.name("sweep_at"))
            update.remove(update.name("sweep_shard"))
        else:
            update.set_all({"sweep_at": at})
        await self._write(leaf.scope, update)

    async def _write(self, scope: str, update: Update) -> LeafWrite:
        request = update.request(self._table, key(scope))
        try:
            reply = await self._database.update_item(request, repeatable=True)
        except ConditionFailed as refused:
            return _met(refused)
        return LeafWrite(done=True, leaf=item_to_leaf(reply["Attributes"]))


def _met(refused: ConditionFailed) -> LeafWrite:
    leaf = None if refused.item is None else item_to_leaf(refused.item)
    return LeafWrite(done=False, leaf=leaf)


def _hold_path(update: Update, short_id: str) -> tuple[str, str]:
    holds = update.name("holds")
    return holds, f"{holds}.{update.name(short_id)}"


def _commit(update: Update, moves: Mapping[str, int], *, checked: bool) -> None:
    """Move so much from room to committed, if there is room or nobody asks."""
    for slot, amount in moves.items():
        more = update.value(amount)
        pool = update.name(slot)
        room, committed = f"{pool}.{update.name('r')}", f"{pool}.{update.name('c')}"
        update.set(room, f"{room} - {more}")
        update.set(committed, f"{committed} + {more}")
        if checked:
            update.only_if(f"{room} >= {more}")


def _charge(update: Update, name: str, charge: Charge | None) -> None:
    if charge is None:
        return
    tat = update.name(name)
    start = tat if charge.start is None else update.value(charge.start)
    update.set(tat, f"{start} + {update.value(charge.cost_us)}")
    if charge.above is not None:
        update.only_if(f"{tat} > {update.value(charge.above)}")
    if charge.up_to is not None:
        update.only_if(f"{tat} <= {update.value(charge.up_to)}")

"""Port `Escrow` on DynamoDB, in the table `limits`.

Each half of a step is one `UpdateItem`: its condition says where that side stands, and what it
meets where it fails comes back with the refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from forebay.adapters.dynamodb import escrow_items as items
from forebay.adapters.dynamodb.attributes import Item
from forebay.adapters.dynamodb.updates import Update
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.admission.escrow import AtLeaf, AtParent, LeafPool, Parent, Pool, Step, StepKind
from forebay.errors import ConditionFailed, StoreUnavailable

BATCH = 100
"""Items that one `BatchGetItem` reads at most."""

READS = 4
"""Times that what a batch left unread is asked for again; it does so when it is throttled."""


class DynamoEscrow:
    """Parents and leaves, in one table.

    Any half may be sent again over a fresh connection: one that is done is refused, and the item
    that comes with the refusal shows that it is.

    Args:
        database: The client.
        table: Name of the limits table.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table

    async def parent(self, pool: Pool) -> Parent | None:
        """Read a pool's parent. A read unit for each 4 KB."""
        reply = await self._database.get_item(
            {"TableName": self._table, "Key": _key(pool.parent), "ConsistentRead": True}
        )
        item = reply.get("Item")
        return None if item is None else items.item_to_parent(item)

    async def leaves(self, pool: Pool, leaves: Iterable[str]) -> Mapping[str, LeafPool]:
        """Read what leaves keep of a pool. A read unit each."""
        names = sorted(leaves)
        batches = (names[start : start + BATCH] for start in range(0, len(names), BATCH))
        found = await asyncio.gather(*(self._read(pool, batch) for batch in batches))
        return {leaf: held for some in found for leaf, held in some.items()}

    async def step_parent(self, step: Step) -> AtParent:
        """Do a step's half at the parent. Three writes if it is the first of a period."""
        update = items.parent_draw if step.kind is StepKind.DRAW else items.parent_return
        moved = await self._at_parent(step.pool, update(step))
        met = moved.parent
        if moved.done or step.kind is StepKind.RETURN or met is None:
            return moved
        if met.period >= step.pool.period:
            return moved
        await self._at_parent(step.pool, items.new_period(step.pool))
        return await self._at_parent(step.pool, update(step))

    async def step_leaf(self, step: Step) -> AtLeaf:
        """Do a step's half at the leaf. Its first draw makes what it keeps of the pool."""
        if step.kind is StepKind.RETURN:
            update = items.leaf_return(step)
        elif step.number == 1:
            update = items.leaf_first_draw(step)
        else:
            update = items.leaf_draw(step)
        try:
            item = await self._update(step.leaf, update)
        except ConditionFailed as refused:
            if refused.item is None:
                return AtLeaf(done=False, held=None)
            return AtLeaf(done=False, held=items.item_to_pool(refused.item, step.pool))
        return AtLeaf(done=True, held=items.item_to_pool(item, step.pool))

    async def set_budget(self, pool: Pool) -> Parent:
        """Make a pool's parent, or give it the pool's limit if that is of a later version.

        Raises:
            StoreUnavailable: Others changed it each time.
        """
        moved = await self._at_parent(pool, items.new_parent(pool))
        for _ in range(READS):
            if moved.done or moved.parent is None or moved.parent.version >= pool.version:
                break
            moved = await self._at_parent(pool, items.new_budget(pool, moved.parent))
        if moved.parent is None:
            raise StoreUnavailable(f"limits: {pool.parent} went away while its budget was set")
        return moved.parent

    async def _at_parent(self, pool: Pool, update: Update) -> AtParent:
        try:
            item = await self._update(pool.parent, update)
        except ConditionFailed as refused:
            met = None if refused.item is None else items.item_to_parent(refused.item)
            return AtParent(done=False, parent=met)
        return AtParent(done=True, parent=items.item_to_parent(item))

    async def _update(self, scope: str, update: Update) -> Item:
        request = update.request(self._table, _key(scope))
        reply = await self._database.update_item(request, repeatable=True)
        item: Item = reply["Attributes"]
        return item

    async def _read(self, pool: Pool, leaves: list[str]) -> dict[str, LeafPool]:
        found: dict[str, LeafPool] = {}
        asked: Mapping[str, Any] = {
            self._table: {"Keys": [_key(leaf) for leaf in leaves], "ConsistentRead": True}
        }
        for _ in range(READS):
            request = {"RequestItems": asked}
            reply = await self._database.call("BatchGetItem", request, repeatable=True)
            for item in reply["Responses"].get(self._table, []):
                found[item["scope"]["S"]] = items.item_to_pool(item, pool)
            asked = reply.get("UnprocessedKeys") or {}
            if not asked:
                return found
        raise StoreUnavailable("limits: leaves could not be read, the table is throttled")


def _key(scope: str) -> Item:
    return {"scope": {"S": scope}}

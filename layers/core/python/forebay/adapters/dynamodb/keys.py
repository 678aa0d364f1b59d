"""Port `Keys` on DynamoDB: one read of one item."""

from __future__ import annotations

from forebay.adapters.dynamodb.items import item_to_key
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.model import KeyRecord


class DynamoKeys:
    """Read keys.

    Args:
        database: The client.
        table: Name of the keys table.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table

    async def find(self, key_id: str) -> KeyRecord | None:
        """Read a key, eventually consistent (usually within milliseconds). 0.5 read units.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time.
            StoreError: The item cannot be read.
        """
        return await self._read(key_id, consistent=False)

    async def newest(self, key_id: str) -> KeyRecord | None:
        """Read a key as it is now, strongly consistent. 1 read unit.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time.
            StoreError: The item cannot be read.
        """
        return await self._read(key_id, consistent=True)

    async def _read(self, key_id: str, *, consistent: bool) -> KeyRecord | None:
        reply = await self._database.get_item(
            {
                "TableName": self._table,
                "Key": {"key_id": {"S": key_id}},
                "ConsistentRead": consistent,
            }
        )
        item = reply.get("Item")
        return None if item is None else item_to_key(item)

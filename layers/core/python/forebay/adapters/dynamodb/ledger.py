"""Port `Ledger` on DynamoDB: one conditional write of one item."""

from __future__ import annotations

from forebay.adapters.dynamodb.items import item_to_row, row_to_item
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.errors import ConditionFailed
from forebay.model import LedgerRow


class DynamoLedger:
    """Write rows, each once.

    Args:
        database: The client.
        table: Name of the ledger table.
        retention_days: After how many days DynamoDB may delete a row (TTL; it takes its time).
    """

    def __init__(self, database: DynamoDb, *, table: str, retention_days: int) -> None:
        self._database = database
        self._table = table
        self._retention_days = retention_days

    async def put(self, row: LedgerRow) -> LedgerRow:
        """Store the row unless its request has one; return the row that is stored.

        Two writers can race: DynamoDB lets one condition pass, and hands the loser the winner's
        row with the refusal, so no second read could come too early. Done twice it changes
        nothing, so it may be sent again over a fresh connection. 1 write unit, and 1 in the index.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time; the row may be stored all the same.
            StoreError: DynamoDB refused the row, or the stored one cannot be read.
        """
        item = row_to_item(row, retention_days=self._retention_days)
        try:
            await self._database.put_item(
                {
                    "TableName": self._table,
                    "Item": item,
                    "ConditionExpression": "attribute_not_exists(request_id)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
                repeatable=True,
            )
        except ConditionFailed as refused:
            return item_to_row(refused.item or {})
        return row

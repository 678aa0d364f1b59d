"""Port `IdempotencyRecords` on DynamoDB, in the table `jobs`.

A record is a small item; its answer lies beside it in part items of up to `PART_BYTES`, named
after the run, so that two runs of one record never mix. Parts are written before the record says
that they are there, and expire after it.

DynamoDB deletes expired items when it likes (within days), so every condition looks at the time.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from forebay.adapters.dynamodb.attributes import decode_item, encode_item
from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.admission.idempotency import RunRecord
from forebay.errors import ConditionFailed, StoreError

PART_BYTES: Final = 350 * 1024
"""An item holds 400 KB, names of attributes and key included."""

PARTS_OUTLIVE_S: Final = 3600
"""So that no record is found whose parts are deleted."""


class DynamoIdempotencyRecords:
    """Write and read records.

    Args:
        database: The client.
        table: Name of the table `jobs`.
    """

    def __init__(self, database: DynamoDb, *, table: str) -> None:
        self._database = database
        self._table = table

    async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
        """Store a run, unless there is one; return the one that is there. 1 write unit.

        The refusal brings the item that it met, so no second read can come too early. Done twice
        it meets itself, so it may be sent again over a fresh connection.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time; it may be stored all the same.
            StoreError: DynamoDB refused it, or the stored one cannot be read.
        """
        try:
            await self._database.put_item(
                {
                    "TableName": self._table,
                    "Item": encode_item(
                        {
                            "job_id": record.record_id,
                            "digest": record.digest,
                            "run_id": record.run_id,
                            "began_at": record.began_at,
                            "expires_at": ceil(record.expires_at),
                            "parts": 0,
                        }
                    ),
                    "ConditionExpression": "attribute_not_exists(job_id) OR expires_at <= :now",
                    "ExpressionAttributeValues": encode_item({":now": now}),
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
                repeatable=True,
            )
        except ConditionFailed as refused:
            earlier = _read(refused.item or {})
            return None if earlier.run_id == record.run_id else earlier
        return None

    async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
        """Store a run's answer. 1 write unit, and 1 for each KB of the answer.

        Raises:
            ConditionFailed: Its record is gone, or another run's.
            StoreUnavailable: DynamoDB did not answer in time; it may be stored all the same.
            StoreError: DynamoDB refused it.
        """
        starts = range(0, len(content), PART_BYTES)
        parts = [content[start : start + PART_BYTES] for start in starts]
        await asyncio.gather(
            *(
                self._put_part(record, number, part, expires_at=expires_at)
                for number, part in enumerate(parts)
            )
        )
        await self._database.update_item(
            {
                "TableName": self._table,
                "Key": _key(record.record_id),
                "UpdateExpression": "SET parts = :parts, expires_at = :expires_at",
                "ConditionExpression": "run_id = :run_id",
                "ExpressionAttributeValues": encode_item(
                    {
                        ":parts": len(parts),
                        ":expires_at": ceil(expires_at),
                        ":run_id": record.run_id,
                    }
                ),
            },
            repeatable=True,
        )

    async def content(self, record: RunRecord) -> bytes:
        """Read a completed run's answer, strongly consistent. 1 read unit for each 4 KB.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time.
            StoreError: A part is gone or cannot be read.
        """
        parts = await asyncio.gather(
            *(self._get_part(record, number) for number in range(record.parts))
        )
        return b"".join(parts)

    async def remove(self, record: RunRecord) -> None:
        """Forget a run that stored no answer. 1 write unit.

        Raises:
            StoreUnavailable: DynamoDB did not answer in time.
        """
        try:
            await self._database.call(
                "DeleteItem",
                {
                    "TableName": self._table,
                    "Key": _key(record.record_id),
                    "ConditionExpression": "run_id = :run_id AND parts = :none",
                    "ExpressionAttributeValues": encode_item(
                        {":run_id": record.run_id, ":none": 0}
                    ),
                },
                repeatable=True,
            )
        except ConditionFailed:
            return  # it is gone, completed, or another run's

    async def _put_part(
        self, record: RunRecord, number: int, part: bytes, *, expires_at: float
    ) -> None:
        expiry = encode_item({"expires_at": ceil(expires_at) + PARTS_OUTLIVE_S})
        content = {"content": {"B": b64encode(part).decode()}}
        item = {**_key(_part_id(record, number)), **expiry, **content}
        await self._database.put_item({"TableName": self._table, "Item": item}, repeatable=True)

    async def _get_part(self, record: RunRecord, number: int) -> bytes:
        part_id = _part_id(record, number)
        reply = await self._database.get_item(
            {"TableName": self._table, "Key": _key(part_id), "ConsistentRead": True}
        )
        try:
            return b64decode(reply["Item"]["content"]["B"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"jobs: item {part_id} cannot be read") from error


def _key(job_id: str) -> dict[str, Any]:
    return {"job_id": {"S": job_id}}


def _part_id(record: RunRecord, number: int) -> str:
    return f"{record.record_id}#{record.run_id}#{number}"


def _read(item: Mapping[str, Mapping[str, Any]]) -> RunRecord:
    try:
        fields = decode_item(item)
        return RunRecord(
            record_id=fields["job_id"],
            digest=fields["digest"],
            run_id=fields["run_id"],
            began_at=float(fields["began_at"]),
            expires_at=float(fields["expires_at"]),
            parts=fields["parts"],
        )
    except (KeyError, TypeError, ValueError) as error:
        name = item.get("job_id", {}).get("S", "?")
        raise StoreError(f"jobs: item {name} cannot be read: {error}") from error

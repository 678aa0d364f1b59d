"""ministack's side of a stream mapping: the stream to read, the queue for what was given up."""

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import botocore.config
import botocore.exceptions
import botocore.session
from typing_extensions import override

from forebay_cli.local.event_sources import StreamMapping
from forebay_cli.local.resolve import REGION, function_arn
from forebay_cli.local.stream_pump import (
    Record,
    Records,
    Stream,
    StreamError,
    created_at,
    sequence_number,
)

PAGE: Final = 1000  # records; DynamoDB's largest
FAULTS: Final = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


def aws_client(service: str, endpoint_url: str, credentials: Mapping[str, str]) -> Any:
    """Return botocore's client of a service of ministack."""
    return botocore.session.get_session().create_client(
        service,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


class TableStream(Stream):
    """A table's stream in ministack, which has one shard.

    Args:
        client: of DynamoDB Streams.
        arn: the stream's.
    """

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn
        self._shard_id: str | None = None
        self._iterator: str | None = None
        self._last: str | None = None  # sequence number of the last record that was read

    @property
    @override
    def shard_id(self) -> str:
        """Its one shard, once something was read."""
        return self._shard_id or ""

    @override
    async def read(self) -> list[Record]:
        """Return what is new.

        Raises:
            StreamError: ministack does not answer, or has no such stream.
        """
        try:
            return await asyncio.to_thread(self._read)
        except FAULTS as error:
            self._iterator = None  # it may have expired: the next one starts behind `_last`
            raise StreamError(f"the stream cannot be read: {error}") from error

    def _read(self) -> list[Record]:
        page = self._client.get_records(ShardIterator=self._iterator or self._begin(), Limit=PAGE)
        self._iterator = page.get("NextShardIterator")
        records = [self._as_lambda_has_it(record) for record in page["Records"]]
        if records:
            self._last = sequence_number(records[-1])
        return records

    def _begin(self) -> str:
        if self._shard_id is None:
            described = self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]
            self._shard_id = str(described["Shards"][0]["ShardId"])
        place = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._last is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last}
        answer = self._client.get_shard_iterator(
            StreamArn=self._arn, ShardId=self._shard_id, **place
        )
        return str(answer["ShardIterator"])

    def _as_lambda_has_it(self, record: Mapping[str, Any]) -> Record:
        """Return a record as JSON (times as numbers, bytes in base64) that names its stream."""
        change = _as_json(record["dynamodb"])
        return {**record, "dynamodb": change, "eventSourceARN": self._arn}


class FailuresQueue:
    """Where a mapping says what it gave up.

    Args:
        client: of SQS.
        mapping: whose.
        stream: knows the shard.
        log: takes a line for the person who watches.
    """

    def __init__(
        self, client: Any, mapping: StreamMapping, stream: TableStream, log: Callable[[str], None]
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._stream = stream
        self._log = log

    async def give_up(self, records: Records, tries: int, why: str) -> None:
        """Name the records in a message, as Lambda does: where they are, not what they hold."""
        self._log(f"{self._mapping.name}: gave up {len(records)} records ({why})")
        arn = self._mapping.failures_queue_arn
        if arn is None:
            return
        message = json.dumps(self._message(records, tries, why))
        try:
            await asyncio.to_thread(self._send, arn.rpartition(":")[2], message)
        except FAULTS as error:
            self._log(f"{self._mapping.name}: {arn} was not told: {error}")

    def _send(self, queue: str, message: str) -> None:
        url = self._client.get_queue_url(QueueName=queue)["QueueUrl"]
        self._client.send_message(QueueUrl=url, MessageBody=message)

    def _message(self, records: Records, tries: int, why: str) -> dict[str, Any]:
        first, last = records[0], records[-1]
        return {
            "requestContext": {
                "functionArn": function_arn(self._mapping.function),
                "condition": why,
                "approximateInvokeCount": tries,
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": self._stream.shard_id,
                "startSequenceNumber": sequence_number(first),
                "endSequenceNumber": sequence_number(last),
                "approximateArrivalOfFirstRecord": _iso(created_at(first)),
                "approximateArrivalOfLastRecord": _iso(created_at(last)),
                "batchSize": len(records),
                "streamArn": self._mapping.stream_arn,
            },
        }


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_json(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.timestamp() if isinstance(value, dt.datetime) else value


def _iso(time_s: float) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).isoformat()

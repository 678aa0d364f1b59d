"""A table's stream in ministack, read as a stream mapping reads it; and the queue of failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from forebay_cli.local.event_sources import StreamMapping
from forebay_cli.local.ministack import CREDENTIALS
from forebay_cli.local.stream_pump import Record, StreamError, sequence_number
from forebay_cli.local.table_stream import FailuresQueue, TableStream, aws_client
from tests.support.ministack import start_ministack

pytestmark = pytest.mark.ministack

NAMES = (f"table-{number}" for number in count())


@dataclass
class Table:
    """A table of its own for each test."""

    url: str
    name: str
    stream: str

    def put(self, key: str, **attributes: Any) -> None:
        item = {"id": {"S": key}, **attributes}
        aws_client("dynamodb", self.url, CREDENTIALS).put_item(TableName=self.name, Item=item)

    def reader(self) -> TableStream:
        return TableStream(aws_client("dynamodbstreams", self.url, CREDENTIALS), self.stream)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture
def table(aws: str) -> Table:
    name = next(NAMES)
    made = aws_client("dynamodb", aws, CREDENTIALS).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return Table(aws, name, made["TableDescription"]["LatestStreamArn"])


def keys(records: list[Record]) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in records]


def read(stream: TableStream) -> list[Record]:
    return asyncio.run(stream.read())


def test_each_read_brings_what_is_new(table: Table) -> None:
    stream = table.reader()
    table.put("a")
    table.put("b")
    assert keys(read(stream)) == ["a", "b"]
    assert read(stream) == []
    table.put("c")
    assert keys(read(stream)) == ["c"]


def test_a_record_is_what_lambda_would_pass_on(table: Table) -> None:
    table.put("a", raw={"B": b"\x00\xff"}, many={"L": [{"N": "1"}]})
    (record,) = read(table.reader())
    assert json.loads(json.dumps(record)) == record
    assert (record["eventName"], record["eventSourceARN"]) == ("INSERT", table.stream)
    assert record["dynamodb"]["NewImage"] == {
        "id": {"S": "a"},
        "raw": {"B": "AP8="},
        "many": {"L": [{"N": "1"}]},
    }


def test_a_reader_that_lost_its_place_goes_on_behind_the_last_record(table: Table) -> None:
    stream = table.reader()
    table.put("a")
    read(stream)
    stream._iterator = "none of ministack's"
    with pytest.raises(StreamError, match="cannot be read"):
        read(stream)
    table.put("b")
    assert keys(read(stream)) == ["b"]


def test_a_stream_that_is_not_there_is_an_error_that_says_so(aws: str) -> None:
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/none/stream/2026-11-24T00:00:00.000"
    stream = TableStream(aws_client("dynamodbstreams", aws, CREDENTIALS), arn)
    with pytest.raises(StreamError, match="not found"):
        read(stream)


def _mapping(table: Table, queue: str | None) -> StreamMapping:
    return StreamMapping("Ledger", "F", table.stream, (), 1, 0, False, True, 1, 1, queue)


def test_the_queue_is_told_where_the_records_are_and_not_what_they_hold(table: Table) -> None:
    sqs = aws_client("sqs", table.url, CREDENTIALS)
    url = sqs.create_queue(QueueName=table.name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{table.name}"
    lines: list[str] = []
    stream = table.reader()
    table.put("a", secret={"S": "hush"})
    table.put("b")
    records = read(stream)
    queue = FailuresQueue(sqs, _mapping(table, arn), stream, lines.append)

    asyncio.run(queue.give_up(records, 3, "RetryAttemptsExhausted"))

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    told = json.loads(message["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["DDBStreamBatchInfo"]["startSequenceNumber"] == sequence_number(records[0])
    assert told["DDBStreamBatchInfo"]["endSequenceNumber"] == sequence_number(records[1])
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    assert "hush" not in message["Body"]
    assert lines == ["Ledger: gave up 2 records (RetryAttemptsExhausted)"]


@pytest.mark.parametrize("queue", [None, "arn:aws:sqs:us-east-1:000000000000:none"])
def test_without_a_queue_that_listens_a_line_says_what_was_given_up(
    table: Table, queue: str | None
) -> None:
    lines: list[str] = []
    stream = table.reader()
    table.put("a")
    sqs = aws_client("sqs", table.url, CREDENTIALS)
    failures = FailuresQueue(sqs, _mapping(table, queue), stream, lines.append)
    asyncio.run(failures.give_up(read(stream), 3, "RetryAttemptsExhausted"))
    assert lines[0] == "Ledger: gave up 1 records (RetryAttemptsExhausted)"
    assert [line for line in lines[1:] if "was not told" in line] == lines[1:]

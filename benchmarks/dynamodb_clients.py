"""What one DynamoDB call costs its caller in CPU: botocore, aiodynamo and ours.

    python -m benchmarks.dynamodb_clients      # aiodynamo[httpx] is measured if installed

Each client does the same conditional `UpdateItem` against ministack in another process; what is
counted is this process's CPU time (all threads), the best of several rounds. The second table is
the share of HTTP alone. Decision 0004 keeps the figures that decided.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session
import h11

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.dynamodb import DynamoDb, DynamoDbSettings
from forebay.adapters.http.connection import Connection
from forebay.adapters.system import SystemClock
from tests.support.ministack import CREDENTIALS, REGION, start_ministack

WARM_UP_CALLS = 20
CALLS = 150
ROUNDS = 10

Call = Callable[[], Awaitable[object]]

UPDATE: dict[str, Any] = {
    "TableName": "bench",
    "Key": {"id": {"S": "key#0123456789"}},
    "UpdateExpression": "SET spent = if_not_exists(spent, :zero) + :cost, #v = :version",
    "ConditionExpression": "attribute_not_exists(id) OR #v = :version",
    "ExpressionAttributeNames": {"#v": "version"},
    "ExpressionAttributeValues": {
        ":zero": {"N": "0"},
        ":cost": {"N": "123456"},
        ":version": {"N": "1"},
    },
    "ReturnValues": "ALL_NEW",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
REPLY = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Mon, 23 Nov 2026 23:50:00 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 55\r\n"
    b"Connection: keep-alive\r\nx-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9\r\n"
    b'x-amz-crc32: 2745614147\r\n\r\n{"Attributes":{"spent":{"N":"12345"},"holds":{"M":{}}}}'
)


async def cpu_ms(calls: dict[str, Call]) -> dict[str, float]:
    """CPU milliseconds a call of this process, by name: of several rounds the best.

    The rounds are interleaved, so that a busy neighbour disturbs all alike.
    """
    best_s = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            for _ in range(WARM_UP_CALLS):
                await call()
            start_s = time.process_time()
            for _ in range(CALLS):
                await call()
            best_s[name] = min(best_s[name], (time.process_time() - start_s) / CALLS)
    return {name: seconds * 1_000 for name, seconds in best_s.items()}


async def measure(url: str) -> dict[str, float]:
    """Measure every client that is installed."""
    boto: Any = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=url, **CREDENTIALS
    )
    boto.create_table(
        TableName="bench",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    async def in_the_loop() -> object:
        return boto.update_item(**UPDATE)

    async def in_a_thread() -> object:
        return await asyncio.to_thread(boto.update_item, **UPDATE)

    signed_with = Credentials(
        CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"]
    )
    ours = DynamoDb(DynamoDbSettings(REGION, url), FixedCredentials(signed_with), SystemClock())
    calls: dict[str, Call] = {
        "botocore, blocking the loop": in_the_loop,
        "botocore, in a thread": in_a_thread,
    }
    async with AsyncExitStack() as stack:
        if find_spec("aiodynamo"):
            client = await stack.enter_async_context(import_module("httpx").AsyncClient())
            calls["aiodynamo over httpx"] = aiodynamo_call(client, url)
        calls["ours"] = lambda: ours.update_item(UPDATE)
        figures = await cpu_ms(calls)
    ours.close()
    boto.close()
    return figures


def aiodynamo_call(client: Any, url: str) -> Call:
    """Make aiodynamo send the same request."""
    credentials = import_module("aiodynamo.credentials")
    key = credentials.Key(CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"])
    dynamo = import_module("aiodynamo.client").Client(
        import_module("aiodynamo.http.httpx").HTTPX(client),
        credentials.StaticCredentials(key=key),
        REGION,
        import_module("yarl").URL(url),
    )

    async def call() -> object:
        # Its public `update_item` builds its own expressions and cannot ask for ALL_OLD.
        return await dynamo.send_request(action="UpdateItem", payload=UPDATE)

    return call


async def parse_with_h11() -> None:
    """Write a request's head and read a reply with h11."""
    connection = h11.Connection(h11.CLIENT)
    fields = [("Host", "dynamodb"), ("Content-Length", "2"), ("Authorization", "x" * 200)]
    connection.send(h11.Request(method="POST", target="/", headers=fields))
    connection.send(h11.Data(data=b"{}"))
    connection.send(h11.EndOfMessage())
    connection.receive_data(REPLY)
    while not isinstance(connection.next_event(), h11.EndOfMessage):
        pass


async def parse_with_httptools() -> None:
    """Write a request's head and read a reply as `wire` and `adapters.http` do."""
    fields = {"Host": "dynamodb", "Content-Length": "2", "Authorization": "x" * 200}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    assert f"POST / HTTP/1.1\r\n{lines}\r\n".encode("latin-1")  # noqa: S101 - uses the bytes
    connection = Connection()
    connection.data_received(REPLY)
    assert await connection.read(timeout_s=None)  # noqa: S101 - a benchmark of failures is none


def print_table(title: str, figures: dict[str, float]) -> None:
    """Print milliseconds, and how many times the last line's."""
    base = list(figures.values())[-1]
    print(f"{title}\n{'':32}{'CPU ms':>10}{'ratio':>8}")
    for name, figure in figures.items():
        print(f"{name:32}{figure:10.3f}{figure / base:8.1f}")


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory, start_ministack(Path(directory)) as url:
        print_table("One UpdateItem", await measure(url))
    parsers = await cpu_ms({"h11": parse_with_h11, "httptools (ours)": parse_with_httptools})
    print_table("\nHTTP alone: one request's head, one reply", parsers)


if __name__ == "__main__":
    asyncio.run(main())

"""`StoreClock`: the machine's time, unless DynamoDB's `Date` says that it is wrong."""

import asyncio
from email.utils import formatdate

import pytest

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.dynamodb import DynamoDb, DynamoDbSettings, StoreClock
from forebay.adapters.memory import ManualClock
from forebay.adapters.memory.clock import EPOCH_S


async def corrected(date: str | None) -> float:
    """Return what the clock shows after a reply of this `Date`."""
    field = "" if date is None else f"Date: {date}\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{field}Content-Length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = ManualClock()
    settings = DynamoDbSettings("us-east-1", f"http://127.0.0.1:{port}", call_timeout_s=30)
    database = DynamoDb(settings, FixedCredentials(Credentials("a", "b")), clock)
    store_clock = StoreClock(clock, database)
    try:
        assert store_clock.now() == EPOCH_S
        await database.get_item({})
        assert store_clock.monotonic() == 0
        await store_clock.sleep(0)
        return store_clock.now() - EPOCH_S
    finally:
        database.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        (formatdate(EPOCH_S + 300, usegmt=True), 300.5),
        (formatdate(EPOCH_S - 300, usegmt=True), -299.5),
        (formatdate(EPOCH_S + 1, usegmt=True), 0),
        (None, 0),
        ("yesterday", 0),
    ],
    ids=["slow by minutes", "fast by minutes", "right", "not told", "no date"],
)
def test_a_clock_that_is_wrong_follows_the_store_s(date: str | None, ahead_s: float) -> None:
    assert asyncio.run(corrected(date)) == ahead_s

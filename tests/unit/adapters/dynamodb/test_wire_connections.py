"""Calls share connections, are bounded, and what may count twice is never repeated."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from forebay.adapters.dynamodb import DynamoDb, DynamoLedger
from forebay.adapters.dynamodb.wire import MAX_REPLY_BYTES
from forebay.errors import StoreUnavailable
from forebay.model import LedgerRow
from tests.contract.stores.records import ROW
from tests.unit.adapters.dynamodb.client import client
from tests.unit.adapters.dynamodb.peer import (
    OK,
    Action,
    Peer,
    closes,
    hangs,
    reply,
    resets,
    says,
    says_and_closes,
)

REQUEST: dict[str, Any] = {"TableName": "keys"}
GOOD = reply(200, b'{"whose":"mine"}')
MINE = {"whose": "mine"}


def test_a_second_call_uses_the_first_one_s_connection() -> None:
    async def main() -> int:
        async with Peer([OK, OK, OK]) as peer, client(peer.url) as database:
            for _ in range(3):
                await database.get_item(REQUEST)
            return peer.connections

    assert asyncio.run(main()) == 1


async def call_over_a_dying_connection(
    database: DynamoDb, operation: str, *, repeatable: bool
) -> dict[str, Any]:
    await database.get_item(REQUEST)  # leaves a connection in the pool
    return await database.call(operation, REQUEST, repeatable=repeatable)


@pytest.mark.parametrize("dies", [closes, resets])
def test_a_read_is_repeated_when_its_kept_connection_died_unanswered(dies: Action) -> None:
    async def main() -> tuple[dict[str, Any], int]:
        async with Peer([OK, dies, says(GOOD)]) as peer, client(peer.url) as database:
            content = await call_over_a_dying_connection(database, "GetItem", repeatable=True)
            return content, peer.connections

    assert asyncio.run(main()) == (MINE, 2)


def test_a_repeated_call_has_a_fresh_connection_though_others_are_kept() -> None:
    async def main() -> tuple[dict[str, Any], int]:
        async with Peer([OK, OK, closes, says(GOOD)]) as peer, client(peer.url) as database:
            await asyncio.gather(database.get_item(REQUEST), database.get_item(REQUEST))
            return await database.get_item(REQUEST), peer.connections

    assert asyncio.run(main()) == (MINE, 3)


@pytest.mark.parametrize("dies", [closes, resets])
def test_a_write_is_not_repeated_when_its_kept_connection_died(dies: Action) -> None:
    async def main() -> int:
        async with Peer([OK, dies, OK]) as peer, client(peer.url) as database:
            with pytest.raises(StoreUnavailable, match="before it answered"):
                await call_over_a_dying_connection(database, "UpdateItem", repeatable=False)
            return len(peer.requests)

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize(
    ("operation", "requests"),
    [("get_item", 3), ("query", 3), ("put_item", 2), ("update_item", 2)],
)
def test_reads_are_repeatable_and_writes_are_not(operation: str, requests: int) -> None:
    async def main() -> int:
        async with Peer([OK, closes, OK]) as peer, client(peer.url) as database:
            await database.get_item(REQUEST)
            with suppress(StoreUnavailable):
                await getattr(database, operation)(REQUEST)
            return len(peer.requests)

    assert asyncio.run(main()) == requests


def test_a_ledger_row_is_put_again_for_it_is_stored_once_whatever_happens() -> None:
    async def main() -> LedgerRow:
        async with Peer([OK, closes, OK]) as peer, client(peer.url) as database:
            await database.get_item(REQUEST)
            return await DynamoLedger(database, table="ledger", retention_days=1).put(ROW)

    assert asyncio.run(main()) == ROW


@pytest.mark.parametrize("dies", [closes, resets])
def test_nothing_is_repeated_when_a_fresh_connection_died(dies: Action) -> None:
    async def main() -> int:
        async with Peer([dies, OK]) as peer, client(peer.url) as database:
            with pytest.raises(StoreUnavailable):
                await database.get_item(REQUEST)
            return len(peer.requests)

    assert asyncio.run(main()) == 1


def test_nothing_is_repeated_twice() -> None:
    async def main() -> int:
        async with Peer([OK, closes, closes, OK]) as peer, client(peer.url) as database:
            with pytest.raises(StoreUnavailable):
                await call_over_a_dying_connection(database, "GetItem", repeatable=True)
            return len(peer.requests)

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize("length", [1, 12, 40, len(GOOD) - 1])
def test_half_a_reply_is_an_unavailable_store_and_is_not_repeated(length: int) -> None:
    async def main() -> int:
        cut = says_and_closes(GOOD[:length])
        async with Peer([OK, cut, OK]) as peer, client(peer.url) as database:
            with pytest.raises(StoreUnavailable, match="in mid-reply"):
                await call_over_a_dying_connection(database, "GetItem", repeatable=True)
            return len(peer.requests)

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\0" * 100, GOOD + GOOD, GOOD + b"?"]
)
def test_garbage_is_an_unavailable_store_and_ends_its_connection(garbage: bytes) -> None:
    async def main() -> int:
        async with Peer([says(garbage), OK]) as peer, client(peer.url) as database:
            with pytest.raises(StoreUnavailable):
                await database.get_item(REQUEST)
            await database.get_item(REQUEST)
            return peer.connections

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize("late", [hangs, says(GOOD[:20])], ids=["no-byte", "half-a-reply"])
def test_a_peer_that_hangs_is_given_up(late: Action) -> None:
    async def main() -> int:
        async with (
            Peer([late, OK]) as peer,
            client(peer.url, call_timeout_s=0.05) as database,
        ):
            with pytest.raises(StoreUnavailable, match="no reply in time"):
                await database.put_item(REQUEST)
            return len(peer.requests)

    assert asyncio.run(main()) == 1


def test_a_call_that_was_cancelled_closes_its_connection() -> None:
    """Its late reply would meet the next call."""

    async def main() -> dict[str, Any]:
        async with Peer([hangs, says(GOOD)]) as peer, client(peer.url) as database:
            first = asyncio.create_task(database.put_item(REQUEST))
            await peer.arrived.acquire()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            async with asyncio.timeout(30):
                await peer.left.acquire()
            return await database.get_item(REQUEST)

    assert asyncio.run(main()) == MINE


def test_nobody_there_is_an_unavailable_store() -> None:
    async def main() -> None:
        async with Peer([]) as peer:
            url = peer.url
        async with client(url) as database:
            await database.get_item(REQUEST)

    with pytest.raises(StoreUnavailable, match="GetItem"):
        asyncio.run(main())


def test_no_more_connections_than_allowed() -> None:
    async def main() -> tuple[int, int]:
        async with Peer([OK] * 20) as peer, client(peer.url, concurrent_calls=2) as database:
            await asyncio.gather(*(database.get_item(REQUEST) for _ in range(20)))
            return len(peer.requests), peer.most_open_connections

    assert asyncio.run(main()) == (20, 2)


def test_waiting_for_a_turn_counts_towards_the_time_out() -> None:
    async def main() -> int:
        async with (
            Peer([OK]) as peer,
            client(peer.url, concurrent_calls=1, call_timeout_s=0.05) as database,
        ):
            async with database._turns:
                with pytest.raises(StoreUnavailable, match="in time"):
                    await database.get_item(REQUEST)
            return peer.connections

    assert asyncio.run(main()) == 0


def test_a_call_that_failed_leaves_its_turn_to_the_next() -> None:
    async def main() -> dict[str, Any]:
        async with (
            Peer([closes, says(GOOD)]) as peer,
            client(peer.url, concurrent_calls=1) as database,
        ):
            with pytest.raises(StoreUnavailable):
                await database.get_item(REQUEST)
            return await database.get_item(REQUEST)

    assert asyncio.run(main()) == MINE


def test_a_connection_that_is_not_made_in_time_is_an_unavailable_store() -> None:
    async def main() -> None:
        async with Peer([]) as peer:  # speaks no TLS: it waits for a request
            url = peer.url.replace("http:", "https:")
            async with client(url, connect_timeout_s=0.05) as database:
                await database.get_item(REQUEST)

    with pytest.raises(StoreUnavailable, match="no connection in time"):
        asyncio.run(main())


def test_a_reply_without_end_is_an_unavailable_store() -> None:
    async def main() -> None:
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(
            MAX_REPLY_BYTES + 1
        )
        async with Peer([says(endless)]) as peer, client(peer.url) as database:
            await database.get_item(REQUEST)

    with pytest.raises(StoreUnavailable, match="more than 16777216 bytes"):
        asyncio.run(main())

"""The client under test, pointed at a peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.dynamodb import DynamoDb, DynamoDbSettings
from forebay.adapters.memory import ManualClock

CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-token")


@asynccontextmanager
async def client(
    url: str,
    *,
    call_timeout_s: float = 30.0,
    connect_timeout_s: float = 30.0,
    concurrent_calls: int = 64,
) -> AsyncIterator[DynamoDb]:
    """Yield a client of the peer at this URL; close its connections after."""
    settings = DynamoDbSettings(
        "eu-central-1",
        url,
        call_timeout_s=call_timeout_s,
        connect_timeout_s=connect_timeout_s,
        concurrent_calls=concurrent_calls,
    )
    database = DynamoDb(settings, FixedCredentials(CREDENTIALS), ManualClock())
    try:
        yield database
    finally:
        database.close()

"""The client under test, pointed at a peer."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from forebay.adapters.dynamodb import DynamoDb, DynamoDbSettings
from forebay.adapters.dynamodb.credentials import FixedCredentials
from forebay.adapters.dynamodb.pool import PoolLimits
from forebay.adapters.dynamodb.sigv4 import Credentials
from forebay.adapters.memory import ManualClock
from forebay.ports import Clock

CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-token")
DEFAULT_POOL = PoolLimits()


@asynccontextmanager
async def client(
    url: str,
    *,
    clock: Clock | None = None,
    call_timeout_s: float = 30.0,
    pool: PoolLimits = DEFAULT_POOL,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[DynamoDb]:
    """Yield a client of the peer at this URL; close its connections after."""
    settings = DynamoDbSettings("eu-central-1", url, call_timeout_s=call_timeout_s, pool=pool)
    database = DynamoDb(settings, FixedCredentials(CREDENTIALS), clock or ManualClock(), tls=tls)
    try:
        yield database
    finally:
        database.close()

"""The stores under contract, each on every backend."""

from __future__ import annotations

import gc
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pytest
from pynamodb.models import Model

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.dynamodb import (
    DynamoDb,
    DynamoDbSettings,
    DynamoFleet,
    DynamoKeys,
    DynamoLedger,
    DynamoLimits,
)
from forebay.adapters.dynamodb.escrow import DynamoEscrow
from forebay.adapters.dynamodb.key_administration import DynamoKeyAdministration
from forebay.adapters.dynamodb.ledger_reader import DynamoLedgerReader
from forebay.adapters.dynamodb.tables import (
    BreakerItem,
    KeyItem,
    LedgerItem,
    LimitItem,
    TableLocation,
    UsageItem,
    located,
)
from forebay.adapters.dynamodb.usage import DynamoUsageBooks
from forebay.adapters.dynamodb.usage_reader import DynamoUsageReader
from forebay.adapters.memory import (
    MemoryEscrow,
    MemoryFleet,
    MemoryKeys,
    MemoryLedger,
    MemoryLimits,
    MemoryUsage,
)
from forebay.adapters.system import SystemClock
from forebay.ports import FleetStore, Keys, Ledger, Limits
from forebay.ports.administration import KeyAdministration, LedgerReader, UsageReader
from forebay.ports.background import Escrow, FleetBooks, OpenHolds, UsageBooks
from tests.support.ministack import CREDENTIALS, REGION, start_ministack

Store = TypeVar("Store")

BACKENDS = ["memory", pytest.param("ministack", marks=pytest.mark.ministack)]


@pytest.fixture(autouse=True)
def _botocore_s_pools() -> Iterator[None]:
    """Collect the connections of PynamoDB's models, which nobody can close.

    Each has a session of its own, in a cycle of references: found at any later moment, its open
    sockets would fail whatever test runs then.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass(frozen=True)
class KeyStore:
    """Both views of one store of keys."""

    administration: KeyAdministration
    hot: Callable[[], AbstractAsyncContextManager[Keys]]
    """Opens the hot path's view; its connections belong to one event loop."""


@dataclass(frozen=True)
class LedgerStore:
    """Both views of one ledger."""

    reader: LedgerReader
    hot: Callable[[], AbstractAsyncContextManager[Ledger]]
    """See `KeyStore.hot`."""


@dataclass(frozen=True)
class UsageStore:
    """Both views of one store of roll-ups."""

    reader: UsageReader
    hot: Callable[[], AbstractAsyncContextManager[UsageBooks]]
    """See `KeyStore.hot`."""


class FleetTable(FleetStore, FleetBooks, Protocol):
    """Both ports on one store of health."""


class LimitsTable(Limits, OpenHolds, Protocol):
    """Both ports on one store of leaves."""


OpenLimits = Callable[[], AbstractAsyncContextManager[LimitsTable]]
"""See `KeyStore.hot`."""


@dataclass(frozen=True)
class EscrowStore:
    """Parents, and the leaves that draw from them."""

    limits: LimitsTable
    escrow: Escrow


OpenEscrow = Callable[[], AbstractAsyncContextManager[EscrowStore]]
"""See `KeyStore.hot`."""

OpenFleet = Callable[[], AbstractAsyncContextManager[FleetTable]]
"""See `KeyStore.hot`."""


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded AWS for all tests of a worker; each test has tables of its own."""
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture
def location(ministack_url: str, monkeypatch: pytest.MonkeyPatch) -> TableLocation:
    """A place for one table. PynamoDB takes its credentials from the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["aws_secret_access_key"])
    return TableLocation(f"table-{uuid.uuid4().hex}", REGION, ministack_url)


@asynccontextmanager
async def opened(location: TableLocation) -> AsyncIterator[DynamoDb]:
    """The lean client."""
    credentials = Credentials(
        CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"]
    )
    settings = DynamoDbSettings(location.region, location.endpoint_url, call_timeout_s=60)
    database = DynamoDb(settings, FixedCredentials(credentials), SystemClock())
    try:
        yield database
    finally:
        database.close()


@pytest.fixture(params=BACKENDS)
def key_store(request: pytest.FixtureRequest) -> KeyStore:
    """An empty store of keys."""
    return _memory_keys() if request.param == "memory" else _dynamo_keys(request)


@pytest.fixture(params=BACKENDS)
def ledger_store(request: pytest.FixtureRequest) -> LedgerStore:
    """An empty ledger."""
    return _memory_ledger() if request.param == "memory" else _dynamo_ledger(request)


@pytest.fixture(params=BACKENDS)
def usage_store(request: pytest.FixtureRequest) -> UsageStore:
    """An empty store of roll-ups."""
    return _memory_usage() if request.param == "memory" else _dynamo_usage(request)


@pytest.fixture(params=BACKENDS)
def fleet_table(request: pytest.FixtureRequest) -> OpenFleet:
    """An empty store of the targets' health."""
    return _memory_fleet() if request.param == "memory" else _dynamo_fleet(request)


@pytest.fixture(params=BACKENDS)
def limits_table(request: pytest.FixtureRequest) -> OpenLimits:
    """An empty store of leaves."""
    return _memory_limits() if request.param == "memory" else _dynamo_limits(request)


@pytest.fixture(params=BACKENDS)
def escrow_store(request: pytest.FixtureRequest) -> OpenEscrow:
    """An empty store of parents and leaves."""
    return _memory_escrow() if request.param == "memory" else _dynamo_escrow(request)


@pytest.fixture
def dynamo_fleet_table(request: pytest.FixtureRequest) -> OpenFleet:
    """An empty store of health, for what only the real adapter can do wrong."""
    return _dynamo_fleet(request)


@pytest.fixture
def dynamo_key_store(request: pytest.FixtureRequest) -> KeyStore:
    """An empty store of keys, for what only the real adapter can do wrong."""
    return _dynamo_keys(request)


@pytest.fixture
def dynamo_ledger_store(request: pytest.FixtureRequest) -> LedgerStore:
    """An empty ledger, for what only the real adapter can do wrong."""
    return _dynamo_ledger(request)


def in_memory(store: Store) -> Callable[[], AbstractAsyncContextManager[Store]]:
    """Open a store that is there already: always the same one."""

    @asynccontextmanager
    async def hot() -> AsyncIterator[Store]:
        yield store

    return hot


def in_dynamo(
    location: TableLocation, item: type[Model], adapter: Callable[[DynamoDb, str], Store]
) -> Callable[[], AbstractAsyncContextManager[Store]]:
    """Make a table, and open the hot path's view of it.

    Args:
        location: Where.
        item: What it holds.
        adapter: Makes the view of a client and the table's name.
    """
    located(item, location).create_table(wait=True)

    @asynccontextmanager
    async def hot() -> AsyncIterator[Store]:
        async with opened(location) as database:
            yield adapter(database, location.name)

    return hot


def _memory_keys() -> KeyStore:
    keys = MemoryKeys()
    return KeyStore(keys, in_memory(keys))


def _dynamo_keys(request: pytest.FixtureRequest) -> KeyStore:
    location: TableLocation = request.getfixturevalue("location")
    hot = in_dynamo(location, KeyItem, lambda database, table: DynamoKeys(database, table=table))
    return KeyStore(DynamoKeyAdministration(location), hot)


def _memory_ledger() -> LedgerStore:
    ledger = MemoryLedger()
    return LedgerStore(ledger, in_memory(ledger))


def _dynamo_ledger(request: pytest.FixtureRequest) -> LedgerStore:
    location: TableLocation = request.getfixturevalue("location")

    def adapter(database: DynamoDb, table: str) -> DynamoLedger:
        return DynamoLedger(database, table=table, retention_days=400)

    return LedgerStore(DynamoLedgerReader(location), in_dynamo(location, LedgerItem, adapter))


def _memory_usage() -> UsageStore:
    usage = MemoryUsage()
    return UsageStore(usage, in_memory(usage))


def _dynamo_usage(request: pytest.FixtureRequest) -> UsageStore:
    location: TableLocation = request.getfixturevalue("location")

    def adapter(database: DynamoDb, table: str) -> DynamoUsageBooks:
        return DynamoUsageBooks(database, table=table)

    return UsageStore(DynamoUsageReader(location), in_dynamo(location, UsageItem, adapter))


def _memory_fleet() -> OpenFleet:
    return in_memory(MemoryFleet())


def _dynamo_fleet(request: pytest.FixtureRequest) -> OpenFleet:
    def adapter(database: DynamoDb, table: str) -> FleetTable:
        return DynamoFleet(database, table=table)

    return in_dynamo(request.getfixturevalue("location"), BreakerItem, adapter)


def _memory_limits() -> OpenLimits:
    return in_memory(MemoryLimits(SystemClock()))


def _dynamo_limits(request: pytest.FixtureRequest) -> OpenLimits:
    def adapter(database: DynamoDb, table: str) -> LimitsTable:
        return DynamoLimits(database, table=table)

    return in_dynamo(request.getfixturevalue("location"), LimitItem, adapter)


def _memory_escrow() -> OpenEscrow:
    limits = MemoryLimits(SystemClock())
    return in_memory(EscrowStore(limits, MemoryEscrow(limits)))


def _dynamo_escrow(request: pytest.FixtureRequest) -> OpenEscrow:
    def adapter(database: DynamoDb, table: str) -> EscrowStore:
        return EscrowStore(DynamoLimits(database, table=table), DynamoEscrow(database, table=table))

    return in_dynamo(request.getfixturevalue("location"), LimitItem, adapter)

"""The gateway function: the public API."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp

from forebay.adapters.aws import credentials_from
from forebay.adapters.dynamodb import (
    DynamoDb,
    DynamoDbSettings,
    DynamoFleet,
    DynamoIdempotencyRecords,
    DynamoKeys,
    DynamoLedger,
    DynamoLimits,
)
from forebay.adapters.dynamodb.store_clock import StoreClock
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.secrets import SecretResolver
from forebay.adapters.system import SystemClock, SystemEntropy, write_line
from forebay.adapters.telemetry import JsonLines
from forebay.adapters.tokens import TiktokenCounter
from forebay.service.admission import Admission
from forebay.service.authentication import Authenticator
from forebay.service.bounding import Bounding
from forebay.service.dispatch import Dispatch
from forebay.service.fleet import Fleet
from forebay.service.fleet_flights import FleetFlights
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.service.leaves import SoleLeaf
from forebay.service.load import Loads
from forebay.service.settlement import Settlement
from forebay.service.sharing import Sharing
from forebay.service.spending import Spending
from forebay.settings import (
    Settings,
)
from forebay.web.app import Parts, build_app
from forebay.wiring.catalog import build_catalog
from forebay.wiring.config import read_config
from forebay.wiring.providers import ProviderFactory


def build_gateway(environ: Mapping[str, str]) -> ASGIApp:
    """Build the gateway's ASGI application.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    settings = Settings.from_env(environ)
    stores = settings.stores
    config = read_config(settings.config_paths, environ)
    clock, entropy = SystemClock(), SystemEntropy()
    telemetry = JsonLines(write_line, clock, settings.telemetry.metrics_namespace)
    credentials = credentials_from(environ)
    database = DynamoDb(DynamoDbSettings(stores.region, stores.endpoint_url), credentials, clock)
    ledger = DynamoLedger(
        database, table=stores.ledger_table, retention_days=stores.ledger_retention_days
    )
    counter = TiktokenCounter(settings.vocabulary_dir, telemetry)
    secrets = SecretResolver(environ, clock, region=stores.region, endpoint_url=stores.endpoint_url)
    providers = ProviderFactory(ConnectionPool(clock), secrets, credentials, clock)
    keys = DynamoKeys(database, table=stores.keys_table)
    health = DynamoFleet(database, table=stores.breakers_table)
    limits = DynamoLimits(database, table=stores.limits_table)
    admission = Admission(
        limits, SoleLeaf(limits), keys.newest, StoreClock(clock, database), entropy
    )
    records = DynamoIdempotencyRecords(database, table=stores.jobs_table)
    fleet = Fleet(health, clock, config.resilience.breaker)
    return build_app(
        Parts(
            Gateway(
                build_catalog(config, providers),
                Dispatch(fleet, Loads(clock), entropy, config.resilience.hedge_share),
                Settlement(ledger, counter, telemetry, clock, fleet),
                clock,
                Sharing(FleetFlights(records, telemetry, clock, entropy), clock),
                Spending(admission, Bounding(counter), telemetry),
            ),
            Authenticator(keys, clock, dev_secret=settings.dev_key),
            Idempotency(records, telemetry, clock),
            telemetry,
            clock,
            entropy,
            counter,
        )
    )

"""What settler and controller are both built from: they work behind the requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forebay.adapters.aws import credentials_from
from forebay.adapters.dynamodb import (
    DynamoDb,
    DynamoDbSettings,
    DynamoFleet,
    DynamoKeys,
    DynamoLedger,
)
from forebay.adapters.dynamodb.limits import DynamoLimits
from forebay.adapters.dynamodb.spend import DynamoSpendBooks
from forebay.adapters.dynamodb.usage import DynamoUsageBooks
from forebay.adapters.system import SystemClock, write_line
from forebay.adapters.telemetry import JsonLines
from forebay.ports import Clock
from forebay.settings import BreakerSettings, Settings
from forebay.wiring.config import read_config


@dataclass(frozen=True, slots=True)
class Background:
    """Adapters and settings that they share."""

    fleet: DynamoFleet
    usage_books: DynamoUsageBooks
    spend_books: DynamoSpendBooks
    limits: DynamoLimits
    ledger: DynamoLedger
    keys: DynamoKeys
    breaker: BreakerSettings
    telemetry: JsonLines
    clock: Clock


def build_background(environ: Mapping[str, str]) -> Background:
    """Build them.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    settings = Settings.from_env(environ)
    stores, clock = settings.stores, SystemClock()
    config = read_config(settings.config_paths, environ)
    database = DynamoDb(
        DynamoDbSettings(stores.region, stores.endpoint_url), credentials_from(environ), clock
    )
    return Background(
        DynamoFleet(database, table=stores.breakers_table),
        DynamoUsageBooks(database, table=stores.usage_table),
        DynamoSpendBooks(database, table=stores.usage_table),
        DynamoLimits(database, table=stores.limits_table),
        DynamoLedger(
            database, table=stores.ledger_table, retention_days=stores.ledger_retention_days
        ),
        DynamoKeys(database, table=stores.keys_table),
        config.resilience.breaker,
        JsonLines(write_line, clock, settings.telemetry.metrics_namespace),
        clock,
    )

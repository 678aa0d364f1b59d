"""The gateway function: the public API."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp

from forebay.adapters.dynamodb import (
    DynamoDb,
    DynamoDbSettings,
    DynamoKeys,
    DynamoLedger,
    credentials_from,
)
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.providers.http import HttpProvider
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.secrets import SecretResolver
from forebay.adapters.system import SystemClock, SystemEntropy
from forebay.adapters.telemetry import JsonLines
from forebay.adapters.tokens import TiktokenCounter
from forebay.errors import ConfigurationError
from forebay.ports import Clock, Provider
from forebay.service.authentication import Authenticator
from forebay.service.catalog import Catalog, Target
from forebay.service.gateway import Gateway
from forebay.service.settlement import Settlement
from forebay.settings import (
    ConfigSource,
    GatewayConfig,
    PriceTable,
    ProviderKind,
    ProviderSettings,
    Settings,
    parse_gateway_toml,
)
from forebay.web.app import Parts, build_app

PRICES = Path(__file__).parents[1] / "data" / "prices.json"


def build_gateway(environ: Mapping[str, str]) -> ASGIApp:
    """Build the gateway's ASGI application.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    settings = Settings.from_env(environ)
    stores = settings.stores
    config = read_config(settings.config_paths, environ)
    clock, entropy = SystemClock(), SystemEntropy()
    telemetry = JsonLines(_write_line, clock, settings.telemetry.metrics_namespace)
    database = DynamoDb(
        DynamoDbSettings(stores.region, stores.endpoint_url), credentials_from(environ), clock
    )
    ledger = DynamoLedger(
        database, table=stores.ledger_table, retention_days=stores.ledger_retention_days
    )
    counter = TiktokenCounter(settings.vocabulary_dir, telemetry)
    secrets = SecretResolver(environ, clock, region=stores.region, endpoint_url=stores.endpoint_url)
    keys = DynamoKeys(database, table=stores.keys_table)
    return build_app(
        Parts(
            Gateway(
                _catalog(config, secrets, clock),
                Settlement(ledger, counter, telemetry, clock),
                clock,
                entropy,
            ),
            Authenticator(keys, clock, dev_secret=settings.dev_key),
            telemetry,
            clock,
            entropy,
        )
    )


def read_config(paths: tuple[str, ...], environ: Mapping[str, str]) -> GatewayConfig:
    """Read gateway.toml, and the files that complete it.

    Raises:
        ConfigurationError: One cannot be read, or any fault in any of them.
    """
    root = Path(environ.get("LAMBDA_TASK_ROOT", "."))
    sources: list[ConfigSource] = []
    faults: list[str] = []
    for path in paths:
        try:
            sources.append(ConfigSource(Path(path).name, (root / path).read_bytes()))
        except OSError as error:
            faults.append(f"{path}: expected a file that can be read: {error.strerror}")
    if faults:
        raise ConfigurationError(faults)
    return parse_gateway_toml(sources, environ, PriceTable.from_json(PRICES.read_bytes()))


def _catalog(config: GatewayConfig, secrets: SecretResolver, clock: Clock) -> Catalog:
    pool = ConnectionPool(clock)
    providers = {
        name: _provider(settings, secrets, pool, clock)
        for name, settings in config.providers.items()
        if settings.unavailable is None
    }
    served = config.available_models()
    targets = {
        name: tuple(
            Target(each.provider, providers[each.provider], each.model, each.price, each.weight)
            for each in model.targets
        )
        for name, model in served.items()
    }
    return Catalog(targets, {name: _reason(config, name) for name in config.models.keys() - served})


def _reason(config: GatewayConfig, model: str) -> str:
    """Say why none of a model's targets can be called."""
    providers = dict.fromkeys(target.provider for target in config.models[model].targets)
    return "; ".join(f"{name}: {config.providers[name].unavailable}" for name in providers)


def _provider(
    settings: ProviderSettings, secrets: SecretResolver, pool: ConnectionPool, clock: Clock
) -> Provider:
    if settings.kind is ProviderKind.SCRIPTED:
        return ScriptedProvider(settings.name, settings.scripted, clock)

    async def find_key() -> str | None:
        return await secrets.resolve(settings.api_key) if settings.api_key else None

    return HttpProvider(settings.name, settings.base_url, find_key, settings.timeouts, pool)


def _write_line(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()

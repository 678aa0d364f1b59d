"""The gateway function: the public API."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp

from forebay.adapters.aws import credentials_from
from forebay.adapters.dynamodb import DynamoDb, DynamoDbSettings, DynamoKeys, DynamoLedger
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.secrets import SecretResolver
from forebay.adapters.system import SystemClock, SystemEntropy
from forebay.adapters.telemetry import JsonLines
from forebay.adapters.tokens import TiktokenCounter
from forebay.errors import ConfigurationError
from forebay.service import target_dialects
from forebay.service.authentication import Authenticator
from forebay.service.catalog import Catalog, Target
from forebay.service.gateway import Gateway
from forebay.service.settlement import Settlement
from forebay.service.target_dialects import TargetDialect
from forebay.settings import (
    ConfigSource,
    GatewayConfig,
    PriceTable,
    ProviderKind,
    Settings,
    parse_gateway_toml,
)
from forebay.web.app import Parts, build_app
from forebay.wiring.providers import ProviderFactory

DIALECTS: Mapping[ProviderKind, TargetDialect] = {
    ProviderKind.OPENAI: target_dialects.OPENAI,
    ProviderKind.AZURE: target_dialects.OPENAI,
    ProviderKind.ANTHROPIC: target_dialects.ANTHROPIC,
    ProviderKind.GEMINI: target_dialects.GEMINI,
    ProviderKind.BEDROCK: target_dialects.BEDROCK,
    ProviderKind.OLLAMA: target_dialects.OLLAMA,
    ProviderKind.VLLM: target_dialects.VLLM,
    ProviderKind.LOCALAI: target_dialects.LOCALAI,
    ProviderKind.SCRIPTED: target_dialects.OPENAI,
}
"""What each kind of provider speaks."""

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
    credentials = credentials_from(environ)
    database = DynamoDb(DynamoDbSettings(stores.region, stores.endpoint_url), credentials, clock)
    ledger = DynamoLedger(
        database, table=stores.ledger_table, retention_days=stores.ledger_retention_days
    )
    counter = TiktokenCounter(settings.vocabulary_dir, telemetry)
    secrets = SecretResolver(environ, clock, region=stores.region, endpoint_url=stores.endpoint_url)
    providers = ProviderFactory(ConnectionPool(clock), secrets, credentials, clock)
    keys = DynamoKeys(database, table=stores.keys_table)
    return build_app(
        Parts(
            Gateway(
                _catalog(config, providers),
                Settlement(ledger, counter, telemetry, clock),
                clock,
                entropy,
            ),
            Authenticator(keys, clock, dev_secret=settings.dev_key),
            telemetry,
            clock,
            entropy,
            counter,
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


def _catalog(config: GatewayConfig, factory: ProviderFactory) -> Catalog:
    providers = {
        name: factory.build(settings)
        for name, settings in config.providers.items()
        if settings.unavailable is None
    }
    served = config.available_models()
    targets = {
        name: tuple(
            Target(
                each.provider,
                providers[each.provider],
                each.model,
                each.price,
                DIALECTS[config.providers[each.provider].kind],
                each.weight,
            )
            for each in model.targets
        )
        for name, model in served.items()
    }
    return Catalog(
        targets,
        {name: _reason(config, name) for name in config.models.keys() - served},
        {name: model.fallbacks for name, model in served.items()},
    )


def _reason(config: GatewayConfig, model: str) -> str:
    """Say why none of a model's targets can be called."""
    providers = dict.fromkeys(target.provider for target in config.models[model].targets)
    return "; ".join(f"{name}: {config.providers[name].unavailable}" for name in providers)


def _write_line(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()

"""The admin function: keys and usage, for operators."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Logger

from forebay.adapters.dynamodb.key_administration import DynamoKeyAdministration
from forebay.adapters.dynamodb.ledger_reader import DynamoLedgerReader
from forebay.adapters.dynamodb.tables import TableLocation
from forebay.adapters.system import SystemClock, SystemEntropy
from forebay.service.keys import KeyDesk
from forebay.service.usage import UsageReport
from forebay.settings import Settings
from forebay.web.admin import AdminResolver, build_resolver


def build_admin(environ: Mapping[str, str]) -> AdminResolver:
    """Build the admin function's handler.

    Raises:
        ConfigurationError: The environment is wrong; every fault is named.
    """
    settings = Settings.from_env(environ)
    stores, clock = settings.stores, SystemClock()
    keys = KeyDesk(
        DynamoKeyAdministration(
            TableLocation(stores.keys_table, stores.region, stores.endpoint_url)
        ),
        clock,
        SystemEntropy(),
    )
    ledger = DynamoLedgerReader(
        TableLocation(stores.ledger_table, stores.region, stores.endpoint_url)
    )
    logger = Logger(service="forebay-admin", level=settings.telemetry.log_level.value)
    return build_resolver(keys, UsageReport(ledger, keys, clock), logger)

"""The admin function: keys, limits, usage and the audit trail, for operators."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Logger

from forebay.adapters.dynamodb.audit_trail import DynamoAuditTrail
from forebay.adapters.dynamodb.key_administration import DynamoKeyAdministration
from forebay.adapters.dynamodb.ledger_reader import DynamoLedgerReader
from forebay.adapters.dynamodb.scope_policies import DynamoScopePolicies
from forebay.adapters.dynamodb.tables import TableLocation
from forebay.adapters.dynamodb.usage_reader import DynamoUsageReader
from forebay.adapters.system import SystemClock, SystemEntropy
from forebay.service.audit import Audit
from forebay.service.keys import KeyDesk
from forebay.service.ledger_export import LedgerExport
from forebay.service.reconciliation import Reconciliation
from forebay.service.scopes import ScopeDesk
from forebay.service.usage import UsageReport
from forebay.settings import Settings
from forebay.web.admin import AdminServices, build_resolver
from forebay.web.admin_calls import AdminResolver
from forebay.web.admin_usage import UsageDesk


def build_admin(environ: Mapping[str, str]) -> AdminResolver:
    """Build the admin function's handler.

    Raises:
        ConfigurationError: The environment is wrong; every fault is named.
    """
    settings = Settings.from_env(environ)
    stores, clock, entropy = settings.stores, SystemClock(), SystemEntropy()
    keys_table, ledger_table, usage_table = (
        TableLocation(name, stores.region, stores.endpoint_url)
        for name in (stores.keys_table, stores.ledger_table, stores.usage_table)
    )
    keys = KeyDesk(DynamoKeyAdministration(keys_table), clock, entropy)
    ledger, usage = DynamoLedgerReader(ledger_table), DynamoUsageReader(usage_table)
    services = AdminServices(
        keys=keys,
        scopes=ScopeDesk(DynamoScopePolicies(keys_table), clock),
        usage=UsageDesk(
            UsageReport(ledger, usage, keys, clock),
            Reconciliation(ledger, usage, clock),
            LedgerExport(ledger),
        ),
        audit=Audit(DynamoAuditTrail(keys_table), clock, entropy),
    )
    logger = Logger(service="forebay-admin", level=settings.telemetry.log_level.value)
    return build_resolver(services, logger)

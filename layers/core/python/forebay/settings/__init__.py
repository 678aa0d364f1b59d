"""What can be set, with every default, its unit, its range and the reason for it.

Two sources, both handed in as values, so that this package does no I/O:

- `Settings.from_env(environ)`: the function's environment, which `template.yaml` writes.
- `parse_gateway_toml(sources, environ, prices)`: the file an operator edits, read in three steps:
  `sections` reads tables and collects faults (with lines from `positions`); `providers` (with
  `provider_kinds` and `scripted`), `models` and `resilience` say what the tables may hold;
  `gateway_config` ties names to each other and gives each target its price (from the file, else
  from `prices`).

Both give frozen dataclasses, or one `ConfigurationError` that lists all faults. Secrets are never
read here: settings hold a `SecretReference`, which `forebay.adapters.secrets` resolves.

The reference for operators is `docs/reference/configuration.md`; a test compares it with this.
"""

from forebay.settings.environment import (
    MAX_REQUEST_BODY_BYTES,
    LogLevel,
    ResponseMode,
    Settings,
    Stage,
    StoreSettings,
    TelemetrySettings,
)
from forebay.settings.gateway_config import GatewayConfig
from forebay.settings.gateway_toml import ConfigSource, parse_gateway_toml
from forebay.settings.models import ModelSettings, TargetSettings
from forebay.settings.prices import PriceRow, PriceTable
from forebay.settings.provider_kinds import AZURE_V1, KeyHeader, ProviderKind
from forebay.settings.providers import (
    ProviderSettings,
    SecretOrigin,
    SecretReference,
    TimeoutSettings,
)
from forebay.settings.resilience import (
    DEFAULT_HEDGE_SHARE,
    BreakerSettings,
    Continuing,
    ModelResilience,
    ModelTimeouts,
    ResilienceSettings,
    SingleFlight,
)
from forebay.settings.scripted import (
    ScriptedContinuing,
    ScriptedFault,
    ScriptedFaults,
    ScriptedSettings,
    parse_faults,
)

__all__ = [
    "AZURE_V1",
    "DEFAULT_HEDGE_SHARE",
    "MAX_REQUEST_BODY_BYTES",
    "BreakerSettings",
    "ConfigSource",
    "Continuing",
    "GatewayConfig",
    "KeyHeader",
    "LogLevel",
    "ModelResilience",
    "ModelSettings",
    "ModelTimeouts",
    "PriceRow",
    "PriceTable",
    "ProviderKind",
    "ProviderSettings",
    "ResilienceSettings",
    "ResponseMode",
    "ScriptedContinuing",
    "ScriptedFault",
    "ScriptedFaults",
    "ScriptedSettings",
    "SecretOrigin",
    "SecretReference",
    "Settings",
    "SingleFlight",
    "Stage",
    "StoreSettings",
    "TargetSettings",
    "TelemetrySettings",
    "TimeoutSettings",
    "parse_faults",
    "parse_gateway_toml",
]

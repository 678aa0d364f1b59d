"""The function's own settings, from its environment (`template.yaml` sets it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final, TypeVar

from forebay.errors import ConfigurationError

Choice = TypeVar("Choice", bound=StrEnum)

MAX_REQUEST_BODY_BYTES: Final = 6 * 1024 * 1024
"""Largest request body: Lambda takes no larger invocation event, so none can come through it."""


class Stage(StrEnum):
    """Where this runs."""

    LOCAL = "local"
    PRODUCTION = "production"


class ResponseMode(StrEnum):
    """How the function's integration takes its answer; the Runtime API does not tell."""

    STREAMING = "streaming"
    BUFFERED = "buffered"


class LogLevel(StrEnum):
    """The least serious log line that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where state lives."""

    keys_table: str
    ledger_table: str
    breakers_table: str
    jobs_table: str
    limits_table: str
    usage_table: str
    region: str
    endpoint_url: str | None
    """Another AWS than the real one (the local stack's); None: AWS's own."""
    ledger_retention_days: int = 400
    """After which a ledger row may go: thirteen months, so that a month can be compared with the
    same one of the year before."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """How much is told, and under which name."""

    metrics_namespace: str = "Forebay"
    """CloudWatch namespace, 1-255 characters."""
    log_level: LogLevel = LogLevel.INFO
    """INFO: the one line a request; DEBUG never holds a prompt either."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the environment says."""

    stage: Stage
    config_paths: tuple[str, ...]
    """The gateway.toml files in order of precedence."""
    response_mode: ResponseMode
    stores: StoreSettings
    telemetry: TelemetrySettings
    vocabulary_dir: str | None
    """Where tiktoken's files lie; None: tokens are estimated."""
    dev_key: str | None = field(repr=False)
    """The local stack's fixed API key; never set in production."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment; an empty variable counts as unset.

        Raises:
            ConfigurationError: A line a fault: `environment: FOREBAY_STAGE: expected …`.
        """
        reader = _Environment(environ)
        stage = reader.choice("FOREBAY_STAGE", Stage, None)
        defaults = TelemetrySettings()
        settings = cls(
            stage=stage,
            config_paths=reader.paths("FOREBAY_CONFIG"),
            response_mode=reader.choice(
                "FOREBAY_RESPONSE_MODE", ResponseMode, ResponseMode.BUFFERED
            ),
            stores=StoreSettings(
                keys_table=reader.required("FOREBAY_KEYS_TABLE"),
                ledger_table=reader.required("FOREBAY_LEDGER_TABLE"),
                breakers_table=reader.required("FOREBAY_BREAKERS_TABLE"),
                jobs_table=reader.required("FOREBAY_JOBS_TABLE"),
                limits_table=reader.required("FOREBAY_LIMITS_TABLE"),
                usage_table=reader.required("FOREBAY_USAGE_TABLE"),
                region=reader.required("AWS_REGION"),
                endpoint_url=reader.optional("AWS_ENDPOINT_URL"),
            ),
            telemetry=TelemetrySettings(
                metrics_namespace=reader.optional("FOREBAY_METRICS_NAMESPACE")
                or defaults.metrics_namespace,
                log_level=reader.choice("FOREBAY_LOG_LEVEL", LogLevel, defaults.log_level),
            ),
            vocabulary_dir=reader.optional("TIKTOKEN_CACHE_DIR"),
            dev_key=reader.optional("FOREBAY_DEV_KEY"),
        )
        if stage is Stage.PRODUCTION and settings.dev_key is not None:
            # A key that stands in a template opens the gateway to everyone who reads it.
            reader.fault("FOREBAY_DEV_KEY", "expected only where FOREBAY_STAGE is local")
        reader.finish()
        return settings


class _Environment:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[str] = []

    def fault(self, name: str, message: str) -> None:
        self._faults.append(f"environment: {name}: {message}")

    def finish(self) -> None:
        if self._faults:
            raise ConfigurationError(self._faults)

    def optional(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            self.fault(name, "expected a value; it is not set")
        return value or ""

    def choice(self, name: str, options: type[Choice], default: Choice | None) -> Choice:
        value = self.optional(name) or default
        if value in set(options):
            return options(value)
        got = "it is not set" if value is None else f"got {value[:60]!r}"
        self.fault(name, f"expected {' or '.join(options)}; {got}")
        return next(iter(options))

    def paths(self, name: str) -> tuple[str, ...]:
        """Split at `:` (both Lambda and the local stack are POSIX); relative to the task root."""
        root = PurePosixPath(self._environ.get("LAMBDA_TASK_ROOT", ""))
        return tuple(str(root / path) for path in self.required(name).split(":") if path)

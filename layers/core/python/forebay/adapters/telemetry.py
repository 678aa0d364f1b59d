"""One JSON line a request on standard output: CloudWatch Logs keeps it, and EMF reads its metrics.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html. See decision 0006 for why this is not
Powertools' Metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from forebay import telemetry as names
from forebay.model import LedgerRow, Outcome
from forebay.ports import Clock

SERVICE = "forebay"


@dataclass(slots=True)
class JsonLines:
    """Writes log lines with their metrics.

    Args:
        write: Takes one line, with its line end; must not block for long.
        clock: Dates the lines.
        namespace: CloudWatch namespace of the metrics.
    """

    write: Callable[[bytes], object]
    clock: Clock
    namespace: str
    _encoder: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder)

    def request_ended(self, row: LedgerRow) -> None:
        """Write a request's line. No prompt, no answer, no secret is in a row."""
        failed = row.outcome is not Outcome.COMPLETE
        line: dict[str, Any] = {
            "level": "ERROR" if failed else "INFO",
            "message": "request",
            names.REQUEST_ID: row.request_id,
            names.CREATED_AT: row.created_at,
            names.KEY_ID: row.key_id,
            names.KEY_NAME: row.key_name,
            names.TENANT: row.tenant,
            names.TEAM: row.team,
            names.OPERATION: "chat",
            names.PROVIDER: row.provider,
            names.REQUEST_MODEL: row.request_model,
            names.RESPONSE_MODEL: row.response_model,
            names.STREAM: row.stream,
            names.OUTCOME: row.outcome,
            names.UPSTREAM_STATUS: row.status,
            names.ERROR_TYPE: row.error_code,
            names.CACHED_INPUT_TOKENS: row.usage.cached_input_tokens,
            names.REASONING_TOKENS: row.usage.reasoning_tokens,
            names.USAGE_SOURCE: row.usage.source,
        }
        metrics: dict[str, int | None] = {
            names.REQUESTS: 1,
            names.ERRORS: int(failed),
            names.TIME_TO_FIRST_TOKEN: row.time_to_first_token_ms,
            names.REQUEST_DURATION: row.duration_ms,
            names.INPUT_TOKENS: row.usage.input_tokens,
            names.OUTPUT_TOKENS: row.usage.output_tokens,
            names.COST_NANO_USD: row.cost_nano_usd,
        }
        self._write(line, {name: value for name, value in metrics.items() if value is not None})

    def incident(self, code: str, message: str, **fields: str | float | None) -> None:
        """Write a line of its own, without metrics."""
        self._write({"level": "ERROR", "message": message, names.ERROR_TYPE: code, **fields}, {})

    def gauge(self, name: str, value: float) -> None:
        """Write a line that is the carrier of one metric."""
        self._write({"level": "INFO", "message": "gauge"}, {name: value})

    def _write(self, line: dict[str, Any], metrics: Mapping[str, float]) -> None:
        now_ms = int(self.clock.now() * 1000)
        document: dict[str, Any] = {"timestamp": now_ms, names.DIMENSION: SERVICE, **line}
        if metrics:
            document["_aws"] = {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": self.namespace,
                        "Dimensions": [[names.DIMENSION]],
                        "Metrics": [_definition(name) for name in metrics],
                    }
                ],
            }
            document |= metrics
        self.write(self._encoder.encode(document) + b"\n")


def _definition(name: str) -> dict[str, str | int]:
    """Return what EMF reads of a metric; without a resolution it is kept by the minute."""
    definition: dict[str, str | int] = {"Name": name, "Unit": names.METRICS[name]}
    return definition | {"StorageResolution": 1} if name in names.FINE else definition

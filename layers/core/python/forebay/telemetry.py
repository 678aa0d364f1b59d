"""Names of what is logged and measured; nothing is named anywhere else.

Source: OpenTelemetry semantic conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/) and HTTP; names under `forebay.` have no
counterpart there. A line of the log is also the carrier of its metrics (CloudWatch EMF), so each
number is written once.
"""

from __future__ import annotations

from typing import Final

# Attributes of a request's line.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
ERROR_TYPE: Final = "error.type"
UPSTREAM_STATUS: Final = "http.response.status_code"
TIME_TO_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"  # noqa: S105 - tokens of text
REQUEST_DURATION: Final = "gen_ai.server.request.duration"
REQUEST_ID: Final = "forebay.request.id"
CREATED_AT: Final = "forebay.request.created_at"
KEY_ID: Final = "forebay.key.id"
KEY_NAME: Final = "forebay.key.name"
TENANT: Final = "forebay.tenant"
TEAM: Final = "forebay.team"
STREAM: Final = "forebay.stream"
OUTCOME: Final = "forebay.outcome"
USAGE_SOURCE: Final = "forebay.usage.source"
COST_NANO_USD: Final = "forebay.cost_nano_usd"
REQUESTS: Final = "forebay.requests"
ERRORS: Final = "forebay.errors"

# Told by settler and controller.
SPEND_LAST_HOUR: Final = "forebay.spend_last_hour"
"""USD within the last 60 minutes."""
OPEN_BREAKERS: Final = "forebay.open_breakers"
OLDEST_HOLD: Final = "forebay.oldest_hold"
"""How long ago the oldest hold expired that nobody has settled."""

METRICS: Final[dict[str, str]] = {
    REQUESTS: "Count",
    ERRORS: "Count",
    TIME_TO_FIRST_TOKEN: "Milliseconds",
    REQUEST_DURATION: "Milliseconds",
    INPUT_TOKENS: "Count",
    OUTPUT_TOKENS: "Count",
    COST_NANO_USD: "None",
    SPEND_LAST_HOUR: "None",
    OPEN_BREAKERS: "Count",
    OLDEST_HOLD: "Seconds",
}
"""Metrics and their CloudWatch units: ten series, since each costs money by the month, and ten are
free."""

FINE: Final = frozenset({SPEND_LAST_HOUR})
"""Metrics kept by the second, which alarms may read every 10 s; others are kept by the minute."""

DIMENSION: Final = "service"
"""The only dimension: one series a metric. What is by model, key or tenant is in the ledger."""

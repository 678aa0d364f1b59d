"""Rows of the ledger, in columns that cost tools know.

Names and meaning are those of FOCUS, the FinOps Open Cost and Usage Specification 1.0
(https://focus.finops.org/focus-specification/v1-0/), where it has such a column. What it has not
begins with `x_`, as it asks of columns that are a provider's own. Not a whole FOCUS data set: what
only the sender of an invoice knows (billing account, billing period, contract) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from forebay.model import LedgerRow
from forebay.money import format_usd
from forebay.ports.administration import LedgerReader

Cell = str | int | bool | dict[str, bool] | None


@dataclass(frozen=True, slots=True)
class ExportedPage:
    """Some rows of a day."""

    rows: tuple[dict[str, Cell], ...]
    """All with the same columns, in the same order."""
    next: str | None
    """Asks for the next page; None: this is the last."""


class LedgerExport:
    """Hands out the ledger day by day, page by page.

    Args:
        ledger: The rows.
    """

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger

    def page(self, day: str, *, after: str | None) -> ExportedPage:
        """Return rows of a UTC day, in no order.

        Raises:
            ValueError: `after` is no place that was returned.
            StoreError: The store did not answer, or a row cannot be read.
        """
        rows, last = self._ledger.page(day, after=after)
        return ExportedPage(tuple(map(_columns, rows)), last)


def _columns(row: LedgerRow) -> dict[str, Cell]:
    return {**_focus_columns(row), **_own_columns(row)}


def _focus_columns(row: LedgerRow) -> dict[str, Cell]:
    cost = format_usd(row.cost_nano_usd)
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": _timestamp(row.created_at),
        "ChargePeriodEnd": _timestamp(row.created_at + row.duration_ms / 1000),
        "ConsumedQuantity": row.usage.input_tokens + row.usage.output_tokens,
        "ConsumedUnit": "Tokens",
        "ProviderName": row.provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": row.response_model,
        "SubAccountId": row.tenant,
        "SubAccountName": row.tenant,
        "ResourceId": row.key_id,
        "ResourceName": row.key_name,
        "Tags": dict.fromkeys(row.tags, True),  # FOCUS's value of a tag that has none
    }


def _own_columns(row: LedgerRow) -> dict[str, Cell]:
    usage = row.usage
    return {
        "x_RequestId": row.request_id,
        "x_Team": row.team,
        "x_RequestModel": row.request_model,
        "x_Outcome": row.outcome.value,
        "x_ErrorCode": row.error_code,
        "x_Stream": row.stream,
        "x_Attempts": len(row.attempts),
        "x_InputTokens": usage.input_tokens,
        "x_CachedInputTokens": usage.cached_input_tokens,
        "x_CacheWriteInputTokens": usage.cache_write_input_tokens
        + usage.cache_write_1h_input_tokens,
        "x_OutputTokens": usage.output_tokens,
        "x_ReasoningTokens": usage.reasoning_tokens,
        "x_UsageSource": usage.source.value,
        "x_CostNanoUsd": row.cost_nano_usd,
    }


def _timestamp(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(int(epoch_s), UTC):%Y-%m-%dT%H:%M:%SZ}"

"""Rows of the ledger as cost tools know them."""

from __future__ import annotations

import asyncio

from forebay.adapters.memory import MemoryLedger
from forebay.adapters.memory.ledger import PAGE_ROWS
from forebay.service.ledger_export import LedgerExport
from tests.support.admin_api import ledger_row

NOON = 1_795_435_200.0
DAY = "2026-11-23"


def export(ledger: MemoryLedger) -> LedgerExport:
    return LedgerExport(ledger)


def test_a_row_has_focus_columns_and_its_own() -> None:
    ledger = MemoryLedger()
    asyncio.run(ledger.put(ledger_row("01KB", NOON, team="core", tags=("a",))))
    (row,) = export(ledger).page(DAY, after=None).rows
    assert row == {
        "BilledCost": "0.000001234",
        "EffectiveCost": "0.000001234",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": "2026-11-23T12:00:00Z",
        "ChargePeriodEnd": "2026-11-23T12:00:00Z",
        "ConsumedQuantity": 110,
        "ConsumedUnit": "Tokens",
        "ProviderName": "openai",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "gpt-5-mini",
        "SubAccountId": "default",
        "SubAccountName": "default",
        "ResourceId": "aaaaaaaaaa",
        "ResourceName": "web",
        "Tags": {"a": True},
        "x_RequestId": "01KB",
        "x_Team": "core",
        "x_RequestModel": "fast",
        "x_Outcome": "complete",
        "x_ErrorCode": None,
        "x_Stream": True,
        "x_Attempts": 0,
        "x_InputTokens": 100,
        "x_CachedInputTokens": 40,
        "x_CacheWriteInputTokens": 0,
        "x_OutputTokens": 10,
        "x_ReasoningTokens": 0,
        "x_UsageSource": "reported",
        "x_CostNanoUsd": 1_234,
    }


def test_pages_have_each_row_of_the_day_once() -> None:
    ledger = MemoryLedger()
    names = [f"{number:05d}" for number in range(PAGE_ROWS * 2 + 1)]

    async def fill() -> None:
        for name in names:
            await ledger.put(ledger_row(name, NOON))
        await ledger.put(ledger_row("other day", NOON - 86_400))

    asyncio.run(fill())
    found, after = [], None
    while True:
        page = export(ledger).page(DAY, after=after)
        found += [row["x_RequestId"] for row in page.rows]
        after = page.next
        if after is None:
            break
    assert found == names

"""Keys and rows to store."""

from __future__ import annotations

from forebay.model import KeyRecord, KeyStatus, LedgerRow, Outcome, Usage, UsageSource
from forebay.money import NanoUsd

NOON = 1_795_435_200.0
"""2026-11-23 12:00 UTC."""

KEY = KeyRecord(
    key_id="0123456789",
    name="batch jobs of größe",
    secret_sha256="ab" * 32,
    tenant="acme",
    team="search",
    models=("smart", "fast"),
    status=KeyStatus.ACTIVE,
    version=1,
    created_at=NOON + 0.123456,
)

ROW = LedgerRow(
    request_id="01KAS0000000000000000000Z0",
    created_at=NOON + 0.123,
    key_id=KEY.key_id,
    key_name=KEY.name,
    tenant="acme",
    team="search",
    request_model="fast",
    provider="openai",
    response_model="gpt-5-mini",
    stream=True,
    outcome=Outcome.COMPLETE,
    status=200,
    error_code=None,
    usage=Usage(
        1_000,
        200,
        cached_input_tokens=30,
        reasoning_tokens=4,
        cache_write_input_tokens=20,
        cache_write_1h_input_tokens=10,
        web_searches=2,
        service_tier="flex",
    ),
    cost_nano_usd=NanoUsd(123_456_789),
    time_to_first_token_ms=310,
    duration_ms=4_200,
)

FAILED_ROW = LedgerRow(
    request_id="01KAS0000000000000000000Z1",
    created_at=NOON,
    key_id=KEY.key_id,
    key_name="",
    tenant="",
    team=None,
    request_model="😀 \0 \"'\\ \u2028",
    provider="openai",
    response_model="",
    stream=False,
    outcome=Outcome.FAILED,
    status=502,
    error_code="upstream_unavailable",
    usage=Usage(0, 0, source=UsageSource.ESTIMATED),
    cost_nano_usd=NanoUsd(0),
    time_to_first_token_ms=None,
    duration_ms=0,
)

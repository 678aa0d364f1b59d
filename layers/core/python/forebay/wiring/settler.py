"""The settler function: reads the ledger's stream."""

from __future__ import annotations

from collections.abc import Mapping

from forebay.adapters.dynamodb.ledger_stream import LedgerStream
from forebay.service.roll_ups import RollUps, all_of
from forebay.service.settler import Settler
from forebay.service.spend import SpendMeter
from forebay.wiring.background import build_background


def build_settler(environ: Mapping[str, str]) -> LedgerStream:
    """Build the settler function's handler.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    parts = build_background(environ)
    settler = Settler(parts.fleet, parts.fleet, parts.clock, parts.breaker)
    meter = SpendMeter(parts.spend_books, parts.telemetry, parts.clock)
    settle = all_of(RollUps(parts.usage_books).enter, settler.settle_batch, meter.enter)
    return LedgerStream(settle, parts.telemetry)

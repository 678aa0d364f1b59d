"""The settler function: reads the ledger's stream."""

from __future__ import annotations

from collections.abc import Mapping

from forebay.adapters.dynamodb.ledger_stream import LedgerStream
from forebay.service.settler import Settler
from forebay.wiring.background import build_background


def build_settler(environ: Mapping[str, str]) -> LedgerStream:
    """Build the settler function's handler.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    parts = build_background(environ)
    settler = Settler(parts.fleet, parts.fleet, parts.clock, parts.breaker)
    return LedgerStream(settler.settle, parts.telemetry)

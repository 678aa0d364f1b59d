#!/usr/bin/env python3
"""Make the bundled price table from litellm's.

    tools/build_prices.py SOURCE.json --source "litellm 1.109.1" --date 2026-11-23 > PRICES.json

`SOURCE.json` is litellm's `model_prices_and_context_window_backup.json`, or a part of it: model
name -> fields, US dollars per token. The result (`layers/core/python/forebay/data/prices.json`)
holds nano-dollars per million tokens, exact: a price that is no whole number of them is an error.

A row's `price` is a `forebay.money.Price`: the ordinary rates, `above` (those of the whole call
once its input is longer than so many tokens) and `tiers` (those of the batch interface). What a
tier does not state costs what it costs elsewhere, so that no cost is below the provider's bill.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

NANO_USD_PER_MILLION = 10**15
"""From USD a token: 10^9 nano-dollars, 10^6 tokens."""

RATES = {
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
}
"""Each with a suffix: `""`, `"_batches"`, `"_above_200k_tokens"`, or one after the other."""
LONG_INPUT = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")
LIMITS = ("max_input_tokens", "max_output_tokens")
BATCHES = "_batches"


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description="Make Forebay's price table from litellm's.")
    parser.add_argument("table", type=Path, help="litellm's JSON file")
    parser.add_argument("--source", required=True, help="name and version of the source")
    parser.add_argument("--date", required=True, help="day of the snapshot, e.g. 2026-11-23")
    arguments = parser.parse_args()
    source = json.loads(arguments.table.read_bytes(), parse_float=Decimal)
    header = {
        "source": f"{arguments.source}, model_prices_and_context_window_backup.json",
        "date": arguments.date,
        "licence": "MIT, see prices.LICENSE.txt",
        "unit": "nano-dollars (10^-9 USD) per million tokens",
    }
    sys.stdout.write(render(header, build(source)))


def build(source: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows of all models whose prices the source states, sorted by name.

    Raises:
        ValueError: A price is no whole number of nano-dollars per million tokens.
    """
    rows = {name: _row(name, source[name]) for name in sorted(source)}
    return {name: row for name, row in rows.items() if row is not None}


def render(header: Mapping[str, str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the table with one model a line, so that a new snapshot reads well as a diff."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return f'{{"header": {json.dumps(header, indent=1)},\n"models": {{\n{lines}\n}}}}\n'


def _row(name: str, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    price = _price(name, fields, "")
    if price is None:
        return None
    is_embedding = fields.get("mode") == "embedding"
    if price["input"] and not price["output"] and not is_embedding:
        return None  # a router: what it bills depends on the model that it picks
    if is_embedding:  # there is no output to have a price
        fields = {RATES["output"] + BATCHES: 0, **fields}
    batch = _price(name, fields, BATCHES)
    if batch is not None:
        if "above" in price:
            batch.setdefault("above", price["above"])
        price["tiers"] = {"batch": batch}
    limits = {key: fields[key] for key in LIMITS if key in fields}
    return {"provider": fields["litellm_provider"], "price": price, **limits}


def _price(name: str, fields: Mapping[str, Any], suffix: str) -> dict[str, Any] | None:
    """Return the rates of one way to call, and those for long input; None if it has none."""
    price: dict[str, Any] | None = _rates(name, fields, suffix)
    if price is None:
        return None
    lengths = sorted((int(m[2]), m[1]) for m in map(LONG_INPUT.fullmatch, fields) if m)
    steps = [(1_000 * k, _rates(name, fields, step + suffix)) for k, step in lengths]
    above = [{"above_input_tokens": n, "rates": rates} for n, rates in steps if rates is not None]
    return {**price, "above": above} if above else price


def _rates(name: str, fields: Mapping[str, Any], suffix: str) -> dict[str, int] | None:
    rates = {
        ours: _nano_usd(name, fields[theirs + suffix])
        for ours, theirs in RATES.items()
        if theirs + suffix in fields
    }
    if "input" not in rates or "output" not in rates:
        return None
    return {"cached_input": rates["input"], **rates}


def _nano_usd(name: str, usd_per_token: Decimal | int) -> int:
    exact = Decimal(usd_per_token) * NANO_USD_PER_MILLION
    if exact != int(exact) or exact < 0:
        raise ValueError(f"{name}: {usd_per_token} USD a token is no whole number of nano-dollars")
    return int(exact)


if __name__ == "__main__":
    main()

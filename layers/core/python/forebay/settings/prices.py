"""What tokens cost: the bundled table, and `price = …` in gateway.toml.

All prices are read as decimals, never as binary floats, and kept as nano-dollars per million
tokens, so that 0.0125 USD is 12,500,000 and nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Final

import msgspec

from forebay.money import FREE, NANO_PER_USD, STANDARD_TIERS, LongInput, Price, Rates
from forebay.settings.provider_kinds import ProviderKind
from forebay.settings.sections import Section, describe

MAX_USD_PER_MILLION: Final = Decimal(100_000)
"""The dearest model of the bundled table costs 600; beyond this a price is a slip of the unit."""
MAX_INPUT_TOKENS: Final = 100_000_000
"""Beyond any context window."""
CALLS_PER_SEARCH_PRICE: Final = 1_000
"""Searches are quoted per thousand, tokens per million."""

RATE_KEYS: Final = ("input", "cached_input", "cache_write", "cache_write_1h", "output")
TIER_KEYS: Final = (*RATE_KEYS, "above")
PRICE_KEYS: Final = (*TIER_KEYS, "tiers", "web_search")
LONG_KEYS: Final = ("input_tokens", *RATE_KEYS)

_TIER: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")

_EXAMPLE: Final = "{ input = 0.25, cached_input = 0.025, output = 2.0 }"
PRICE_HELP: Final = f'price = {_EXAMPLE} (USD per million tokens) or price = "free"'


@dataclass(frozen=True, slots=True)
class _Seller:
    """How the bundled table writes what a kind of provider sells."""

    providers: frozenset[str]
    """`PriceRow.provider`: a name that another seller uses too is another product."""
    prefix: str = ""
    """Before the model's name there."""


_SELLERS: Final[Mapping[ProviderKind, _Seller]] = {
    ProviderKind.OPENAI: _Seller(frozenset({"openai"})),
    ProviderKind.AZURE: _Seller(frozenset({"azure"}), "azure/"),
    ProviderKind.ANTHROPIC: _Seller(frozenset({"anthropic"})),
    ProviderKind.GEMINI: _Seller(frozenset({"gemini"}), "gemini/"),
    ProviderKind.BEDROCK: _Seller(frozenset({"bedrock", "bedrock_converse"})),
}
"""The kinds that have list prices; a self-hosted model has none, whatever its name."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One model of the bundled table."""

    provider: str
    """Who sells it, in litellm's words."""
    price: Price
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices that ship with Forebay (`forebay/data/prices.json`)."""

    header: Mapping[str, str] = field(default_factory=dict)
    """Source, date, licence and unit of the table."""
    models: Mapping[str, PriceRow] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes) -> PriceTable:
        """Read the file that `tools/build_prices.py` writes. Cost: 0.7 ms for 280 models.

        Raises:
            msgspec.ValidationError: The file is not of that shape.
        """
        return msgspec.json.decode(data, type=cls)

    def lookup(self, kind: ProviderKind, model: str) -> Price | None:
        """Return the list price of a target's model; None where the table knows none.

        Azure's targets name deployments: one that bears a model's name costs what that costs.
        Bedrock's prices differ between a model and its inference profiles (`us.…`, `global.…`):
        what is not listed under just its own name has none.
        """
        seller = _SELLERS.get(kind)
        row = self.models.get(seller.prefix + model) if seller else None
        if seller is None or row is None or row.provider not in seller.providers:
            return None
        return row.price


def read_price(section: Section) -> Price | None:
    """Read `price` of a model or a target; None if it states none (or a faulty one)."""
    value = section.values.get("price")
    if value == "free":
        return FREE
    if isinstance(value, dict):
        return _read_whole(section.table("price"))
    if value is not None:
        section.fault(f'expected {_EXAMPLE} or "free", got {describe(value)}', "price")
    return None


def _read_whole(table: Section) -> Price | None:
    table.only(*PRICE_KEYS)
    price = _read_tier(table)
    tiers = {name: _read_named_tier(name, tier) for name, tier in table.tables("tiers")}
    search = _nano_usd(table, "web_search")
    if price is None:
        return None
    return replace(
        price,
        # A tier that says nothing of long input: what it costs is surely no more than it does
        # elsewhere, and a cost is never to be below the bill.
        tiers={name: replace(t, above=t.above or price.above) for name, t in tiers.items() if t},
        web_search=None if search is None else search * CALLS_PER_SEARCH_PRICE,
    )


def _read_named_tier(name: str, table: Section) -> Price | None:
    if name in STANDARD_TIERS or not _TIER.fullmatch(name):
        table.fault("expected the name of a tier other than the ordinary one, e.g. flex")
    table.only(*TIER_KEYS)
    return _read_tier(table)


def _read_tier(table: Section) -> Price | None:
    rates = _read_rates(table)
    steps = [_read_step(step) for step in table.table_array("above")]
    above = tuple(step for step in steps if step is not None)
    lengths = [step.above_input_tokens for step in above]
    if lengths != sorted(set(lengths)):
        table.fault("expected input_tokens to grow from step to step", "above")
    return None if rates is None else Price(**asdict(rates), above=above)


def _read_step(table: Section) -> LongInput | None:
    table.only(*LONG_KEYS)
    if "input_tokens" not in table.values:
        table.fault("expected a number of tokens; it is missing", "input_tokens")
        return None
    length = table.integer("input_tokens", default=1, low=1, high=MAX_INPUT_TOKENS)
    rates = _read_rates(table)
    return None if rates is None else LongInput(length, rates)


def _read_rates(table: Section) -> Rates | None:
    for key in ("input", "output"):
        if key not in table.values:
            table.fault("expected USD per million tokens; it is missing", key)
    stated = {key: _nano_usd(table, key) for key in RATE_KEYS}
    input_, cached_input, output = (stated[key] for key in ("input", "cached_input", "output"))
    if input_ is None or output is None:
        return None
    return Rates(
        input=input_,
        cached_input=input_ if cached_input is None else cached_input,
        output=output,
        cache_write=stated["cache_write"],
        cache_write_1h=stated["cache_write_1h"],
    )


def _nano_usd(table: Section, key: str) -> int | None:
    usd = table.number(key, low=Decimal(0), high=MAX_USD_PER_MILLION)
    if usd is None:
        return None
    exact = usd.quantize(Decimal(1) / NANO_PER_USD)
    if exact != usd:
        table.fault(f"expected at most 9 digits after the point, got {describe(usd)}", key)
        return None
    return int(exact * NANO_PER_USD)

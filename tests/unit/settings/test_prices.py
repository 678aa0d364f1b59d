"""The bundled price table, and the tool that makes it."""

import importlib.util
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import forebay
from forebay.money import LongInput, Price, Rates
from forebay.settings import PriceRow, PriceTable, ProviderKind

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools" / "build_prices.py"
DATA = Path(forebay.__file__).parent / "data"


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_prices", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chat(**fields: Any) -> dict[str, Any]:
    costs = {"input_cost_per_token": Decimal("2.5e-07"), "output_cost_per_token": Decimal("2e-06")}
    return {"litellm_provider": "openai", "mode": "chat", **costs, **fields}


def test_the_bundled_table_is_read_whole() -> None:
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    assert len(table.models) > 200
    assert table.lookup(ProviderKind.OPENAI, "gpt-5-mini") == Price(
        input=250_000_000,
        cached_input=25_000_000,
        output=2_000_000_000,
        tiers={"batch": Price(125_000_000, 12_500_000, 1_000_000_000)},
    )


def test_the_bundled_table_says_where_it_comes_from() -> None:
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    assert set(table.header) == {"source", "date", "licence", "unit"}
    assert "MIT License" in (DATA / "prices.LICENSE.txt").read_text()


def test_the_bundled_table_knows_no_cached_price_above_the_input_price() -> None:
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    assert not [n for n, row in table.models.items() if row.price.cached_input > row.price.input]


def test_the_bundled_table_has_the_multiples_that_stand_in_for_prices_of_cache_writes() -> None:
    """1.25 and 2, with all sellers who bill for writes, at all lengths, in batches too."""
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    rates = [
        rates
        for row in table.models.values()
        if row.provider in {"anthropic", "azure", "bedrock", "bedrock_converse", "openai"}
        for price in (row.price, *row.price.tiers.values())
        for rates in (price, *(step.rates for step in price.above))
    ]
    written = [(r.cache_write, r.input * 5 / 4) for r in rates if r.cache_write is not None]
    written_1h = [(r.cache_write_1h, r.input * 2) for r in rates if r.cache_write_1h is not None]
    assert len(written) > 100
    assert len(written_1h) > 50
    assert all(stated == multiple for stated, multiple in written + written_1h)


def test_the_bundled_table_has_rates_for_long_input_and_for_batches() -> None:
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    price = table.lookup(ProviderKind.GEMINI, "gemini-2.5-pro")
    assert price is not None
    assert price.above == (LongInput(200_000, Rates(2_500_000_000, 250_000_000, 15_000_000_000)),)
    assert price.tiers["batch"].above == (
        LongInput(200_000, Rates(1_250_000_000, 250_000_000, 7_500_000_000)),
    )


@pytest.mark.parametrize(
    ("kind", "model", "input_usd"),
    [
        (ProviderKind.AZURE, "gpt-5-mini", "0.25"),
        (ProviderKind.ANTHROPIC, "claude-haiku-4-5", "1"),
        (ProviderKind.GEMINI, "gemini-3.5-flash-lite", "0.3"),
        (ProviderKind.BEDROCK, "amazon.nova-pro-v1:0", "0.8"),
        (ProviderKind.BEDROCK, "us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.1"),
    ],
)
def test_each_seller_s_models_are_found_by_their_own_names(
    kind: ProviderKind, model: str, input_usd: str
) -> None:
    table = PriceTable.from_json((DATA / "prices.json").read_bytes())
    price = table.lookup(kind, model)
    assert price is not None
    assert price.input == int(Decimal(input_usd) * 10**9)


@pytest.mark.parametrize("kind", [ProviderKind.OPENAI, ProviderKind.BEDROCK])
def test_another_seller_s_price_is_not_taken(kind: ProviderKind) -> None:
    table = PriceTable(models={"claude-haiku-4-5": PriceRow("anthropic", Price(1, 1, 1))})
    assert table.lookup(kind, "claude-haiku-4-5") is None


@pytest.mark.parametrize("kind", [kind for kind in ProviderKind if kind != ProviderKind.OPENAI])
def test_a_self_hosted_model_has_no_list_price(kind: ProviderKind) -> None:
    table = PriceTable(models={"gpt-5": PriceRow("openai", Price(1, 1, 1))})
    assert table.lookup(kind, "gpt-5") is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"models": {"a": {"provider": "x"}}}', b"\xff"])
def test_a_damaged_table_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        PriceTable.from_json(data)


def test_prices_become_nano_dollars_per_million_tokens() -> None:
    source = {"m": chat(cache_read_input_token_cost=Decimal("1.25e-08"), max_output_tokens=9)}
    assert tool().build(source)["m"] == {
        "provider": "openai",
        "price": {"input": 250_000_000, "cached_input": 12_500_000, "output": 2_000_000_000},
        "max_output_tokens": 9,
    }


LONG = {
    "input_cost_per_token_above_200k_tokens": Decimal("5e-07"),
    "output_cost_per_token_above_200k_tokens": Decimal("3e-06"),
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": Decimal("1e-06"),
}
LONG_RATES = {
    "input": 500_000_000,
    "cached_input": 500_000_000,
    "cache_write_1h": 1_000_000_000,
    "output": 3_000_000_000,
}
BATCH = {
    "input_cost_per_token_batches": Decimal("1e-07"),
    "output_cost_per_token_batches": Decimal("1e-06"),
}
BATCH_RATES = {"input": 100_000_000, "cached_input": 100_000_000, "output": 1_000_000_000}


def test_rates_of_long_input_become_a_step() -> None:
    price = tool().build({"m": chat(**LONG)})["m"]["price"]
    assert price["above"] == [{"above_input_tokens": 200_000, "rates": LONG_RATES}]


def test_a_batch_without_rates_for_long_input_costs_what_long_input_costs_elsewhere() -> None:
    price = tool().build({"m": chat(**LONG, **BATCH)})["m"]["price"]
    assert price["tiers"] == {"batch": {**BATCH_RATES, "above": price["above"]}}


def test_a_batch_that_states_half_its_prices_has_none() -> None:
    half = {"input_cost_per_token_batches": Decimal("1e-07")}
    assert "tiers" not in tool().build({"m": chat(**half)})["m"]["price"]


def test_a_batch_of_embeddings_needs_no_price_of_output() -> None:
    half = {"input_cost_per_token_batches": Decimal("1e-07")}
    embedding = chat(mode="embedding", output_cost_per_token=0, **half)
    price = tool().build({"m": embedding})["m"]["price"]
    assert price["tiers"] == {"batch": {**BATCH_RATES, "output": 0}}


def test_rows_without_a_price_are_left_out() -> None:
    unpriced = chat()
    del unpriced["output_cost_per_token"]
    router = chat(output_cost_per_token=0)
    embedding = chat(mode="embedding", output_cost_per_token=0)
    built = tool().build({"unpriced": unpriced, "router": router, "embedding": embedding})
    assert list(built) == ["embedding"]


@pytest.mark.parametrize("cost", [Decimal("1e-16"), Decimal("-1e-06")], ids=["finer", "below 0"])
def test_a_price_that_cannot_be_kept_exactly_stops_the_build(cost: Decimal) -> None:
    with pytest.raises(ValueError, match=r"m: .* is no whole number"):
        tool().build({"m": chat(input_cost_per_token=cost)})


def test_the_tool_prints_a_table_that_is_read_back(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_text(json.dumps({"m": chat()}, default=float))
    made = subprocess.run(
        [sys.executable, TOOL, source, "--source", "litellm 0", "--date", "2026-11-23"],
        check=True,
        capture_output=True,
    )
    table = PriceTable.from_json(made.stdout)
    assert table.lookup(ProviderKind.OPENAI, "m") == Price(250_000_000, 250_000_000, 2_000_000_000)
    assert table.header["source"].startswith("litellm 0")

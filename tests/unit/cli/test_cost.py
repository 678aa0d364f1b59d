"""`forebay cost`: AWS's bill for the template, from a dated table of list prices."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.telemetry import METRICS
from forebay_cli import bill
from forebay_cli.bill import Load, bill_of, quantities_of, read_prices
from tests.support.admin_api import ledger_row
from tests.unit.cli.conftest import Forebay

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = read_prices()


def usd_of(load: Load, item: str, *, free_tier: bool) -> Decimal:
    items = list(TABLE.prices)
    return bill_of(load, TABLE, free_tier=free_tier).lines[items.index(item)].usd


def test_compute_is_memory_times_the_time_that_answers_stream() -> None:
    """300,000 answers of 6.05 s in a month, of 1 GB; and 43,200 rounds of 0.1 s of half a GB."""
    load = Load(10_000)
    batches = quantities_of(load)["stream_reads"]
    gb_s = Decimal(300_000) * Decimal("6.05") + Decimal(2_160) + batches * Decimal("0.025")
    assert quantities_of(load)["lambda_gb_s"] == gb_s


def test_a_quarter_of_the_memory_is_a_quarter_of_the_compute() -> None:
    background = quantities_of(Load(0))["lambda_gb_s"]
    batches = quantities_of(Load(10_000))["stream_reads"] * Decimal("0.025")
    whole, quarter = (
        quantities_of(Load(10_000, memory_mb=mb))["lambda_gb_s"] - background - batches
        for mb in (1024, 256)
    )
    assert quarter == whole / 4


def test_what_is_free_is_taken_off_first() -> None:
    load = Load(10_000)
    quantity = quantities_of(load)["lambda_gb_s"]
    price = Decimal("0.0000133334")
    assert usd_of(load, "lambda_gb_s", free_tier=False) == quantity * price
    assert usd_of(load, "lambda_gb_s", free_tier=True) == (quantity - 400_000) * price


def test_less_than_what_is_free_costs_nothing() -> None:
    assert usd_of(Load(0), "lambda_gb_s", free_tier=True) == 0


def test_the_alarm_that_looks_every_10_s_is_never_free() -> None:
    assert usd_of(Load(0), "fast_alarm_metrics", free_tier=True) == Decimal("0.30")


def test_an_idle_forebay_tells_no_metrics() -> None:
    assert quantities_of(Load(0))["metrics"] == 0


def test_a_busy_settler_runs_less_often_than_there_are_requests() -> None:
    """And never with more than 100 rows at a time."""
    assert quantities_of(Load(10_000))["stream_reads"] > Decimal(290_000)
    assert quantities_of(Load(10**8))["stream_reads"] == 10**8 * 30 / Decimal(100)


def test_the_ledger_piles_up() -> None:
    one, thirteen = (quantities_of(Load(10_000, months=months)) for months in (1, 13))
    assert thirteen["dynamodb_gb"] == 13 * one["dynamodb_gb"]
    assert thirteen["dynamodb_backup_gb"] == 13 * one["dynamodb_backup_gb"]


def test_the_total_is_the_sum_of_the_lines() -> None:
    whole = bill_of(Load(10_000), TABLE, free_tier=True)
    assert whole.usd == sum(line.usd for line in whole.lines)


@pytest.mark.parametrize(
    ("load", "most"),
    [
        pytest.param(Load(0), 1, id="idle"),
        pytest.param(Load(10_000, memory_mb=256), 5, id="lean"),
    ],
)
def test_it_is_as_cheap_as_it_was_designed_to_be(load: Load, most: int) -> None:
    assert bill_of(load, TABLE, free_tier=True).usd < most


def test_series_are_as_many_as_the_code_can_tell() -> None:
    assert len(METRICS) <= bill.METRIC_SERIES


def test_each_price_has_a_source_of_aws() -> None:
    hosts = {"https://aws.amazon.com/", "https://docs.aws.amazon.com/"}
    assert all(price.source.startswith(tuple(hosts)) for price in TABLE.prices.values())


def test_a_table_that_lacks_a_price_is_not_taken(tmp_path: Path) -> None:
    text = bill.PRICES.read_text(encoding="utf-8")
    lacking = tmp_path / "prices.toml"
    lacking.write_text(re.sub(r"\[out_gb\].*", "", text, flags=re.DOTALL), encoding="utf-8")
    with pytest.raises(ValueError, match="out_gb"):
        bill_of(Load(0), read_prices(lacking), free_tier=True)


@pytest.mark.parametrize("requests", [0, 10_000, 1_000_000])
def test_the_readme_has_the_bill(requests: int) -> None:
    amounts = [
        f"${bill_of(Load(requests, memory_mb=mb), TABLE, free_tier=free).usd:,.2f}"
        for mb in (1024, 256)
        for free in (True, False)
    ]
    assert f"| {requests:,} | {' | '.join(amounts)} |\n" in README
    assert f"list prices as of {TABLE.as_of}" in README


def test_the_bill_is_a_table_that_ends_with_the_total(run: Forebay) -> None:
    printed = run("cost", "--requests-per-day", "10,000", "--memory", "256").out.splitlines()
    assert printed[0].startswith("10,000 requests a day of 6 s and 300 tokens, 256 MB; ")
    assert printed[3].split() == ["WHAT", "QUANTITY", "FREE", "USD"]
    assert len(printed) == 4 + len(TABLE.prices) + 1
    total = bill_of(Load(10_000, memory_mb=256), TABLE, free_tier=True).usd
    assert printed[-1].split() == ["total", "a", "month", f"{total:.2f}"]


def test_as_json_it_is_one_object_with_exact_amounts(run: Forebay) -> None:
    options = ["--seconds", "2.5", "--tokens", "100", "--months", "2", "--no-free-tier"]
    printed = json.loads(run("cost", "--requests-per-day", "500", *options, "--json").out)
    load = Load(500, Decimal("2.5"), 1024, 100, 2)
    whole = bill_of(load, TABLE, free_tier=False)
    assert [line["item"] for line in printed["lines"]] == list(TABLE.prices)
    assert [line["usd"] for line in printed["lines"]] == [f"{line.usd:.6f}" for line in whole.lines]
    assert printed["total_usd"] == f"{whole.usd:.6f}"
    assert (printed["region"], printed["as_of"]) == (TABLE.region, TABLE.as_of.isoformat())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="without"),
        pytest.param(["--requests-per-day", "-1"], id="negative"),
        pytest.param(["--requests-per-day", "many"], id="no-number"),
        pytest.param(["--requests-per-day", "1000000001"], id="too-many"),
        pytest.param(["--requests-per-day", "1", "--seconds", "NaN"], id="not-a-number"),
        pytest.param(["--requests-per-day", "1", "--seconds", "901"], id="too-long"),
        pytest.param(["--requests-per-day", "1", "--memory", "128"], id="too-little-memory"),
    ],
)
def test_what_cannot_be_is_wrong_usage(run: Forebay, options: list[str]) -> None:
    assert run("cost", *options).status == 2


def test_a_requests_line_is_as_long_as_the_bill_takes_it_to_be() -> None:
    """With what Lambda and API Gateway log besides: about 700 bytes each."""
    lines: list[bytes] = []
    JsonLines(lines.append, ManualClock(), "Forebay").request_ended(ledger_row("1", 1.7e9))
    assert bill.LOG_BYTES_PER_REQUEST - 500 < len(lines[0]) + 1400 <= bill.LOG_BYTES_PER_REQUEST

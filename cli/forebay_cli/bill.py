"""What AWS charges for a Forebay: quantities of a month, times the prices of a dated table.

Pure but for reading that table (`aws_prices.toml`, beside this module). What one request needs of
each service are the constants here, each with its reason; tests compare those that the code or the
template decides with code and template.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

DAYS: Final = 30
"""Of a month."""

GB: Final = Decimal(10**9)
MB_PER_GB: Final = 1024
"""Lambda counts memory in powers of two; storage and traffic are counted in powers of ten."""

DAY_S: Final = 86_400
MINUTES_PER_DAY: Final = 1440
PRICES: Final = Path(__file__).with_name("aws_prices.toml")

# ---- What a request needs --------------------------------------------------------------------
SETTLEMENT_S: Final = Decimal("0.05")
"""What Lambda bills after the last byte: two writes, one after the other."""

WRITES_PER_REQUEST: Final = 4
"""Admission; the ledger's row and its entry in `by_day`; settlement."""

WRITES_PER_SWEEP: Final = 3
"""Of a leaf that has had holds: it is looked at once a minute at most, and its entry in `by_sweep`
is made and taken away. One key is counted."""

READS_PER_REQUEST: Final = 1
"""Units: half for the key, half for the fleet's health, where a process has no fresh copy."""

LEDGER_ROW_BYTES: Final = 700
"""A row with its 100 bytes of overhead; the index holds it a second time."""

LOG_BYTES_PER_REQUEST: Final = 3_000
"""The request's line with its metrics (1,600), Lambda's two (700), API Gateway's own (700)."""

BYTES_PER_OUTPUT_TOKEN: Final = 300
"""A token's chunk of a stream, in OpenAI's form."""

LOG_COMPRESSED: Final = Decimal("0.15")
"""What CloudWatch keeps of a byte that was written: storage is billed compressed."""

# ---- What settler and controller need --------------------------------------------------------
BACKGROUND_MB: Final = 512
"""Memory of both functions."""

STREAM_SHARDS: Final = 4
"""A new table on demand has four partitions, each a shard of the stream with batches of its own."""

BATCH_ROWS: Final = 100
"""Most rows of a batch; with a window of 1 s, a batch has what a second brings."""

BATCH_S: Final = Decimal("0.05")
WRITES_PER_BATCH: Final = 6
"""Roll-ups of the day, key, team and model, the spend of the last hour, and a target's health."""

ROUND_S: Final = Decimal("0.1")
ROUND_READS: Final = 6
"""Units a minute: the targets' health, and each shard of what must be swept."""

LOG_BYTES_PER_RUN: Final = 700
"""Lambda's own two lines."""

# ---- What is there whatever happens ----------------------------------------------------------
METRIC_SERIES: Final = 10
"""A series is charged by the hour in which it is told; nobody tells any while nothing happens."""

ALARM_METRICS: Final = 9
FAST_ALARM_METRICS: Final = 1
DASHBOARDS: Final = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a Forebay.

    Attributes:
        requests_per_day: spread evenly over the day.
        seconds: how long an answer takes, from the first byte of the request to its last.
        memory_mb: of the gateway function.
        output_tokens: of an answer.
        months: how long it has run, for what piles up (ledger rows are kept for 13).
        log_days: how long logs are kept.
    """

    requests_per_day: int
    seconds: Decimal = Decimal(6)
    memory_mb: int = 1024
    output_tokens: int = 300
    months: int = 1
    log_days: int = 30


@dataclass(frozen=True, slots=True)
class Price:
    """What AWS charges for one unit of something, and how many are free each month."""

    name: str
    unit: str
    usd: Decimal
    free: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class PriceTable:
    """List prices of a region at a day."""

    region: str
    as_of: date
    prices: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: `usd` is what is to be paid for `quantity - free` units."""

    price: Price
    quantity: Decimal
    free: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """Of a month of 30 days."""

    lines: tuple[Line, ...]

    @property
    def usd(self) -> Decimal:
        """The sum."""
        return sum((line.usd for line in self.lines), Decimal(0))


def read_prices(path: Path = PRICES) -> PriceTable:
    """Read the table; decimals stay decimals."""
    table = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    region, as_of = table.pop("region"), table.pop("as_of")
    prices = {
        item: Price(
            entry["name"], entry["unit"], entry["usd"], Decimal(entry["free"]), entry["source"]
        )
        for item, entry in table.items()
    }
    return PriceTable(region, as_of, prices)


def bill_of(load: Load, table: PriceTable, *, free_tier: bool) -> Bill:
    """Return the bill of a month, a line for each price of the table.

    Args:
        load: What is asked.
        table: It has a price for each quantity, and no other.
        free_tier: Whether the account's free allowances are still there for this stack.
    """
    quantities = quantities_of(load)
    if quantities.keys() != table.prices.keys():
        raise ValueError(f"prices and quantities differ: {quantities.keys() ^ table.prices.keys()}")
    return Bill(
        tuple(
            _line(price, quantities[item], free_tier=free_tier)
            for item, price in table.prices.items()
        )
    )


def quantities_of(load: Load) -> dict[str, Decimal]:
    """Return how much of each thing a month needs, by its name in the price table."""
    requests = Decimal(load.requests_per_day * DAYS)
    batches, rounds = _batches(load.requests_per_day), Decimal(MINUTES_PER_DAY * DAYS)
    background_s = batches * BATCH_S + rounds * ROUND_S
    answers_s = requests * (load.seconds + SETTLEMENT_S)
    rows_gb = requests * load.months * LEDGER_ROW_BYTES / GB
    logs_gb = (requests * LOG_BYTES_PER_REQUEST + (batches + rounds) * LOG_BYTES_PER_RUN) / GB
    return {
        "lambda_gb_s": (answers_s * load.memory_mb + background_s * BACKGROUND_MB) / MB_PER_GB,
        "lambda_requests": requests + batches + rounds,
        "api_requests": requests,
        "dynamodb_writes": requests * WRITES_PER_REQUEST
        + min(requests, rounds) * WRITES_PER_SWEEP
        + batches * WRITES_PER_BATCH,
        "dynamodb_reads": requests * READS_PER_REQUEST + rounds * ROUND_READS,
        "dynamodb_gb": rows_gb * 2,
        "dynamodb_backup_gb": rows_gb,
        "stream_reads": batches,
        "sqs_requests": Decimal(0),  # nothing reads the queue of failures but a person
        "scheduled_runs": rounds,
        "log_gb": logs_gb,
        "log_storage_gb": logs_gb * LOG_COMPRESSED * load.log_days / DAYS,
        "metrics": Decimal(METRIC_SERIES if requests else 0),
        "alarm_metrics": Decimal(ALARM_METRICS),
        "fast_alarm_metrics": Decimal(FAST_ALARM_METRICS),
        "dashboards": Decimal(DASHBOARDS),
        "out_gb": requests * load.output_tokens * BYTES_PER_OUTPUT_TOKEN / GB,
    }


def _batches(requests_per_day: int) -> Decimal:
    """Return how often the settler runs in a month.

    A batch begins with a row and has what comes to its shard within the second after.
    """
    a_second_in_a_shard = Decimal(requests_per_day) / DAY_S / STREAM_SHARDS
    rows = min(Decimal(BATCH_ROWS), 1 + a_second_in_a_shard)
    return requests_per_day * DAYS / rows


def _line(price: Price, quantity: Decimal, *, free_tier: bool) -> Line:
    free = min(quantity, price.free) if free_tier else Decimal(0)
    return Line(price, quantity, free, (quantity - free) * price.usd)

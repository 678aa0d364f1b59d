"""CPU of one request's log line and metrics: Forebay's `JsonLines` against Powertools.

Run: `python benchmarks/telemetry.py`. Figures are process CPU time; compare within one run.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout

from forebay.adapters.system import SystemClock
from forebay.adapters.telemetry import JsonLines
from forebay.model import LedgerRow, Outcome, Usage
from forebay.money import NanoUsd

ROUNDS = 2_000


def row() -> LedgerRow:
    """A finished request."""
    return LedgerRow(
        request_id="01MCC5RM000H104YNF3YMNPP4N",
        created_at=1_800_000_000.0,
        key_id="qUHSNQOqDQ",
        key_name="bench",
        tenant="default",
        team=None,
        request_model="fast",
        provider="openai",
        response_model="gpt-5-mini",
        stream=True,
        outcome=Outcome.COMPLETE,
        status=200,
        error_code=None,
        usage=Usage(100, 200),
        cost_nano_usd=NanoUsd(425_000),
        time_to_first_token_ms=212,
        duration_ms=4_012,
    )


def with_forebay() -> Callable[[], object]:
    """One line with its metrics in it."""
    sink = JsonLines(io.BytesIO().write, SystemClock(), "Bench")
    ended = row()
    return lambda: sink.request_ended(ended)


def with_powertools() -> Callable[[], object]:
    """The same figures by Powertools: a Logger's line and an EMF document of its own."""
    os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Bench")
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "bench")
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - its import is measured apart
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit  # noqa: PLC0415

    ended = row()
    logger = Logger(stream=io.StringIO())
    fields = {name: getattr(ended, name) for name in LedgerRow.__slots__ if name != "usage"}

    def once() -> None:
        logger.info("request", **fields)
        metrics = EphemeralMetrics()
        for name in ("requests", "errors", "ttft", "duration", "input", "output", "cost"):
            metrics.add_metric(name, MetricUnit.Count, 1)
        with redirect_stdout(io.StringIO()):
            metrics.flush_metrics()

    return once


def cpu_us(once: Callable[[], object]) -> float:
    """CPU of one call, microseconds."""
    once()
    started = time.process_time()
    for _ in range(ROUNDS):
        once()
    return (time.process_time() - started) / ROUNDS * 1e6


def import_ms(statement: str) -> float:
    """What an import adds to a fresh interpreter that has asyncio, milliseconds; best of five."""

    def best(code: str) -> float:
        spent = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            spent.append(time.perf_counter() - started)
        return min(spent)

    return (best(f"import asyncio, msgspec; {statement}") - best("import asyncio, msgspec")) * 1000


def main() -> None:
    """Print the table."""
    ours, theirs = cpu_us(with_forebay()), cpu_us(with_powertools())
    print(f"{'':24}{'CPU a request':>16}{'import':>12}")
    print(
        f"{'JsonLines':24}{ours:13.0f} us{import_ms('import forebay.adapters.telemetry'):9.0f} ms"
    )
    statement = "from aws_lambda_powertools import Logger, Metrics"
    print(f"{'Powertools':24}{theirs:13.0f} us{import_ms(statement):9.0f} ms")
    print(f"ratio of CPU {theirs / ours:.1f}")


if __name__ == "__main__":
    main()

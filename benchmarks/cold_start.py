"""The gateway's init in a fresh interpreter: imports and wiring, as a cold sandbox does them.

Run: `python -m benchmarks.cold_start`. Beside it an interpreter that imports nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 10
INIT = "import sys; sys.path.insert(0, sys.argv[1]); import app"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "x",
    "FOREBAY_BREAKERS_TABLE": "breakers",
    "FOREBAY_CONFIG": "gateway.toml",
    "FOREBAY_JOBS_TABLE": "jobs",
    "FOREBAY_KEYS_TABLE": "keys",
    "FOREBAY_LEDGER_TABLE": "ledger",
    "FOREBAY_LIMITS_TABLE": "limits",
    "FOREBAY_STAGE": "production",
    "FOREBAY_USAGE_TABLE": "usage",
    "LAMBDA_TASK_ROOT": str(ROOT),
}
"""What the template gives the function."""


def fastest_ms(code: str) -> float:
    """Wall time of the fastest of some runs: the one that was disturbed least."""
    spent: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", code, str(ROOT / "functions" / "gateway")],
            check=True,
            env={**os.environ, **ENVIRONMENT},
        )
        spent.append(time.perf_counter() - started)
    return min(spent) * 1000


def main() -> None:
    """Print both."""
    bare, init = fastest_ms("pass"), fastest_ms(INIT)
    print(f"gateway's init in a fresh interpreter {init:.0f} ms (an empty one {bare:.0f} ms)")


if __name__ == "__main__":
    main()

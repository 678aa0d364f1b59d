"""What a cold start of the gateway imports: each package is a person waiting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.cold_start import ENVIRONMENT, INIT, ROOT

THIRD_PARTY = {
    "anyio",  # Starlette's
    "cython_runtime",  # httptools'
    "forebay",
    "httptools",
    "msgspec",
    "sniffio",  # anyio's
    "starlette",
    "typing_extensions",
}


def test_the_gateways_init_imports_these_packages_and_no_other() -> None:
    code = f"{INIT}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "functions" / "gateway")],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )

    imported = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert {name for name in imported if not name.startswith("_")} - {"app"} == THIRD_PARTY


def test_the_gateways_function_is_wiring_and_nothing_else() -> None:
    for app in Path(ROOT / "functions").glob("*/app.py"):
        assert len(app.read_text().splitlines()) <= 30

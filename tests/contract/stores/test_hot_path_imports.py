"""What a cold start pays for: the hot path imports no SDK."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import forebay

HOT_PATH = ["forebay.adapters.dynamodb", "forebay.adapters.memory", "forebay.adapters.system"]
HEAVY = {"boto3", "botocore", "pynamodb", "httpx2", "h11", "urllib3", "yaml"}


def modules_after_importing(module: str) -> set[str]:
    """Return the top-level names in `sys.modules` of a fresh interpreter."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(Path(forebay.__path__[0]).parent)},
    ).stdout
    return {name.partition(".")[0] for name in json.loads(output)}


@pytest.mark.parametrize("module", HOT_PATH)
def test_the_hot_path_imports_no_sdk(module: str) -> None:
    assert modules_after_importing(module) & HEAVY == set()


def test_the_test_would_notice() -> None:
    assert "botocore" in modules_after_importing("forebay.adapters.dynamodb.tables")

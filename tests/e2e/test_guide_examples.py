"""What the guide tells people to run does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dev_stack import dev_stack

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "docs" / "guide" / "examples"


def run(example: str, folder: Path) -> str:
    """Run an example against a stack with the configuration beside it; return what it prints."""
    config = (EXAMPLES / f"{example}.toml").read_text()
    with dev_stack(folder, "--no-model", config=config) as stack:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{example}.py")],
            env={**os.environ, "FOREBAY_URL": stack.base_url, "FOREBAY_KEY": stack.key},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_resilience_every_answer_is_whole_while_the_primary_cuts_all_streams(
    tmp_path: Path,
) -> None:
    printed = run("2_resilience", tmp_path)

    head, resilient, alone = printed.splitlines()
    assert head.split()[:4] == ["model", "asked", "whole", "errors"]
    assert re.match(r"resilient +10 +10 +0  primary/script \d+", resilient)
    assert re.match(r"alone +10 +0 +10  primary/script-alone 10$", alone)

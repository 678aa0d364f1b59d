"""An overage is seen: from an answer to the alarm, by ledger, stream, settler and metrics."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.dev_stack import FOREBAY, DevStack, dev_stack

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
CONFIG = """
[providers.dear]
kind = "scripted"
scripted = { first_token_ms = 5, token_gap_ms = 0, tokens = 200 }

[models.dear]
targets = [{ provider = "dear", model = "script" }]
price = { input = 0, output = 100_000 }     # ten cents a token
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dev-alarms")


@pytest.fixture(scope="module")
def dear_stack(folder: Path) -> Iterator[DevStack]:
    with dev_stack(folder, "--no-model", config=CONFIG) as running:
        yield running


def states(folder: Path) -> dict[str, str]:
    """Return each alarm's state."""
    command = [FOREBAY, "alarms", "--state", str(folder / "state"), "--json"]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {alarm["name"]: alarm["state"] for alarm in json.loads(printed)["alarms"]}


def test_twenty_dollars_within_an_hour_set_off_both_alarms_of_spend(
    dear_stack: DevStack, folder: Path
) -> None:
    before = states(folder)
    assert (before["SpendLastHour"], before["SpendPerHour"]) == ("insufficient_data",) * 2
    client = OpenAI(base_url=dear_stack.base_url, api_key=dear_stack.key)
    question = [{"role": "user", "content": "Tell me all."}]
    answer = client.chat.completions.create(model="dear", messages=question)  # type: ignore[arg-type]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 200
    end = time.monotonic() + DEADLINE_S
    while (after := states(folder))["SpendLastHour"] != "alarm" and time.monotonic() < end:
        pass
    assert (after["SpendLastHour"], after["SpendPerHour"]) == ("alarm", "alarm")
    assert after["ErrorRate"] == "ok"

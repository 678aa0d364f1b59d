"""Settler and controller, built as their functions build them."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from forebay.errors import ConfigurationError
from forebay.wiring.background import build_background
from forebay.wiring.controller import build_controller
from forebay.wiring.settler import build_settler

CONFIG = """
[providers.scripted]
kind = "scripted"

[models.scripted]
price = "free"
targets = [{ provider = "scripted", model = "scripted" }]
"""
HEAVY = {"aws_lambda_powertools", "boto3", "botocore", "pynamodb", "starlette", "tiktoken"}


def environment(folder: Path, config: str = CONFIG) -> dict[str, str]:
    (folder / "gateway.toml").write_text(config)
    return {
        "FOREBAY_STAGE": "local",
        "FOREBAY_CONFIG": "gateway.toml",
        "FOREBAY_KEYS_TABLE": "keys",
        "FOREBAY_LEDGER_TABLE": "ledger",
        "FOREBAY_BREAKERS_TABLE": "breakers",
        "FOREBAY_JOBS_TABLE": "jobs",
        "FOREBAY_LIMITS_TABLE": "limits",
        "FOREBAY_USAGE_TABLE": "usage",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # discard: nobody answers there
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAMBDA_TASK_ROOT": str(folder),
    }


def test_breakers_open_as_the_operators_file_says(tmp_path: Path) -> None:
    """Buckets of another length would have other numbers than the gateway's."""
    environ = environment(tmp_path, CONFIG + "[resilience.breaker]\nwindow_s = 60\n")
    assert build_background(environ).breaker.window_s == 60


def test_a_provider_whose_secret_is_the_gateways_alone_is_no_fault(tmp_path: Path) -> None:
    config = (
        '[providers.openai]\nkind = "openai"\napi_key = "env:NOT_SET_HERE"\n'
        '[models.fast]\ntargets = [{ provider = "openai", model = "gpt-5-mini" }]\n'
    )
    build_background(environment(tmp_path, config))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"FOREBAY_BREAKERS_TABLE": ""}, "FOREBAY_BREAKERS_TABLE"),
        ({"FOREBAY_CONFIG": "none.toml"}, "none.toml"),
    ],
    ids=["table", "config"],
)
def test_what_is_missing_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        build_background(environment(tmp_path) | change)


def test_both_are_plain_handlers_of_an_event_and_a_context(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    for handler in (build_settler(environ), build_controller(environ)):
        assert len(inspect.signature(handler).parameters) == 2


def test_a_controller_whose_store_is_out_of_reach_says_which_duties_it_did_not_do(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async def main() -> dict[str, list[str]]:
        return await build_controller(environment(tmp_path))({}, None)

    duties = ["republish_breakers", "drop_stale_figures"]
    duties += ["tell_open_breakers", "sweep_holds", "tell_oldest_hold"]
    assert asyncio.run(main()) == {"failed": duties}
    assert capfdbinary.readouterr().out.count(b'"duty_failed"') == len(duties)


@pytest.mark.parametrize("module", ["settler", "controller"])
def test_a_cold_start_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, forebay.wiring.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & HEAVY == set()

"""`forebay dev --chaos`: the faults that were asked for reach callers as clean errors."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.dev_stack import FOREBAY, DevStack, dev_stack

pytestmark = pytest.mark.e2e

CONFIG = """
[providers.shaky]
kind = "scripted"
scripted = { first_token_ms = 5, token_gap_ms = 1, tokens = 9 }

[providers.real]
kind = "vllm"
base_url = "http://127.0.0.1:1/v1"

[models.shaky]
price = "free"
continuation = false
targets = [{ provider = "shaky", model = "script" }]
"""
CHAOS = (
    "--chaos", "shaky:cut=1,after_tokens=3",
    "--chaos", "scripted:rate_limited=1,retry_after_s=30",
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    folder = tmp_path_factory.mktemp("chaos")
    with dev_stack(folder, "--no-model", *CHAOS, config=CONFIG) as running:
        yield running


def ask(stack: DevStack, model: str) -> tuple[httpx2.Response, str]:
    """Ask for a streamed answer; return the reply and as much of it as came."""
    question = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {stack.key}"}
    url = f"{stack.base_url}/chat/completions"
    came = ""
    with (
        contextlib.suppress(httpx2.RemoteProtocolError),  # the front breaks off what broke off
        httpx2.stream("POST", url, json=question, headers=headers, timeout=60) as reply,
    ):
        for text in reply.iter_text():
            came += text
    return reply, came


def test_a_provider_of_the_person_s_own_breaks_off_where_it_was_told(stack: DevStack) -> None:
    _, came = ask(stack, "shaky")

    assert came.count('"content":') == 4  # the role's is empty; three words
    assert '"upstream_cut"' in came
    assert "[DONE]" not in came


def test_the_stack_s_own_provider_refuses_as_it_was_told(stack: DevStack) -> None:
    reply, _ = ask(stack, "scripted")

    assert (reply.status_code, reply.headers["retry-after"]) == (429, "30")


def test_a_provider_that_is_not_scripted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG)
    done = subprocess.run(
        [FOREBAY, "dev", "--port", "0", "--no-model", "--chaos", "real:cut=1",
         "--config", str(tmp_path / "gateway.toml"), "--state", str(tmp_path / "state")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == (
        'forebay dev: --chaos: the provider "real" is not scripted; '
        "faults can be asked of scripted, shaky\n"
    )

"""One local stack a mode for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.support.dev_stack import DevStack, dev_stack

CONFIG = """
[providers.good]
kind = "scripted"
scripted = { first_token_ms = 20, token_gap_ms = 2, tokens = 20 }

[providers.cut]
kind = "scripted"
scripted = { first_token_ms = 5, token_gap_ms = 1, faults = { cut = 1, after_tokens = 7 } }

[providers.limited]
kind = "scripted"
scripted.faults.rate_limited = 1

[providers.broken]
kind = "scripted"
scripted.faults.server_error = 1

[models.good]
targets = [{ provider = "good", model = "script" }]
price = { input = 1.0, cached_input = 0.1, output = 2.0 }

[models."org/good"]
targets = [{ provider = "good", model = "script" }]
price = "free"

[models.cut]
targets = [{ provider = "cut", model = "script" }]
price = { input = 1.0, output = 2.0 }

[models.limited]
targets = [{ provider = "limited", model = "script" }]
price = "free"

[models.broken]
targets = [{ provider = "broken", model = "script" }]
price = "free"
"""
MODES = {"many": (), "plain": ("--sandboxes", "4")}


@pytest.fixture(scope="session", params=list(MODES))
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DevStack]:
    """A stack in each mode: one process for many streams, and one sandbox a request."""
    folder = tmp_path_factory.mktemp(f"dev-{request.param}")
    with dev_stack(folder, "--no-model", *MODES[request.param], config=CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: DevStack) -> Iterator[OpenAI]:
    """The official SDK, as anybody would set it up; it does not retry, so errors show."""
    with OpenAI(base_url=stack.base_url, api_key=stack.key, max_retries=0) as made:
        yield made

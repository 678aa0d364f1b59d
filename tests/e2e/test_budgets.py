"""A key with a budget, through the whole local stack: it is stopped, and the books agree."""

from __future__ import annotations

import json

import openai
import pytest
from openai import OpenAI

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

BUDGET_NANO_USD = 1_000_000
"""0.001 USD: about twenty answers of the model `good`."""


def key_of(stack: DevStack, *options: str) -> tuple[str, str]:
    """Make a key; its name and its secret."""
    name = f"key{options[1]}".replace(".", "-")
    made = stack.forebay("keys", "create", "--name", name, *options, "--json")
    assert made.returncode == 0, made.stderr
    return name, json.loads(made.stdout)["secret"]


def spent(stack: DevStack, name: str) -> int:
    told = stack.forebay("usage", "--key", name, "--json")
    assert told.returncode == 0, told.stderr
    return int(json.loads(told.stdout)["total"]["cost_nano_usd"])


def ask_until_refused(client: OpenAI) -> tuple[int, openai.RateLimitError]:
    """How many answers there were, and how the next one was refused."""
    for answered in range(100):
        try:
            client.chat.completions.create(
                model="good", messages=[{"role": "user", "content": "hi"}], max_tokens=20
            )
        except openai.RateLimitError as refused:
            return answered, refused
    raise AssertionError("nothing was refused")


def test_inv1_a_key_that_overspends_is_stopped_at_its_budget(stack: DevStack) -> None:
    name, secret = key_of(stack, "--budget-usd", "0.001", "--period", "day")
    with OpenAI(base_url=stack.base_url, api_key=secret) as client:
        answered, refused = ask_until_refused(client)

    assert answered > 3
    assert refused.code == "insufficient_quota"
    assert refused.response.headers["x-should-retry"] == "false"
    assert 0 < spent(stack, name) <= BUDGET_NANO_USD


def test_a_rate_of_requests_is_kept_and_told(stack: DevStack) -> None:
    _, secret = key_of(stack, "--rpm", "2")
    with OpenAI(base_url=stack.base_url, api_key=secret, max_retries=0) as client:
        ask = client.chat.completions.with_raw_response.create
        first, second = (
            ask(model="good", messages=[{"role": "user", "content": "hi"}]) for _ in range(2)
        )
        with pytest.raises(openai.RateLimitError) as refused:
            ask(model="good", messages=[{"role": "user", "content": "hi"}])

    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 30

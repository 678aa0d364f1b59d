"""A tier of service is asked of a target that has a price for it, and billed as its reply says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.dialects.question import (
    AnswerIdentity,
    Question,
    chat_question,
    completions_question,
    messages_question,
)
from forebay.model import Usage
from forebay.money import NanoUsd, Price
from forebay.service.catalog import Target
from forebay.service.exchanges import exchange_for
from forebay.service.target_dialects import ANTHROPIC, OPENAI
from tests.support.told_provider import ToldProvider

IDENTITY = AnswerIdentity("answer-1", "m", 7)
PLAIN = Target("openai", ToldProvider(b""), "gpt", Price(10**9, 10**9, 10**9), OPENAI)
TIERED = replace(
    PLAIN,
    price=Price(
        10**9,
        10**9,
        10**9,
        tiers={
            "flex": Price(5 * 10**8, 5 * 10**8, 5 * 10**8),
            "priority": Price(2 * 10**9, 2 * 10**9, 2 * 10**9),
        },
    ),
)
HELLO = [{"role": "user", "content": "hello"}]


def chat(**more: Any) -> Question:
    return chat_question(json.dumps({"model": "m", "messages": HELLO, **more}).encode())


def completion(**more: Any) -> Question:
    return completions_question(json.dumps({"model": "m", "prompt": "hello", **more}).encode())


def messages(**more: Any) -> Question:
    fields = {"model": "m", "max_tokens": 9, "messages": HELLO, **more}
    return messages_question(json.dumps(fields).encode(), {})


def sent(asked: Question, target: Target) -> dict[str, Any]:
    exchange = exchange_for(asked, target, IDENTITY, spent=lambda: NanoUsd(0))
    body: dict[str, Any] = json.loads(exchange.request.body)
    return body


@pytest.mark.parametrize("asked", [chat(service_tier="flex"), completion(service_tier="flex")])
def test_a_tier_reaches_only_a_target_that_has_a_price_for_it(asked: Question) -> None:
    assert "service_tier" not in sent(asked, PLAIN)
    assert sent(asked, TIERED)["service_tier"] == "flex"


def test_anthropic_s_fast_mode_reaches_only_a_target_that_has_a_price_for_it() -> None:
    asked = messages(speed="fast", service_tier="auto")
    target = replace(PLAIN, dialect=ANTHROPIC)
    fast = replace(target, price=Price(1, 1, 1, tiers={"fast": Price(6, 6, 6)}))
    assert "speed" not in sent(asked, target)
    assert sent(asked, fast)["speed"] == "fast"
    assert sent(asked, target)["service_tier"] == "auto"


@pytest.mark.parametrize(
    ("replied", "nano_usd"), [("flex", 4_500), ("default", 9_000), ("priority", 18_000)]
)
def test_an_answer_costs_what_the_tier_of_the_reply_costs_whatever_was_asked(
    replied: str, nano_usd: int
) -> None:
    reply = {
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "service_tier": replied,
    }
    exchange = exchange_for(chat(service_tier="flex"), TIERED, IDENTITY, spent=lambda: NanoUsd(0))
    exchange.feed(json.dumps(reply).encode())
    exchange.end()

    assert exchange.usage == Usage(7, 2, service_tier=replied)
    assert TIERED.cost(exchange.usage) == nano_usd

"""Which tiers a request asks for, and which of them a target gets to see."""

import json
from typing import Any

import msgspec
import pytest

from forebay.dialects.service_tiers import (
    chat_tiers,
    messages_tiers,
    sold_to_chat,
    sold_to_messages,
)
from forebay.money import Price

TIERS = {"batch": Price(1, 1, 1), "flex": Price(1, 1, 1), "priority": Price(9, 9, 9)}
PRICE = Price(2, 2, 2, tiers=TIERS)
PLAIN = Price(2, 2, 2)


def fields(**members: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in members.items()}


@pytest.mark.parametrize("tier", ["flex", "priority", "fast", "scale", "ultrafast", "", "Flex"])
def test_a_tier_without_a_price_is_not_asked_for(tier: str) -> None:
    asked = fields(model="m", service_tier=tier)
    assert sold_to_chat(asked, PLAIN.sells) == fields(model="m")
    assert sold_to_messages(asked, PLAIN.sells) == fields(model="m")


@pytest.mark.parametrize("tier", ["flex", "priority", "fast", "auto", "default", None, 7])
def test_a_tier_with_a_price_is_asked_for_and_what_is_none_is_the_target_s_to_refuse(
    tier: object,
) -> None:
    asked = fields(model="m", service_tier=tier)
    assert sold_to_chat(asked, PRICE.sells) == asked


@pytest.mark.parametrize("tier", ["auto", "standard_only"])
def test_anthropic_s_own_words_always_reach_it(tier: str) -> None:
    asked = fields(model="m", service_tier=tier, speed="standard")
    assert sold_to_messages(asked, PLAIN.sells) == asked


def test_anthropic_s_fast_mode_is_sold_as_a_tier_is() -> None:
    asked = fields(model="m", speed="fast")
    fast = Price(2, 2, 2, tiers={"fast": Price(12, 12, 12)})
    assert sold_to_messages(asked, PLAIN.sells) == fields(model="m")
    assert sold_to_messages(asked, fast.sells) == asked


@pytest.mark.parametrize(
    ("tier", "possible"),
    [
        (None, {"flex", "priority"}),
        ("auto", {"flex", "priority"}),
        ("default", set()),
        ("flex", {"flex"}),
        ("priority", {"priority"}),
        ("fast", {"priority"}),
    ],
)
def test_an_openai_request_may_be_answered_at_the_tier_it_names_or_the_account_s(
    tier: str | None, possible: set[str]
) -> None:
    """Source: https://platform.openai.com/docs/api-reference/chat/create: `auto` is the default."""
    assert chat_tiers(fields(service_tier=tier), TIERS) == possible
    if tier is None:
        assert chat_tiers({}, TIERS) == possible


@pytest.mark.parametrize(
    ("asked", "possible"),
    [
        ({}, {"priority"}),
        ({"service_tier": "auto"}, {"priority"}),
        ({"service_tier": "standard_only"}, set()),
        ({"speed": "fast"}, {"priority", "fast"}),
        ({"speed": "standard", "service_tier": "standard_only"}, set()),
        ({"speed": "fast", "service_tier": "standard_only"}, {"fast"}),
    ],
)
def test_an_anthropic_request_may_be_answered_at_the_account_s_tier_and_its_own_speed(
    asked: dict[str, str], possible: set[str]
) -> None:
    """Source: https://platform.claude.com/docs/en/api/service-tiers."""
    priced = {"batch", "priority", "fast"}
    assert messages_tiers(fields(**asked), priced) == possible

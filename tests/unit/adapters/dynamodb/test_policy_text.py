"""A policy as it is stored."""

import pytest

from forebay.adapters.dynamodb.items import item_to_key, key_to_item
from forebay.adapters.dynamodb.policy_text import policy_to_text, text_to_policy
from forebay.errors import StoreError
from forebay.model import UNLIMITED, Budget, KeyPolicy, KeyRecord, KeyStatus
from forebay.money import NanoUsd

WHOLE = KeyPolicy(
    budgets=(Budget(NanoUsd(5), "day", "Europe/Berlin", 0.5), Budget(NanoUsd(10**18))),
    requests_per_minute=1,
    tokens_per_minute=2,
    parallel=3,
    models=("m",),
    cidrs=("10.0.0.0/8",),
    expires_at=4.5,
    priority="batch",
    default_output_limit=5,
    unbounded_hold_nano_usd=NanoUsd(6),
    hold="proven",
    on_store_failure="serve",
)
STORED = (
    '{"budgets":['
    '{"amount_nano_usd":5,"period":"day","zone":"Europe/Berlin","soft_share":0.5},'
    '{"amount_nano_usd":1000000000000000000,"period":"month","zone":"UTC","soft_share":null}],'
    '"requests_per_minute":1,"tokens_per_minute":2,"parallel":3,"models":["m"],'
    '"cidrs":["10.0.0.0/8"],"expires_at":4.5,"priority":"batch","default_output_limit":5,'
    '"unbounded_hold_nano_usd":6,"hold":"proven","on_store_failure":"serve"}'
)
KEY = KeyRecord("a" * 10, "n", "hash", "t", None, ("m",), KeyStatus.ACTIVE, 1, 1_764_000_000.5)


def test_what_is_stored_stays_readable() -> None:
    # Other words here mean that keys which exist lose their limits.
    assert policy_to_text(WHOLE) == STORED
    assert text_to_policy(STORED) == WHOLE


def test_a_key_without_limits_stores_none() -> None:
    assert policy_to_text(UNLIMITED) is None
    assert "policy" not in key_to_item(KEY)


def test_an_item_from_before_there_were_policies_has_no_limits() -> None:
    record = item_to_key(key_to_item(KEY))
    assert record.policy == UNLIMITED
    assert record.former is None


def test_what_a_newer_version_wrote_is_passed_over() -> None:
    assert text_to_policy('{"parallel":3,"moon_phase":"full"}') == KeyPolicy(parallel=3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"parallel":"3"}',
        '{"parallel":true}',
        '{"budgets":[{"period":"day"}]}',
        '{"budgets":[{"amount_nano_usd":1.5}]}',
        '{"budgets":[{"amount_nano_usd":1,"period":"week"}]}',
        '{"hold":"none"}',
    ],
)
def test_what_cannot_be_read_is_not_taken_for_no_limits(text: str) -> None:
    item = {**key_to_item(KEY), "policy": {"S": text}}
    with pytest.raises(StoreError, match="cannot be read"):
        item_to_key(item)


def test_a_former_secret_without_its_end_is_not_taken_for_none() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        item_to_key({**key_to_item(KEY), "former_sha256": {"S": "ab"}})

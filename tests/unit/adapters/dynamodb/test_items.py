"""Records and items: nothing is lost on the way there and back."""

from collections import Counter
from dataclasses import replace
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.dynamodb.attributes import decode_item, encode_item
from forebay.adapters.dynamodb.items import (
    DAY_SHARDS,
    day_shards,
    item_to_key,
    item_to_row,
    key_to_item,
    row_to_item,
)
from forebay.errors import StoreError
from forebay.model import (
    AttemptRecord,
    AttemptResult,
    Budget,
    FormerSecret,
    KeyPolicy,
    KeyRecord,
    KeyStatus,
    LedgerRow,
    Outcome,
    Usage,
)
from forebay.money import NanoUsd

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TIMES = st.floats(0, 4_000_000_000) | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
COUNTS = st.none() | st.integers(1, 10**12)
POLICIES = st.builds(
    KeyPolicy,
    budgets=st.lists(
        st.builds(
            Budget,
            st.integers(1, 10**18).map(NanoUsd),
            st.sampled_from(["day", "month", "total"]),
            TEXT,
            st.none() | st.floats(0.001, 1),
        )
    ).map(tuple),
    requests_per_minute=COUNTS,
    tokens_per_minute=COUNTS,
    parallel=COUNTS,
    models=st.lists(TEXT).map(tuple),
    cidrs=st.lists(TEXT).map(tuple),
    expires_at=st.none() | TIMES,
    priority=st.sampled_from(["interactive", "standard", "batch"]),
    default_output_limit=COUNTS,
    unbounded_hold_nano_usd=st.none() | st.integers(1, 10**18).map(NanoUsd),
    hold=st.sampled_from(["calibrated", "proven"]),
    on_store_failure=st.sampled_from(["refuse", "serve"]),
)
KEYS = st.builds(
    KeyRecord,
    name=TEXT,
    team=st.none() | TEXT,
    models=st.lists(TEXT).map(tuple),
    created_at=TIMES,
    revoked_at=st.none() | TIMES,
    policy=POLICIES,
    former=st.none() | st.builds(FormerSecret, TEXT, TIMES),
)
ROWS = st.builds(
    LedgerRow,
    request_id=TEXT,
    created_at=TIMES,
    team=st.none() | TEXT,
    request_model=TEXT,
    cost_nano_usd=st.integers(-(10**37), 10**37).map(NanoUsd),
    attempts=st.lists(st.builds(AttemptRecord, target=TEXT)).map(tuple),
)
KEY = KeyRecord("a" * 10, "n", "hash", "t", None, ("m",), KeyStatus.ACTIVE, 1, 1_764_000_000.5)
ROW = LedgerRow(
    request_id="01KB0000000000000000000000",
    created_at=1_764_028_799.999,  # 2025-11-24 23:59:59.999 UTC
    key_id="a" * 10,
    key_name="n",
    tenant="t",
    team=None,
    request_model="fast",
    provider="openai",
    response_model="gpt-5-mini",
    stream=True,
    outcome=Outcome.COMPLETE,
    status=200,
    error_code=None,
    usage=Usage(
        10,
        20,
        cached_input_tokens=3,
        reasoning_tokens=4,
        cache_write_input_tokens=2,
        cache_write_1h_input_tokens=1,
        web_searches=5,
        service_tier="flex",
    ),
    cost_nano_usd=NanoUsd(123),
    time_to_first_token_ms=7,
    duration_ms=70,
)


@given(record=KEYS)
def test_a_key_comes_back_as_it_was(record: KeyRecord) -> None:
    assert item_to_key(msgspec.json.decode(msgspec.json.encode(key_to_item(record)))) == record


@given(row=ROWS)
def test_a_row_comes_back_as_it_was(row: LedgerRow) -> None:
    item = row_to_item(row, retention_days=400)
    assert item_to_row(msgspec.json.decode(msgspec.json.encode(item))) == row


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_s_text_is_the_number(number: float) -> None:
    assert decode_item(encode_item({"n": number})) == {"n": number}


def test_money_is_an_exact_integer_beyond_what_a_float_holds() -> None:
    row = replace(ROW, cost_nano_usd=NanoUsd(2**53 + 1))
    assert row_to_item(row, retention_days=1)["cost_nano_usd"] == {"N": "9007199254740993"}


def test_truth_is_no_number() -> None:
    assert encode_item({"yes": True, "one": 1}) == {"yes": {"BOOL": True}, "one": {"N": "1"}}


def test_what_is_none_is_left_out() -> None:
    assert encode_item({"team": None, "name": ""}) == {"name": {"S": ""}}


def test_a_time_that_dynamodb_wrote_as_an_integer_is_read_as_a_float() -> None:
    item = key_to_item(KEY) | {"created_at": {"N": "1764000000"}}
    assert repr(item_to_key(item).created_at) == "1764000000.0"


def test_attributes_of_a_newer_version_are_passed_over() -> None:
    assert item_to_key(key_to_item(KEY) | {"budget": {"N": "1"}}) == KEY


@pytest.mark.parametrize("attribute", ["key_id", "name", "models", "status", "version"])
def test_a_key_without_what_it_needs_is_an_error_that_names_it(attribute: str) -> None:
    item = key_to_item(KEY)
    del item[attribute]
    with pytest.raises(StoreError, match=f"keys: item .* cannot be read: .*{attribute}"):
        item_to_key(item)


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"S": "on holiday"}},
        {"version": {"N": "many"}},
        {"models": {"M": {}}},
        {"created_at": {"S": "yesterday"}},
        {"name": {}},
    ],
    ids=["status", "number", "type", "time", "empty"],
)
def test_a_key_of_another_kind_is_an_error(change: dict[str, dict[str, object]]) -> None:
    with pytest.raises(StoreError, match="keys: item aaaaaaaaaa cannot be read"):
        item_to_key(key_to_item(KEY) | change)


@pytest.mark.parametrize("attribute", ["request_id", "usage_source", "cost_nano_usd", "outcome"])
def test_a_row_without_what_it_needs_is_an_error_that_names_it(attribute: str) -> None:
    item = row_to_item(ROW, retention_days=1)
    del item[attribute]
    with pytest.raises(StoreError, match=f"ledger: item .* cannot be read: .*{attribute}"):
        item_to_row(item)


@pytest.mark.parametrize(
    "attempts",
    [{"S": "x"}, {"L": [{"S": "no JSON"}]}, {"L": [{"S": '["t","vanished",null,null]'}]}],
    ids=["type", "text", "result"],
)
def test_attempts_of_another_kind_are_an_error(attempts: dict[str, object]) -> None:
    item = row_to_item(ROW, retention_days=1) | {"attempts": attempts}
    with pytest.raises(StoreError, match=r"ledger: item .* cannot be read"):
        item_to_row(item)


def test_a_row_of_before_attempts_were_kept_has_none() -> None:
    assert "attempts" not in row_to_item(ROW, retention_days=1)
    assert item_to_row(row_to_item(ROW, retention_days=1)).attempts == ()


def test_attempts_are_kept_as_short_lists() -> None:
    attempt = AttemptRecord("openai/gpt-5-mini", AttemptResult.COMPLETE, None, 320, 7, 900)
    item = row_to_item(replace(ROW, attempts=(attempt,)), retention_days=1)
    assert item["attempts"] == {"L": [{"S": '["openai/gpt-5-mini","complete",null,320,7,900]'}]}


def test_a_row_lies_in_one_of_its_utc_day_s_shards() -> None:
    shard = row_to_item(ROW, retention_days=1)["day_shard"]["S"]
    assert shard in day_shards(date(2025, 11, 24))


def test_a_row_s_shard_is_the_same_in_every_process() -> None:
    assert row_to_item(ROW, retention_days=1)["day_shard"]["S"] == "2025-11-24#5"


def test_a_day_has_its_shards() -> None:
    assert day_shards(date(2026, 11, 23))[::7] == ["2026-11-23#0", "2026-11-23#7"]


def test_rows_are_spread_over_the_shards() -> None:
    rows = (replace(ROW, request_id=f"01KB{number:022d}") for number in range(8_000))
    counts = Counter(row_to_item(row, retention_days=1)["day_shard"]["S"] for row in rows)
    assert len(counts) == DAY_SHARDS
    assert min(counts.values()) > 700


def test_a_row_expires_so_many_days_after_its_request() -> None:
    item = row_to_item(ROW, retention_days=400)
    assert item["expires_at"] == {"N": str(1_764_028_799 + 400 * 86_400)}

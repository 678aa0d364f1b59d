"""The most that one attempt can cost."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.admission.bound import (
    DEFAULT_OUTPUT_LIMIT,
    DEFAULT_REASONING_LIMIT,
    LEAST_OUTPUT,
    LEAST_REASONING_OUTPUT,
    BoundTarget,
    second_try,
    worst_case,
)
from forebay.admission.input_bound import (
    FRAME_TOKENS,
    OWN_TOOL_TOKENS,
    REQUEST_TOKENS,
    SCHEMA_FACTOR,
    TOOL_TOKENS,
    TOOLS_TOKENS,
)
from forebay.admission.text_bound import calibrated, proven
from forebay.errors import CostNotBounded
from forebay.model import Demand, KeyPolicy, Picture
from forebay.money import FREE, LongInput, NanoUsd, Price, Rates
from forebay.settings import ProviderKind

CHEAP = Price(
    input=1_000_000,
    cached_input=1_000_000,
    output=2_000_000,
    cache_write=1_000_000,
    cache_write_1h=1_000_000,
)
"""A nano-dollar a token of input, two of output."""
DEAR = Price(input=10_000_000, cached_input=1_000_000, output=50_000_000)
ANYTHING = KeyPolicy()
PROVEN = KeyPolicy(hold="proven")


def target(
    price: Price = CHEAP,
    model: str = "llama",
    kind: ProviderKind = ProviderKind.VLLM,
    most: int | None = None,
) -> BoundTarget:
    return BoundTarget(kind, model, price, most)


def test_input_and_output_are_paid_for() -> None:
    demand = Demand(texts=("hello there",), framed=1, output_limit=100, answers=3)

    bound = worst_case(demand, [target()], ANYTHING, has_budget=True)

    assert bound.input_tokens == calibrated("hello there") + REQUEST_TOKENS + FRAME_TOKENS
    assert bound.output_tokens == 300
    assert bound.nano_usd == bound.input_tokens + 600
    assert (bound.output_limit, bound.limit_is_ours) == (100, False)
    assert bound.tokens == bound.input_tokens + 300


def test_a_proven_hold_takes_bytes_and_the_largest_pictures() -> None:
    demand = Demand(texts=("hello there",), pictures=(Picture(10, 10),), output_limit=1)
    openai = target(model="gpt-4o", kind=ProviderKind.OPENAI)

    bound = worst_case(demand, [openai], PROVEN, has_budget=True, counted={"gpt-4o": 2})

    assert bound.input_tokens == proven("hello there") + 1445 + REQUEST_TOKENS


def test_counted_text_is_taken_as_counted_where_it_was() -> None:
    demand = Demand(texts=("hello there",), output_limit=1)
    openai, other = target(model="gpt-4o", kind=ProviderKind.OPENAI), target(model="llama")

    one = worst_case(demand, [openai], ANYTHING, has_budget=True, counted={"gpt-4o": 2})
    both = worst_case(demand, [openai, other], ANYTHING, has_budget=True, counted={"gpt-4o": 2})

    assert one.input_tokens == 2 + REQUEST_TOKENS
    assert both.input_tokens == calibrated("hello there") + REQUEST_TOKENS


def test_pictures_ids_schemas_and_tools_are_input() -> None:
    demand = Demand(
        schemas=('[{"a":1}]',),
        tools=2,
        own_tools=1,
        token_ids=50,
        pictures=(Picture(1000, 1000), Picture()),
        output_limit=1,
    )
    claude = target(model="claude-haiku-4-5", kind=ProviderKind.ANTHROPIC)

    bound = worst_case(demand, [claude], ANYTHING, has_budget=True)

    schema = SCHEMA_FACTOR * calibrated('[{"a":1}]')
    tools = TOOLS_TOKENS + 2 * TOOL_TOKENS + OWN_TOOL_TOKENS
    assert bound.input_tokens == schema + tools + 50 + 1334 + 1600 + REQUEST_TOKENS


def test_newer_claudes_make_more_tokens_of_a_text() -> None:
    demand = Demand(texts=("hello " * 1000,), output_limit=1)

    old, new = (
        worst_case(demand, [target(model=model)], ANYTHING, has_budget=True)
        for model in ("claude-opus-4-6", "claude-opus-4-7")
    )

    text = calibrated("hello " * 1000)
    assert new.input_tokens - old.input_tokens == -(-text * 135 // 100) - text


def test_the_dearest_of_several_targets_counts() -> None:
    demand = Demand(texts=("hi",), output_limit=10)

    dear = worst_case(demand, [target(DEAR)], ANYTHING, has_budget=True)
    both = worst_case(demand, [target(CHEAP), target(DEAR)], ANYTHING, has_budget=True)

    assert both == dear


def test_input_is_paid_at_the_dearest_rate_that_can_apply() -> None:
    writes = Price(input=1_000_000, cached_input=0, output=0, cache_write_1h=2_000_000)
    longer = Price(
        1_000_000,
        0,
        0,
        1_000_000,
        1_000_000,
        above=(LongInput(1_000, Rates(7_000_000, 0, 0, 7_000_000, 7_000_000)),),
    )
    short, long = Demand(token_ids=10, answers=0), Demand(token_ids=1_001, answers=0)

    assert worst_case(short, [target(writes)], ANYTHING, has_budget=True).nano_usd == 2 * 138
    assert worst_case(short, [target(longer)], ANYTHING, has_budget=True).nano_usd == 138
    assert worst_case(long, [target(longer)], ANYTHING, has_budget=True).nano_usd == 7 * 1_129


def test_a_tier_that_may_answer_is_paid_for() -> None:
    tiered = Price(1_000_000, 0, 0, 0, 0, tiers={"priority": Price(3_000_000, 0, 0, 0, 0)})
    demand = Demand(answers=0)

    ordinary = target(tiered)
    open_to_more = replace(ordinary, tiers=frozenset({"priority"}))

    plain = worst_case(demand, [ordinary], ANYTHING, has_budget=True)
    dearer = worst_case(demand, [ordinary, open_to_more], ANYTHING, has_budget=True)

    assert dearer.nano_usd == 3 * plain.nano_usd


def test_a_self_hosted_target_costs_nothing() -> None:
    demand = Demand(texts=("hi",), output_limit=10)

    assert worst_case(demand, [target(FREE)], ANYTHING, has_budget=True).nano_usd == 0


@pytest.mark.parametrize(
    ("demand", "model", "most", "key", "limit"),
    [
        (Demand(), "llama", None, None, DEFAULT_OUTPUT_LIMIT),
        (Demand(), "llama", 2_000, None, 2_000),
        (Demand(), "llama", 100_000, 300, 300),
        (Demand(), "gpt-5-mini", None, None, DEFAULT_REASONING_LIMIT),
        (Demand(), "gpt-5-mini", 8_000, None, 8_000),
        (Demand(reasons=True), "llama", None, None, DEFAULT_REASONING_LIMIT),
        (Demand(usual_output_limit=16), "llama", None, None, 16),
        (Demand(output_limit=50_000), "llama", 2_000, 300, 50_000),
    ],
)
def test_a_request_without_a_limit_gets_the_least_of_the_usual_ones(
    demand: Demand, model: str, most: int | None, key: int | None, limit: int
) -> None:
    policy = KeyPolicy(default_output_limit=key)

    bound = worst_case(demand, [target(model=model, most=most)], policy, has_budget=True)

    assert (bound.output_limit, bound.output_tokens) == (limit, limit)
    assert bound.limit_is_ours is (demand.output_limit is None)


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("o3", True),
        ("o4-mini", True),
        ("gpt-5", True),
        ("gpt-5.4-nano", True),
        ("gpt-5-chat-latest", False),
        ("gpt-4o", False),
        ("openai/gpt-oss-20b", True),
        ("gemini-2.5-flash", True),
        ("gemini-3-pro", True),
        ("gemini-2.0-flash", False),
        ("deepseek-reasoner", True),
        ("deepseek-ai/DeepSeek-R1", True),
        ("Qwen/Qwen3-8B", True),
        ("claude-haiku-4-5", False),
        ("claude-opus-5", True),
        ("llama3.2", False),
    ],
)
def test_models_that_think_unasked_are_known_by_name(model: str, *, reasons: bool) -> None:
    assert target(model=model).reasons is reasons


def test_embeddings_have_no_output() -> None:
    bound = worst_case(Demand(texts=("hi",), answers=0), [target()], ANYTHING, has_budget=True)

    assert (bound.output_tokens, bound.output_limit, bound.limit_is_ours) == (0, None, False)


# --- what has no bound


UNBOUNDED = Demand(texts=("hi",), output_limit=10, unbounded=("tools[0]", "audio"))


def test_what_has_no_bound_is_refused_where_a_budget_pays() -> None:
    with pytest.raises(CostNotBounded) as caught:
        worst_case(UNBOUNDED, [target()], ANYTHING, has_budget=True)

    assert caught.value.param == "tools[0]"
    assert caught.value.code == "cost_not_bounded"
    assert not caught.value.retryable


def test_without_a_budget_nothing_is_refused() -> None:
    bound = worst_case(UNBOUNDED, [target()], ANYTHING, has_budget=False)

    assert bound.nano_usd == bound.input_tokens + 20


@pytest.mark.parametrize(("stated", "held"), [(5_000, 5_000), (1, None)])
def test_a_key_can_say_what_to_hold_instead(stated: int, held: int | None) -> None:
    policy = KeyPolicy(unbounded_hold_nano_usd=NanoUsd(stated))

    bound = worst_case(UNBOUNDED, [target()], policy, has_budget=True)

    assert bound.nano_usd == (held or bound.input_tokens + 20)


# --- the second try


def test_half_of_the_room_pays_for_the_second_try() -> None:
    demand = Demand(framed=1, answers=2)
    first = worst_case(demand, [target()], ANYTHING, has_budget=True)
    room = 2 * (first.input_tokens + 2 * 2 * 700)

    second = second_try(first, demand, [target()], room)

    assert second is not None
    assert (second.output_limit, second.output_tokens, second.nano_usd) == (700, 1_400, room // 2)
    assert second.limit_is_ours


@pytest.mark.parametrize(
    ("model", "least"), [("llama", LEAST_OUTPUT), ("gpt-5", LEAST_REASONING_OUTPUT)]
)
def test_an_answer_that_would_be_too_short_is_not_tried(model: str, least: int) -> None:
    demand = Demand()
    targets = [target(model=model)]
    first = worst_case(demand, targets, ANYTHING, has_budget=True)
    enough = 2 * (first.input_tokens + 2 * least)

    assert second_try(first, demand, targets, enough) is not None
    assert second_try(first, demand, targets, enough - 2) is None
    assert second_try(first, demand, targets, 0) is None


def test_a_limit_of_the_callers_own_is_not_shortened() -> None:
    demand = Demand(output_limit=5_000)
    first = worst_case(demand, [target()], ANYTHING, has_budget=True)

    assert second_try(first, demand, [target()], 10**9) is None


def test_no_second_try_asks_for_more_than_the_first() -> None:
    first = worst_case(Demand(), [target()], ANYTHING, has_budget=True)

    assert second_try(first, Demand(), [target()], 10**12) == first


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**6),
    st.integers(1, 128),
    st.lists(st.tuples(*[st.integers(0, 10**12)] * 2), min_size=1, max_size=3),
)
def test_a_second_try_is_never_dearer_than_half_of_the_room(
    room: int, ids: int, answers: int, prices: list[tuple[int, int]]
) -> None:
    demand = Demand(token_ids=ids, answers=answers)
    targets = [target(Price(input=each, cached_input=0, output=out)) for each, out in prices]
    first = worst_case(demand, targets, ANYTHING, has_budget=True)

    second = second_try(first, demand, targets, room * 1_000)

    if second is not None:
        assert second.nano_usd <= min(first.nano_usd, room * 500)
        assert LEAST_OUTPUT <= (second.output_limit or 0) <= (first.output_limit or 0)

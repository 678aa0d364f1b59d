"""What a call costs: caches, long input, tiers, searches; and what it can cost at most."""

from dataclasses import asdict, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import Usage
from forebay.money import FREE, LongInput, Price, Rates

USD = 10**9
CLAUDE = Price(
    input=3 * USD,
    cached_input=300_000_000,
    output=15 * USD,
    cache_write=3_750_000_000,
    cache_write_1h=6 * USD,
    above=(LongInput(200_000, Rates(6 * USD, 600_000_000, 22_500_000_000)),),
    tiers={
        "batch": Price(1_500_000_000, 150_000_000, 7_500_000_000),
        "priority": Price(6 * USD, 600_000_000, 30 * USD),
    },
    web_search=10 * USD * 1000,
)
"""Dollars a million tokens; 10 dollars a thousand searches."""

COSTS = {
    "plain": (Usage(10, 2), 10 * 3_000 + 2 * 15_000),
    "reasoning is output": (Usage(10, 2, reasoning_tokens=2), 10 * 3_000 + 2 * 15_000),
    "read from the cache": (Usage(10, 0, 4), 6 * 3_000 + 4 * 300),
    "written to the cache": (Usage(10, 0, cache_write_input_tokens=4), 6 * 3_000 + 4 * 3_750),
    "written for an hour": (Usage(10, 0, cache_write_1h_input_tokens=4), 6 * 3_000 + 4 * 6_000),
    "all input from or to the cache": (
        Usage(6, 0, 1, cache_write_input_tokens=2, cache_write_1h_input_tokens=3),
        300 + 2 * 3_750 + 3 * 6_000,
    ),
    "long input that is just not too long": (Usage(200_000, 1), 200_000 * 3_000 + 15_000),
    "long input": (Usage(200_001, 1), 200_001 * 6_000 + 22_500),
    "long input, cached tokens counted": (
        Usage(200_001, 0, 200_000),
        6_000 + 200_000 * 600,
    ),
    "long input written to the cache": (
        Usage(200_001, 0, cache_write_input_tokens=200_000, cache_write_1h_input_tokens=1),
        200_000 * 7_500 + 12_000,
    ),
    "a search": (Usage(1, 0, web_searches=1), 3_000 + 10_000_000),
    "nothing": (Usage(0, 0), 0),
    "OpenAI's ordinary tier": (Usage(1, 0, service_tier="default"), 3_000),
    "Anthropic's ordinary tier": (Usage(1, 0, service_tier="standard"), 3_000),
    "a cheaper tier": (Usage(1, 1, service_tier="batch"), 1_500 + 7_500),
    "a dearer tier": (Usage(1, 1, service_tier="priority"), 6_000 + 30_000),
    "a tier that has no price costs the dearest": (
        Usage(1, 1, service_tier="ultrafast"),
        6_000 + 30_000,
    ),
}


@pytest.mark.parametrize(("usage", "nano_usd"), COSTS.values(), ids=COSTS)
def test_each_part_of_a_usage_costs_its_own_rate(usage: Usage, nano_usd: int) -> None:
    assert CLAUDE.cost(usage) == nano_usd


def test_a_tier_known_from_elsewhere_goes_before_the_one_in_the_usage() -> None:
    assert CLAUDE.cost(Usage(1, 0, service_tier="priority"), "batch") == 1_500


def test_cache_writes_without_a_price_of_their_own_cost_five_quarters_and_twice_the_input() -> None:
    price = Price(input=4_000_001, cached_input=0, output=0)
    assert price.cost(Usage(1_000_000, 0, cache_write_input_tokens=1_000_000)) == 5_000_002
    assert price.cost(Usage(1_000_000, 0, cache_write_1h_input_tokens=1_000_000)) == 8_000_002


def test_the_longest_step_that_applies_is_taken() -> None:
    steps = tuple(LongInput(n, Rates(n * 10**6, 0, 0)) for n in (10, 20))
    price = Price(10**6, 0, 0, above=steps)
    assert [price.cost(Usage(n, 0)) for n in (10, 11, 20, 21)] == [10, 110, 200, 420]


def test_searches_without_a_price_leave_the_cost_a_lower_bound_that_says_so() -> None:
    unpriced = replace(CLAUDE, web_search=None)
    assert unpriced.cost(Usage(1, 0, web_searches=3)) == 3_000
    assert not unpriced.covers(Usage(1, 0, web_searches=3))
    assert unpriced.covers(Usage(1, 0))
    assert CLAUDE.covers(Usage(1, 0, web_searches=3))
    assert FREE.covers(Usage(1, 0, web_searches=3))


def test_a_price_sells_the_ordinary_tier_and_those_that_it_names() -> None:
    words = ("auto", "default", "standard_only", "batch", "priority", "flex", "Priority", "")
    assert [word for word in words if CLAUDE.sells(word)] == list(words[:5])


DEAREST = {
    "an hour in the cache": (100, (), 6 * USD, 15 * USD),
    "long input": (200_001, (), 12 * USD, 22_500_000_000),
    "input that is just not long": (200_000, (), 6 * USD, 15 * USD),
    "a dearer tier": (100, ("priority",), 12 * USD, 30 * USD),
    "a cheaper tier may be answered at the ordinary one": (100, ("batch",), 6 * USD, 15 * USD),
    "a tier that has no price": (100, ("ultrafast",), 12 * USD, 30 * USD),
}


@pytest.mark.parametrize(
    ("input_tokens", "tiers", "input_rate", "output_rate"), DEAREST.values(), ids=DEAREST
)
def test_a_hold_is_made_of_the_dearest_rates_that_can_apply(
    input_tokens: int, tiers: tuple[str, ...], input_rate: int, output_rate: int
) -> None:
    dearest = CLAUDE.dearest(input_tokens=input_tokens, tiers=tiers)
    assert (dearest.input, dearest.output) == (input_rate, output_rate)
    assert dearest.web_search == CLAUDE.web_search


# --- properties

AMOUNTS = st.integers(0, 10**15)
TOKENS = st.integers(0, 10**9)
MAYBE = st.none() | AMOUNTS
RATES = st.builds(
    Rates,
    input=AMOUNTS,
    cached_input=AMOUNTS,
    output=AMOUNTS,
    cache_write=MAYBE,
    cache_write_1h=MAYBE,
)
STEPS = st.lists(
    st.builds(LongInput, st.integers(1, 10**9), RATES),
    max_size=3,
    unique_by=lambda step: step.above_input_tokens,
).map(lambda steps: tuple(sorted(steps, key=lambda step: step.above_input_tokens)))
TIERED = st.builds(lambda rates, steps: Price(**asdict(rates), above=steps), RATES, STEPS)
PRICES = st.builds(
    lambda price, tiers, search: replace(price, tiers=tiers, web_search=search),
    TIERED,
    st.dictionaries(st.sampled_from(["batch", "flex", "priority"]), TIERED),
    MAYBE,
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    plain, read, written, hour, output = (draw(TOKENS) for _ in range(5))
    return Usage(
        plain + read + written + hour,
        output,
        read,
        reasoning_tokens=draw(st.integers(0, output)),
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=hour,
        web_searches=draw(st.integers(0, 1000)),
        service_tier=draw(st.sampled_from([None, "default", "batch", "flex", "priority"])),
    )


def by_fractions(price: Price, usage: Usage) -> Fraction:
    """Add the parts up one by one, each an exact share of a dollar; all at one tier."""
    steps = [step.rates for step in price.above if usage.input_tokens > step.above_input_tokens]
    rates = [price, *steps][-1]
    write, hour = rates.cache_write, rates.cache_write_1h
    read, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    written_1h = usage.cache_write_1h_input_tokens
    parts = [
        Fraction(usage.input_tokens - read - written - written_1h) * rates.input,
        Fraction(read) * rates.cached_input,
        Fraction(written) * (-(-rates.input * 5 // 4) if write is None else write),
        Fraction(written_1h) * (rates.input * 2 if hour is None else hour),
        Fraction(usage.output_tokens) * rates.output,
    ]
    return sum((part / 10**6 for part in parts), Fraction(0))


@given(PRICES, usages())
def test_a_cost_is_the_sum_of_its_parts_but_for_one_rounding_upwards(
    price: Price, usage: Usage
) -> None:
    if usage.service_tier in {None, "default"}:
        sold = [price]
    elif usage.service_tier in price.tiers:
        sold = [price.tiers[usage.service_tier]]
    else:
        sold = [price, *price.tiers.values()]
    searches = Fraction(usage.web_searches * (price.web_search or 0), 10**6)
    exact = searches + max(by_fractions(each, usage) for each in sold)

    assert 0 <= price.cost(usage) - exact < 1


@given(PRICES, usages())
def test_no_call_costs_more_than_its_dearest_rates(price: Price, usage: Usage) -> None:
    tiers = [usage.service_tier] if usage.service_tier else []
    dearest = price.dearest(input_tokens=usage.input_tokens, tiers=tiers)
    most = dearest.cost(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)

    assert 0 <= price.cost(replace(usage, web_searches=0)) <= most

"""Money is exact: integers, one rounding, upwards."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import Usage
from forebay.money import FREE, NanoUsd, Price, format_usd

AMOUNTS = st.integers(0, 10**15)
TOKENS = st.integers(0, 10**9)
PRICES = st.builds(Price, input=AMOUNTS, cached_input=AMOUNTS, output=AMOUNTS)
GPT = Price(input=250_000_000, cached_input=12_500_000, output=2_000_000_000)


def cost(price: Price, input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
    return price.cost(Usage(input_tokens, output_tokens, cached_tokens))


COSTS = {
    "nothing": (GPT, 0, 0, 0, 0),
    "a million tokens of input": (GPT, 1_000_000, 0, 0, 250_000_000),
    "a million tokens of output": (GPT, 0, 0, 1_000_000, 2_000_000_000),
    "cached input is within the input": (GPT, 10, 4, 0, 1550),
    "half a nano-dollar is rounded up": (GPT, 1, 1, 0, 13),
    "one rounding for all parts": (Price(input=1, cached_input=1, output=1), 2, 1, 1, 1),
    "less than a nano-dollar": (Price(input=1, cached_input=0, output=0), 1, 0, 0, 1),
    "free": (FREE, 10**9, 10**6, 10**9, 0),
}


@pytest.mark.parametrize(
    ("price", "input_tokens", "cached", "output_tokens", "nano_usd"), COSTS.values(), ids=COSTS
)
def test_a_request_costs_what_the_price_says(
    price: Price, input_tokens: int, cached: int, output_tokens: int, nano_usd: int
) -> None:
    assert cost(price, input_tokens, cached, output_tokens) == nano_usd


@given(PRICES, TOKENS, TOKENS, TOKENS)
def test_a_cost_is_exact_and_rounded_up_once(
    price: Price, plain: int, cached: int, output: int
) -> None:
    exact = Fraction(
        plain * price.input + cached * price.cached_input + output * price.output, 1_000_000
    )

    rounded_up_by = cost(price, plain + cached, cached, output) - exact

    assert 0 <= rounded_up_by < 1


@given(PRICES, TOKENS, TOKENS, TOKENS, st.integers(1, 10**6))
def test_more_tokens_never_cost_less(
    price: Price, plain: int, cached: int, output: int, more: int
) -> None:
    before = cost(price, plain + cached, cached, output)

    assert cost(price, plain + more + cached, cached, output) >= before
    assert cost(price, plain + cached, cached, output + more) >= before


@given(PRICES, TOKENS, TOKENS, TOKENS)
def test_the_parts_cost_no_less_than_the_whole_and_hardly_more(
    price: Price, plain: int, cached: int, output: int
) -> None:
    parts = cost(price, plain, 0, 0) + cost(price, cached, cached, 0) + cost(price, 0, 0, output)

    assert 0 <= parts - cost(price, plain + cached, cached, output) <= 2


DOLLARS = {
    0: "0.000000000",
    1: "0.000000001",
    12_345: "0.000012345",
    1_000_000_000: "1.000000000",
    123_456_789_012_345_678: "123456789.012345678",
    -5: "-0.000000005",
}


@pytest.mark.parametrize(("amount", "dollars"), DOLLARS.items())
def test_an_amount_is_written_without_loss(amount: int, dollars: str) -> None:
    assert format_usd(NanoUsd(amount)) == dollars


@given(st.integers(-(10**27), 10**27))
def test_a_written_amount_is_the_amount(amount: int) -> None:
    assert Fraction(format_usd(NanoUsd(amount))) * 10**9 == amount

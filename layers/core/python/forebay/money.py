"""Money is an integer of nano-dollars: 1 USD = 1,000,000,000; never a float.

Prices per token are fractions of a nano-dollar (0.25 USD per million tokens is 250 nano-dollars
a token, but cached input at 0.0125 is 12.5), so a price is an exact rational (nano-dollars per
million tokens) and one rounding is made, upwards, on the sum of a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NewType

NanoUsd = NewType("NanoUsd", int)
"""Nano-dollars: 10^-9 USD."""

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000
"""Prices are quoted per million tokens."""


def format_usd(amount: NanoUsd) -> str:
    """Write an amount as dollars without loss, e.g. `0.000012345`."""
    return f"{Decimal(amount).scaleb(-9):f}"


@dataclass(frozen=True, slots=True)
class Price:
    """What a target charges, in nano-dollars per million tokens.

    0.25 USD per million tokens is 250_000_000. `cached_input` is the price of those input
    tokens that the provider read from its prompt cache.
    """

    input: int
    cached_input: int
    output: int

    def cost(self, *, input_tokens: int, cached_input_tokens: int, output_tokens: int) -> NanoUsd:
        """Cost of one request; `cached_input_tokens` are counted within `input_tokens`.

        Rounded up once, so that a sum of requests is never below the provider's bill.
        """
        total = (
            (input_tokens - cached_input_tokens) * self.input
            + cached_input_tokens * self.cached_input
            + output_tokens * self.output
        )
        return NanoUsd(-(-total // TOKENS_PER_PRICE))


FREE = Price(input=0, cached_input=0, output=0)
"""For self-hosted targets (`price = "free"`)."""

"""Money is an integer of nano-dollars: 1 USD = 1,000,000,000; never a float.

Prices per token are fractions of a nano-dollar (0.25 USD per million tokens is 250 nano-dollars
a token, but cached input at 0.0125 is 12.5), so a price is an exact rational (nano-dollars per
million tokens). One rounding is made, upwards, on the sum of one call to a provider.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NewType, Protocol

NanoUsd = NewType("NanoUsd", int)
"""Nano-dollars: 10^-9 USD."""

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000
"""Prices are quoted per million tokens."""

STANDARD_TIERS: Final = frozenset({"auto", "default", "standard", "standard_only", "on_demand"})
"""Words of a reply for the ordinary service: OpenAI's, Anthropic's, Groq's. (Also words of a
request; one that says `auto` may be answered at another tier, and the reply says so.)"""


def format_usd(amount: NanoUsd) -> str:
    """Write an amount as dollars without loss, e.g. `0.000012345`."""
    return f"{Decimal(amount).scaleb(-9):f}"


class Billed(Protocol):
    """What a call is billed for: see `model.Usage`. No figure is negative."""

    @property
    def input_tokens(self) -> int:
        """All of them; the three below are counted within."""

    @property
    def cached_input_tokens(self) -> int:
        """Read from the provider's prompt cache."""

    @property
    def cache_write_input_tokens(self) -> int:
        """Written to it for its usual time."""

    @property
    def cache_write_1h_input_tokens(self) -> int:
        """Written to it for an hour."""

    @property
    def output_tokens(self) -> int:
        """Reasoning included."""

    @property
    def web_searches(self) -> int:
        """Calls of the provider's own search."""

    @property
    def service_tier(self) -> str | None:
        """That the reply names."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What each kind of token costs, in nano-dollars per million.

    0.25 USD per million tokens is 250_000_000.
    """

    input: int
    cached_input: int
    """Of input that the provider read from its prompt cache."""
    output: int
    cache_write: int | None = None
    """Of input that it wrote there. None: 1.25 times `input`, as Anthropic, Bedrock and OpenAI
    have it (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing)."""
    cache_write_1h: int | None = None
    """Of input that it wrote there for an hour. None: twice `input`, from the same page."""

    def micro(self, usage: Billed) -> int:
        """Return the cost of a call's tokens in millionths of a nano-dollar: exact."""
        read, written = usage.cached_input_tokens, usage.cache_write_input_tokens
        written_1h = usage.cache_write_1h_input_tokens
        return (
            (usage.input_tokens - read - written - written_1h) * self.input
            + read * self.cached_input
            + written * self._cache_write
            + written_1h * self._cache_write_1h
            + usage.output_tokens * self.output
        )

    @property
    def dearest_input(self) -> int:
        """The most that a token of input can cost."""
        return max(self.input, self.cached_input, self._cache_write, self._cache_write_1h)

    @property
    def _cache_write(self) -> int:
        return -(-self.input * 5 // 4) if self.cache_write is None else self.cache_write

    @property
    def _cache_write_1h(self) -> int:
        return self.input * 2 if self.cache_write_1h is None else self.cache_write_1h


@dataclass(frozen=True, slots=True)
class LongInput:
    """Rates of the whole call once its input is longer than so many tokens."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Dearest:
    """The most that tokens can cost, in nano-dollars per million: what a hold is made of."""

    input: int
    output: int
    web_search: int | None
    """Nano-dollars per million calls; None: not known."""

    def cost(self, *, input_tokens: int, output_tokens: int) -> NanoUsd:
        """Return what so many tokens cost at most; rounded up once."""
        return _rounded_up(input_tokens * self.input + output_tokens * self.output)


@dataclass(frozen=True, slots=True)
class Price(Rates):
    """What a target charges: the rates themselves are those of its ordinary service."""

    above: tuple[LongInput, ...] = ()
    """Ascending by length."""
    tiers: Mapping[str, Price] = field(default_factory=dict, hash=False)
    """Other tiers of service, by the reply's word for them: `batch`, `flex`, `priority`, …"""
    web_search: int | None = None
    """Nano-dollars per million calls of the provider's own search; None: not known."""

    def cost(self, usage: Billed, tier: str | None = None) -> NanoUsd:
        """Cost of one call, at the tier that its reply names.

        Rounded up once, so that a sum of calls is never below the provider's bill. For the same
        reason a tier that has no price here costs what the dearest one that has would cost.

        Args:
            usage: What the call took.
            tier: If it is known from elsewhere, e.g. `batch`; None: as `usage` says.
        """
        searches = usage.web_searches * (self.web_search or 0)
        at_tiers = self._at(tier or usage.service_tier)
        return _rounded_up(searches + max(each.micro_by_length(usage) for each in at_tiers))

    def micro_by_length(self, usage: Billed) -> int:
        """Return what the tokens cost here, in millionths of a nano-dollar, length considered."""
        rates: Rates = self
        for step in self.above:
            if usage.input_tokens > step.above_input_tokens:
                rates = step.rates
        return rates.micro(usage)

    def sells(self, tier: str) -> bool:
        """Whether a call at this tier has a price."""
        return tier in STANDARD_TIERS or tier in self.tiers

    def covers(self, usage: Billed) -> bool:
        """Whether all that a call took has a price; else its cost is a lower bound."""
        return self.web_search is not None or not usage.web_searches

    def dearest(self, *, input_tokens: int, tiers: Collection[str] = ()) -> Dearest:
        """Return the dearest rates that can apply to a call.

        Args:
            input_tokens: As many as it has at most; longer steps of the price are left out.
            tiers: That it may be answered at beside the ordinary one; see `dialects.service_tier`.
        """
        prices = [self, *(price for name in tiers for price in self._at(name))]
        possible: list[Rates] = [*prices]
        for price in prices:
            possible += [s.rates for s in price.above if input_tokens > s.above_input_tokens]
        return Dearest(
            input=max(rates.dearest_input for rates in possible),
            output=max(rates.output for rates in possible),
            web_search=self.web_search,
        )

    def _at(self, tier: str | None) -> tuple[Price, ...]:
        """Return the price at a tier; for one that has none, all that there are."""
        if tier is None or tier in STANDARD_TIERS:
            return (self,)
        return (self.tiers[tier],) if tier in self.tiers else (self, *self.tiers.values())


def _rounded_up(micro: int) -> NanoUsd:
    return NanoUsd(-(-micro // TOKENS_PER_PRICE))


FREE = Price(input=0, cached_input=0, output=0, web_search=0)
"""For self-hosted targets (`price = "free"`)."""

"""The most that one attempt can cost: what is held before a target is asked.

Input at the dearest rate that can apply, and the output limit for each answer, at the dearest of
the targets that may be asked first. A request without an output limit gets one: else nothing
would bound it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from forebay.admission.input_bound import Tokenizer, input_bound, text_bound
from forebay.errors import CostNotBounded
from forebay.model import Demand, KeyPolicy
from forebay.money import TOKENS_PER_PRICE, Dearest, NanoUsd, Price
from forebay.settings import ProviderKind

DEFAULT_OUTPUT_LIMIT: Final = 4_096
"""Tokens of an answer where neither request nor key nor model sets fewer."""
DEFAULT_REASONING_LIMIT: Final = 16_384
"""The same where the model thinks before it answers: thoughts are output, too."""

LEAST_OUTPUT: Final = 512
"""An answer that has room for fewer tokens is not worth its input."""
LEAST_REASONING_OUTPUT: Final = 4_096

_REASONING: Final = re.compile(
    r"(?:.*[./])?(?:o[1-9](?!\w)|gpt-(?:[5-9]|\d\d)(?!.*-chat)|gpt-oss|gemini-(?:2\.5|[3-9])"
    r"|claude-(?:fable|mythos|(?:opus|sonnet|haiku)-[5-9])"
    r"|.*(?:reasoner|reasoning|thinking|magistral|qwq|qwen-?3|deepseek-r))",
    re.IGNORECASE,
)
"""Models that think unless they are told not to, by the beginning of their names."""


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """A target, as far as its worst case depends on it."""

    kind: ProviderKind
    model: str
    """The target's name of it."""
    price: Price
    max_output_tokens: int | None = None
    """Of an answer; None: not known."""
    tiers: frozenset[str] = frozenset()
    """Of service, that the request may be answered at there beside the ordinary one; see
    `dialects.service_tiers`."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Whose vocabulary and eyes it has."""
        return Tokenizer(self.kind, self.model)

    @property
    def reasons(self) -> bool:
        """Whether its model thinks without being asked to."""
        return _REASONING.match(self.model) is not None


@dataclass(frozen=True, slots=True)
class Bound:
    """What one attempt takes and costs at most."""

    input_tokens: int
    output_tokens: int
    """All answers together."""
    nano_usd: NanoUsd
    output_limit: int | None = None
    """Tokens of each answer; None: there are none in words (embeddings)."""
    limit_is_ours: bool = False
    """Whether the request has no limit, so that this one must be sent with it."""
    reasons: bool = False

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


FREE_OF_CHARGE: Final = Bound(0, 0, NanoUsd(0))
"""What counting tokens takes."""


def worst_case(
    demand: Demand,
    targets: Sequence[BoundTarget],
    policy: KeyPolicy,
    *,
    has_budget: bool,
    counted: Mapping[str, int] | None = None,
) -> Bound:
    """Return the most that one attempt can take, at the dearest of its targets.

    Args:
        demand: The request.
        targets: Those that may be asked first, at least one.
        policy: The key's.
        has_budget: Whether any budget is to pay: the key's own, its team's, its tenant's.
        counted: Tokens of the request's texts and schemas, by target model, where they are known;
            of no use to a hold that is `proven`.

    Raises:
        CostNotBounded: There is no bound, there is a budget, and the key's policy does not say
            what to hold instead.
    """
    reasons = demand.reasons or any(target.reasons for target in targets)
    limit = _output_limit(demand, targets, policy, reasons=reasons)
    output = (limit or 0) * demand.answers
    inputs = _inputs(demand, targets, policy, counted or {})
    costs = [
        each.price.dearest(input_tokens=size, tiers=each.tiers).cost(
            input_tokens=size, output_tokens=output
        )
        for each, size in zip(targets, inputs, strict=True)
    ]
    return Bound(
        input_tokens=max(inputs),
        output_tokens=output,
        nano_usd=_held(max(costs), demand, policy) if has_budget else max(costs),
        output_limit=limit,
        limit_is_ours=limit is not None and demand.output_limit is None,
        reasons=reasons,
    )


def second_try(
    first: Bound,
    demand: Demand,
    targets: Sequence[BoundTarget],
    room_nano_usd: int,
) -> Bound | None:
    """Return what half of the room pays for, after the first bound was refused.

    None: the limit was the caller's own, or too short an answer would be left.

    Args:
        first: What `worst_case` said.
        demand: The request.
        targets: The same as then.
        room_nano_usd: What is left of the budget that refused it.
    """
    if not first.limit_is_ours or first.output_limit is None or demand.unbounded:
        return None
    rates = [
        each.price.dearest(input_tokens=first.input_tokens, tiers=each.tiers) for each in targets
    ]
    half = room_nano_usd // 2
    limit = min(_affordable(each, first.input_tokens, half) for each in rates) // demand.answers
    least = LEAST_REASONING_OUTPUT if first.reasons else LEAST_OUTPUT
    limit = min(limit, first.output_limit)
    if limit < least:
        return None
    output = limit * demand.answers
    cost = max(each.cost(input_tokens=first.input_tokens, output_tokens=output) for each in rates)
    return replace(first, output_tokens=output, output_limit=limit, nano_usd=cost)


def _affordable(rates: Dearest, input_tokens: int, nano_usd: int) -> int:
    """Return how many tokens of output an amount pays for, once input is paid; negative: none."""
    left = nano_usd * TOKENS_PER_PRICE - input_tokens * rates.input
    return left // max(1, rates.output)


def _output_limit(
    demand: Demand, targets: Sequence[BoundTarget], policy: KeyPolicy, *, reasons: bool
) -> int | None:
    if not demand.answers:
        return None
    if demand.output_limit is not None:
        return demand.output_limit
    limits = [target.max_output_tokens for target in targets]
    limits += [demand.usual_output_limit, policy.default_output_limit]
    usual = DEFAULT_REASONING_LIMIT if reasons else DEFAULT_OUTPUT_LIMIT
    return min([usual, *(limit for limit in limits if limit is not None)])


def _inputs(
    demand: Demand, targets: Sequence[BoundTarget], policy: KeyPolicy, counted: Mapping[str, int]
) -> list[int]:
    """Return how many input tokens the request is at most, at each target."""
    known = {} if policy.hold == "proven" else counted
    all_known = all(target.model in known for target in targets)
    text = 0 if all_known else text_bound(demand, policy.hold)
    return [
        input_bound(demand, each.tokenizer, hold=policy.hold, text=known.get(each.model, text))
        for each in targets
    ]


def _held(cost: NanoUsd, demand: Demand, policy: KeyPolicy) -> NanoUsd:
    """Return what is to be held: the bound, or what the key says where there is none."""
    if not demand.unbounded:
        return cost
    if policy.unbounded_hold_nano_usd is None:
        param = demand.unbounded[0]
        raise CostNotBounded(
            f"What '{param}' asks for may cost anything, and a budget is to pay for it: leave it "
            "out, or ask the operator to set 'unbounded_hold_usd' for the key.",
            param=param,
        )
    return NanoUsd(max(cost, policy.unbounded_hold_nano_usd))

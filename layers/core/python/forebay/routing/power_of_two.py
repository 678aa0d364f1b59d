"""Choice by weight and load: of two that are drawn by weight, the one that is less loaded.

A target costs `expected first token x (1 + calls in flight / relative weight)`: what a call that
comes now would wait, if each call ahead of it took as long. Two distinct targets are drawn by
weight. The second takes the first one's place with the probability `1 - (its cost / the first's
cost)^2`, and never if it costs more. So

- targets of equal cost get exactly the shares of their weights (the first drawn always stays),
  also while nothing is in flight. The textbook's strict comparison would let differences of a
  percent, which are noise, overrule the weights: in a simulation of two equal targets with weights
  3 : 1 at low load it gave them 32 % and 68 %, this gives 66 % and 34 %;
- a target that costs ten times as much as the other of two is asked in 0.5 % of the calls: often
  enough to notice that it has recovered, and never not at all;
- many callers who see the same figures do not all run to the same target, which they would if all
  costs were compared.

A target whose first token is not known counts as fast as the fastest that is known. It is tried at
once, within the share of its weight, and each call in flight there makes it dearer: it neither
starves nor draws all calls to itself before its first token says what it is.

Sources: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10),
2001; the weight's place in the cost is Envoy's (`weight / (active_requests + 1)`, least request
policy).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from forebay.routing.load import Candidate, Load, cooling_last, known_first_tokens_s
from forebay.routing.weights import weighted_choice

SHARPNESS = 2
"""Exponent of the comparison: 1 leaves a target that costs tenfold 5 % of two, and with 4 the noise
of measured times begins to overrule weights."""
MAX_REPLACED = 0.999
"""However dear a target is, it keeps one in a thousand of the calls that weight gives it."""
FASTEST_S = 0.001
"""Below this times do not differ: it keeps ratios finite."""

AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def order_by_load(
    candidates: Sequence[AnyCandidate],
    load_of: Callable[[AnyCandidate], Load],
    roll: Callable[[], float],
) -> list[int]:
    """Return all indices in the order in which they are to be tried; O(n^2).

    Args:
        candidates: Targets of which any will do.
        load_of: How busy each is. Times must be comparable: all this process's own, or all the
            fleet's.
        roll: Uniform in [0, 1) at each call.
    """
    loads = [load_of(candidate) for candidate in candidates]
    weights = [candidate.weight for candidate in candidates]
    costs = _costs(weights, loads)
    left = list(range(len(candidates)))
    order: list[int] = []
    while left:
        chosen = _better_of_two(left, weights, costs, roll)
        left.remove(chosen)
        order.append(chosen)
    return cooling_last(order, loads)


def _costs(weights: Sequence[int], loads: list[Load]) -> list[float]:
    mean_weight = sum(weights) / max(len(weights), 1)
    unknown_s = min(known_first_tokens_s(loads), default=1.0)
    costs: list[float] = []
    for weight, load in zip(weights, loads, strict=True):
        first_token_s = unknown_s if load.first_token_s is None else load.first_token_s
        waiting = 1 + load.in_flight * mean_weight / weight
        costs.append(max(first_token_s, FASTEST_S) * waiting)
    return costs


def _better_of_two(
    left: list[int], weights: Sequence[int], costs: list[float], roll: Callable[[], float]
) -> int:
    first = left[weighted_choice([weights[index] for index in left], roll())]
    others = [index for index in left if index != first]
    if not others:
        return first
    second = others[weighted_choice([weights[index] for index in others], roll())]
    replaces = min(1 - (costs[second] / costs[first]) ** SHARPNESS, MAX_REPLACED)
    return second if roll() < replaces else first

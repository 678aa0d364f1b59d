"""How inputs are divided into calls, and a call's usage among its callers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from forebay.dialects.embeddings import Limits


def split(sizes: Sequence[int], limits: Limits) -> list[slice]:
    """Divide inputs into runs that a provider takes in one call each, in order.

    Args:
        sizes: Of each input, in tokens; one that is over the limit alone gets a run of its own.
        limits: Of one call.
    """
    runs: list[slice] = []
    start, tokens = 0, 0
    for index, size in enumerate(sizes):
        if index > start and not fits(index - start + 1, tokens + size, limits):
            runs.append(slice(start, index))
            start, tokens = index, 0
        tokens += size
    runs.append(slice(start, len(sizes)))
    return runs


def fits(inputs: int, tokens: int, limits: Limits) -> bool:
    """Whether so many inputs with so many tokens go into one call."""
    return inputs <= limits.inputs and (limits.tokens is None or tokens <= limits.tokens)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a total by weights, in whole numbers that add up to it (largest remainder).

    Args:
        total: At least 0.
        weights: At least one, each at least 0; of equal remainders the first goes before.

    Source: Hamilton's method; M. Balinski and H. P. Young, "Fair Representation", 1982.
    """
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda index: total * weights[index] % whole, reverse=True
    )
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares

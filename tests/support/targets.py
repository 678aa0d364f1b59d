"""Targets to choose among, and figures about the choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forebay.routing import Load


@dataclass(frozen=True)
class Fake:
    name: str
    weight: int = 1


def fakes(*weights: int) -> list[Fake]:
    return [Fake(f"p{index}/m", weight) for index, weight in enumerate(weights)]


def loads_of(candidates: Sequence[Fake], loads: Sequence[Load]) -> Callable[[Fake], Load]:
    known = dict(zip((candidate.name for candidate in candidates), loads, strict=True))
    return lambda candidate: known[candidate.name]


def shares(chosen: Sequence[int], count: int) -> list[float]:
    return [chosen.count(index) / len(chosen) for index in range(count)]

"""What a choice among targets looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a target is, as far as the chooser knows."""

    in_flight: int = 0
    """Calls that run there now; 0 where nobody counts (one request a process)."""
    first_token_s: float | None = None
    """How long its first token is expected to take; None: not known."""
    cooling: bool = False
    """It has asked to be spared for a while: it comes after all others."""


UNKNOWN = Load()


class Candidate(Protocol):
    """What a choice must know of a target."""

    @property
    def name(self) -> str:
        """Unique among the candidates, and the same in each process."""
        ...

    @property
    def weight(self) -> int:
        """Its share of the calls, relative to the others; at least 1."""
        ...


def cooling_last(order: list[int], loads: list[Load]) -> list[int]:
    """Move the targets that cool down to the end; the order is kept otherwise."""
    return sorted(order, key=lambda index: loads[index].cooling)


def known_first_tokens_s(loads: list[Load]) -> list[float]:
    """Return the times that are known, in no order."""
    return [load.first_token_s for load in loads if load.first_token_s is not None]

"""Port `Entropy` that repeats itself."""

from __future__ import annotations

from random import Random


class SeededEntropy:
    """The same dice for the same seed. For tests: what it gives is no secret."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = Random(seed)  # noqa: S311 - repeatable is the point

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return self._dice.random()

    def token_bytes(self, count: int) -> bytes:
        """Bytes that follow from the seed."""
        return self._dice.randbytes(count)

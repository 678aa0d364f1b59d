"""How many further attempts a target may be asked for.

The first attempt at a target is its ordinary traffic, also as a fallback. A further attempt at the
same target spends one credit; each success earns a tenth of one. So a target that is down sees its
ordinary traffic and no storm on top of it: at most 1.1 attempts a call in the long run.

Source: "retry budgets", B. Beyer et al., Site Reliability Engineering, chapter 21.
"""

from __future__ import annotations

from dataclasses import dataclass

BURST = 10.0
"""Credits at most, and at the start."""
EARNED_BY_SUCCESS = 0.1
COST = 1.0
"""Of a further attempt."""
ENOUGH = COST - 1e-9
"""A sum of tenths is a little below its whole number."""


@dataclass(frozen=True, slots=True)
class RetryCredit:
    """One target's credit; each step returns the next state."""

    left: float = BURST

    def succeeded(self, times: int = 1) -> RetryCredit:
        """Earn."""
        return RetryCredit(min(BURST, self.left + earned(times)))

    def spent(self) -> RetryCredit | None:
        """Spend one; None if there is none to spend."""
        return RetryCredit(max(0.0, self.left - COST)) if self.left >= ENOUGH else None


def earned(successes: int) -> float:
    """Return what successes earn, to the tenth (a sum of floats would drift)."""
    return round(EARNED_BY_SUCCESS * successes, 6)

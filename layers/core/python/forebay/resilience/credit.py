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


@dataclass(frozen=True, slots=True)
class RetryCredit:
    """One target's credit; each step returns the next state."""

    left: float = BURST

    def succeeded(self) -> RetryCredit:
        """Earn."""
        return RetryCredit(min(BURST, self.left + EARNED_BY_SUCCESS))

    def spent(self) -> RetryCredit | None:
        """Spend one; None if there is none to spend."""
        # A sum of tenths is a little below its whole number.
        return RetryCredit(self.left - 1.0) if self.left >= 1.0 - 1e-9 else None

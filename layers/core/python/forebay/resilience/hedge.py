"""When a second target is asked as well, and how often that may happen.

A call whose first token is later than most of its target's are (their 95th percentile) is probably
one of the few that will be very late: the next target is asked too, and the first to speak answers.
That trims the tail at the cost of a few calls more. How few is bounded by a budget: each call earns
a share of a hedge, so where everything is late hedges stop instead of doubling the load.

Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013, "Hedged requests".
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_HEDGE_S = 0.5
"""No hedge before: what is won is less than what a model takes for its first token."""
MAX_SAVED = 5.0
"""As many hedges can be saved up: enough for the callers of one slow moment, none for an outage."""


def hedge_after_s(p95_first_token_s: float | None) -> float | None:
    """How long to wait for a first token before the next target is asked too, in seconds.

    Args:
        p95_first_token_s: Of the target that is waited for, of late; None: not known.

    Returns:
        None if nothing is known: there is no telling what is late.
    """
    return None if p95_first_token_s is None else max(MIN_HEDGE_S, p95_first_token_s)


@dataclass(frozen=True, slots=True)
class HedgeBudget:
    """A token bucket that calls fill; each step returns the next state.

    It begins empty, so hedges are at most `share` of the calls for each process and thus for the
    fleet, however many processes come and go.
    """

    left: float = 0.0

    def called(self, share: float) -> HedgeBudget:
        """Earn with a call: `share` of a hedge, from 0 to 1."""
        return HedgeBudget(min(MAX_SAVED, self.left + share))

    def spent(self) -> HedgeBudget | None:
        """Spend one hedge; None if there is none to spend."""
        # A sum of twentieths is a little below its whole number.
        return HedgeBudget(max(0.0, self.left - 1.0)) if self.left >= 1.0 - 1e-9 else None

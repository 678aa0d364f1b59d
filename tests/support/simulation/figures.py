"""How well callers were served, and at what price: what scenarios make claims about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tests.support.simulation.journal import Journal, Request

ALWAYS_S = 1e9


@dataclass(frozen=True)
class Span:
    """A time of trouble, in seconds since the beginning."""

    begins: float
    ends: float

    def after(self, seconds: float) -> Span:
        """The same without its first seconds."""
        return Span(self.begins + seconds, self.ends)


WHOLE = Span(0.0, ALWAYS_S)


@dataclass(frozen=True)
class Figures:
    """Read from a journal that is closed.

    Args:
        journal: Of a simulation.
        primary: Name of the target that has the trouble.
    """

    journal: Journal
    primary: str = "primary/x"

    def requests(self, span: Span = WHOLE) -> list[Request]:
        """Those that began within the span, but for those whose gateway died."""
        return [
            request
            for request in self.journal.requests
            if not request.lost and span.begins <= request.began_at < span.ends
        ]

    def availability(self, span: Span = WHOLE) -> float:
        """Share of requests with a whole answer."""
        asked = self.requests(span)
        return sum(request.whole for request in asked) / len(asked)

    def calls_a_request(self, span: Span = WHOLE) -> float:
        """Upstream calls, of both targets together."""
        asked = self.requests(span)
        return sum(len(request.asked) for request in asked) / len(asked)

    def hedge_share(self, span: Span = WHOLE) -> float:
        """Hedges, as a share of the requests."""
        asked = self.requests(span)
        return sum(each.is_hedge for request in asked for each in request.asked) / len(asked)

    def first_choice_share(self, span: Span) -> float:
        """Share of requests whose first upstream call went to the primary."""
        asked = self.requests(span)
        return sum(self._is_first(request) for request in asked) / len(asked)

    def recovery_s(self, back_at: float) -> float:
        """How long after this time the last request began that did not go to the primary first."""
        asked = self.requests(Span(back_at, ALWAYS_S))
        others = [request.began_at for request in asked if not self._is_first(request)]
        return max(others, default=back_at) - back_at

    def opened_after_s(self, since: float) -> float:
        """How long after this time the primary's breaker opened; infinite if it did not."""
        times = [at - since for target, at in self.journal.openings if target == self.primary]
        return min((after_s for after_s in times if after_s >= 0), default=float("inf"))

    def first_words_s(self, span: Span = WHOLE) -> list[float]:
        """How long callers of streams waited for the first word, sorted."""
        return sorted(
            request.first_word_at - request.began_at
            for request in self.requests(span)
            if request.stream and request.first_word_at is not None
        )

    def _is_first(self, request: Request) -> bool:
        return bool(request.asked) and request.asked[0].target == self.primary


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank of sorted values; infinite if there are none."""
    return values[ceil(share * len(values)) - 1] if values else float("inf")

"""Refusals that are remembered: what a leaf refused once needs no write to be refused again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from forebay.admission.escrow import PARALLEL
from forebay.admission.leaf import Entry, Leaf
from forebay.admission.terms import Ask, Obstacle, Terms
from forebay.errors import BudgetSpent, ForebayError, LimitExceeded
from forebay.money import NanoUsd, format_usd

PARALLEL_AGAIN_S: Final = 0.25
"""A call ends any moment, in any process; four writes a second do not hurt its leaf."""

ROOM_AGAIN_S: Final = 1.0
"""Open holds may soon be settled for less, and what they leave is enough."""

SPENT_AGAIN_S: Final = 10.0
"""Nothing that is open would be enough. Still asked again: elsewhere room may be given back."""

SHARED_AGAIN_S: Final = 0.25
"""Any process may give room back to a limit that leaves share, and none is told."""

RETRY_PARALLEL_S: Final = 1.0
"""Advice: nobody knows when a call ends."""

Left = Callable[[str], int]
"""What is left of a slot's limit, as far as is known."""

REMEMBERED: Final = 2048
"""Leaves whose last refusal is kept, about 1 MB."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a leaf refused, and for how long it would do so again."""

    obstacle: Obstacle
    version: int
    amount: int
    """The same or more is refused, too: nano-dollars or tokens."""
    until: float
    """Epoch seconds."""
    limit: str
    """In words."""
    left_nano_usd: int = 0
    renews_at: float | None = None

    def speaks_of(self, ask: Ask) -> bool:
        """Whether it holds for a request, too."""
        needs = {Obstacle.ROOM: ask.hold_nano_usd, Obstacle.TOKENS: ask.tokens}
        return needs.get(self.obstacle, 0) >= self.amount

    def error(self, now: float) -> ForebayError:
        """Say it to the caller, with what is true now."""
        if self.obstacle is Obstacle.ROOM:
            left = format_usd(NanoUsd(self.left_nano_usd))
            return BudgetSpent(
                f"{self.limit} has {left} USD left, and this request may cost more. "
                f"{_renewal(self.renews_at)}",
                left_nano_usd=self.left_nano_usd,
                renews_at=self.renews_at,
            )
        if self.obstacle is Obstacle.PARALLEL:
            wait_s = RETRY_PARALLEL_S
            return LimitExceeded(f"{self.limit}; wait for one to end.", retry_after_s=wait_s)
        wait_s = max(0.0, self.until - now)
        return LimitExceeded(f"{self.limit}; try again in {wait_s:.3f} s.", retry_after_s=wait_s)


class Refusals:
    """The last refusal of each leaf."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, Refusal] = OrderedDict()

    def remember(self, scope: str, refusal: Refusal) -> None:
        """Refuse the like here until it may be admitted again."""
        self._last[scope] = refusal
        self._last.move_to_end(scope)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    def of(self, terms: Terms, ask: Ask) -> Refusal | None:
        """Return what a leaf would say to a request, if that is known."""
        refusal = self._last.get(terms.scope)
        if refusal is None:
            return None
        # Set back, a clock proves nothing: no refusal is to outlast its reason.
        over = terms.now >= refusal.until or refusal.until - terms.now > 2 * SPENT_AGAIN_S + 60
        if over or refusal.version != terms.version:
            del self._last[terms.scope]
            return None
        return refusal if refusal.speaks_of(ask) else None

    def forget(self, scope: str) -> None:
        """Something was given back."""
        refusal = self._last.get(scope)
        if refusal is not None and refusal.obstacle is not Obstacle.REQUESTS:
            del self._last[scope]


def refusal(
    obstacle: Obstacle, terms: Terms, entry: Entry, ask: Ask, met: Leaf, left: Left
) -> Refusal:
    """Tell why a leaf refused a request, and until when it would."""
    shortage = terms.shortage(entry, met) if obstacle is Obstacle.ROOM else {}
    spent = next((slot for slot in shortage if not slot.endswith(PARALLEL)), None)
    if spent is not None:
        return _no_room(spent, terms, ask, met, left(spent))
    if obstacle is Obstacle.REQUESTS and terms.requests is not None:
        wait_s = terms.requests.free_in_s(1, met.tat_requests_us, terms.now_us)
        limit = f"This key may send {terms.requests.per_minute} requests a minute"
        return Refusal(obstacle, terms.version, 0, terms.now + wait_s, limit)
    if obstacle is Obstacle.TOKENS and terms.tokens is not None:
        wait_s = terms.tokens.free_in_s(ask.tokens, met.tat_tokens_us, terms.now_us)
        limit = f"This key may use {terms.tokens.per_minute} tokens a minute"
        return Refusal(obstacle, terms.version, ask.tokens, terms.now + wait_s, limit)
    scope = next((f"{_scope(slot)}'s" for slot in shortage), "This key's")
    return Refusal(
        Obstacle.PARALLEL,
        terms.version,
        0,
        terms.now + PARALLEL_AGAIN_S,
        f"{scope} calls in flight are at their limit",
    )


def _no_room(slot: str, terms: Terms, ask: Ask, met: Leaf, left: int) -> Refusal:
    renews_at = terms.renews_at(slot, met)
    again_s = SPENT_AGAIN_S if left + met.held_in(slot) < ask.hold_nano_usd else ROOM_AGAIN_S
    if terms.above:
        again_s = SHARED_AGAIN_S
    until = terms.now + again_s
    return Refusal(
        obstacle=Obstacle.ROOM,
        version=terms.version,
        amount=ask.hold_nano_usd,
        until=until if renews_at is None else min(until, renews_at),
        limit=f"{_scope(slot)}'s budget ({slot.partition('.')[2]})",
        left_nano_usd=max(0, left),
        renews_at=renews_at,
    )


def _scope(slot: str) -> str:
    scope = slot.partition(".")[0]
    return "This key" if scope == "key" else f"The {scope}"


def _renewal(at: float | None) -> str:
    if at is None:
        return "It does not renew."
    return f"It renews at {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}."

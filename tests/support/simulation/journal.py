"""All that happens in a simulation, as one that stands beside it sees it, and what must not."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf

from forebay.model import AttemptResult, LedgerRow
from forebay.resilience.breaker import Breaker, BreakerState
from forebay.resilience.credit import BURST, EARNED_BY_SUCCESS
from forebay.resilience.retry import MAX_ATTEMPTS
from forebay.settings import DEFAULT_HEDGE_SHARE

OLD_STATE_S = 2.0
"""No request that begins so long after a breaker changed is decided on its old state."""


@dataclass(slots=True, eq=False)
class Asked:
    """One upstream call."""

    target: str
    at: float
    is_hedge: bool
    """Whether another one of the same request was still under way."""
    is_over: bool = False


@dataclass(slots=True, eq=False)
class Request:
    """One request of a caller, from its beginning to what the caller got."""

    number: int
    path: str
    stream: bool
    began_at: float
    asked: list[Asked] = field(default_factory=list)
    """Upstream calls that it caused, in order."""
    probes: set[str] = field(default_factory=set)
    """Targets that it has a probe's lease for."""
    request_id: str = ""
    status: int = 0
    first_word_at: float | None = None
    ended_at: float | None = None
    whole: bool = False
    honest: bool = False
    """Whether it has no whole answer and was told so."""
    lost: bool = False
    """Whether its gateway died under it: neither answer nor row is owed."""


ASKING: ContextVar[Request] = ContextVar("ASKING")
"""The request that the running task works for."""


@dataclass(slots=True)
class _Watched:
    """A target's breaker, as the store has it."""

    opened_at: float | None = None
    """When it was last closed, and then opened; None: it is closed."""
    closed_at: float = -inf
    """When it was closed last."""

    def known_closed(self, began_at: float) -> bool:
        """Whether whoever begins then must know that it is closed."""
        return self.opened_at is None and self.closed_at + OLD_STATE_S <= began_at


class Journal:
    """Notes what happens; `violations` are what must not."""

    def __init__(self, targets: tuple[str, ...]) -> None:
        self.requests: list[Request] = []
        self.rows: dict[str, LedgerRow] = {}
        self.openings: list[tuple[str, float]] = []
        self.violations: list[str] = []
        self.processes = 0
        """How many there have been."""
        self._was_apart = False
        self._apart_until = 0.0
        self._targets = targets
        self._hedges = 0
        self._loop = asyncio.get_running_loop()
        self._breakers = {target: _Watched() for target in targets}
        self._repeats: Counter[str] = Counter()
        self._successes: Counter[str] = Counter()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time()

    def violated(self, what: str, request: Request | None = None) -> None:
        """Note what must not be."""
        whose = f"request {request.number} ({request.path}): " if request else ""
        self.violations.append(f"at {self.now:.3f} s: {whose}{what}")

    def check(self, holds: object, what: str, request: Request | None = None) -> None:
        """Note it as violated unless it holds."""
        if not holds:
            self.violated(what, request)

    def begins(self, path: str, *, stream: bool) -> Request:
        """Note a request, and that this task works for it."""
        request = Request(len(self.requests), path, stream, self.now)
        self.requests.append(request)
        ASKING.set(request)
        return request

    # --- upstream

    def asks(self, target: str) -> Asked:
        """Note an upstream call, before it is made."""
        request = ASKING.get()
        again = any(each.target == target for each in request.asked)
        self._check_breaker(target, request)
        is_hedge = any(not each.is_over for each in request.asked)
        if is_hedge:
            self._check_hedge(request)
        asked = Asked(target, self.now, is_hedge)
        request.asked.append(asked)
        made = len(request.asked)
        self.check(made <= MAX_ATTEMPTS, f"invariant 6: {made} upstream calls", request)
        if again:
            self._repeats[target] += 1
            purses = 1 + self.processes * self._was_apart  # without the store, each has its own
            allowed = BURST * purses + EARNED_BY_SUCCESS * self._successes[target]
            self.check(
                self._repeats[target] <= allowed + 1e-6,
                f"invariant 6: {self._repeats[target]} retries at {target}, credit {allowed:.1f}",
                request,
            )
        return asked

    def _check_hedge(self, request: Request) -> None:
        self._hedges += 1
        allowed = DEFAULT_HEDGE_SHARE * len(self.requests)
        self.check(self._hedges <= allowed, f"hedge {self._hedges} of {allowed:.1f}", request)
        hedges = sum(each.is_hedge for each in request.asked)
        self.check(not hedges, "a second hedge", request)

    def _check_breaker(self, target: str, request: Request) -> None:
        """An open target is asked by one probe a lease, and where there is nobody else."""
        opened_at = self._breakers[target].opened_at
        if opened_at is None or request.began_at < max(opened_at + OLD_STATE_S, self._apart_until):
            return
        if target in request.probes:
            request.probes.discard(target)
            return
        tried = {each.target for each in request.asked}
        others = [name for name, it in self._breakers.items() if it.known_closed(request.began_at)]
        last_resort = tried.issuperset(others)
        self.check(last_resort, f"{target} was asked, open since {opened_at:.3f} s", request)

    # --- stores

    def fleet_store(self, *, down: bool) -> None:
        """Note whether the fleet's store is out of reach: then each process goes by itself."""
        self._was_apart |= down
        self._apart_until = inf if down else min(self._apart_until, self.now + OLD_STATE_S)

    def breaker_changed(self, target: str, breaker: Breaker) -> None:
        """Note a breaker's new state in the store."""
        watched = self._breakers[target]
        match breaker.state:
            case BreakerState.CLOSED:
                watched.opened_at, watched.closed_at = None, self.now
            case BreakerState.OPEN:
                if watched.opened_at is None:
                    watched.opened_at = self.now
                    self.openings.append((target, self.now))
            case BreakerState.HALF_OPEN:
                ASKING.get().probes.add(target)

    def row_put(self, row: LedgerRow) -> None:
        """Note a row that the ledger has taken."""
        held = self.rows.setdefault(row.request_id, row)
        self.check(held == row, f"invariant 2: two rows of {row.request_id}")
        if held is row:
            complete = [each for each in row.attempts if each.result is AttemptResult.COMPLETE]
            self._successes.update(attempt.target for attempt in complete)

    # --- the end

    def close(self, *, unsettled: int) -> None:
        """Check what must be when all is over.

        Args:
            unsettled: Rows that could not be stored, and were reported as incidents instead.
        """
        ours = [request for request in self.requests if not request.lost]
        for request in ours:
            self._check_end(request)
        missing = sum(request.request_id not in self.rows for request in ours)
        self.check(missing == unsettled, f"invariant 2: {missing} rows missing of {unsettled}")
        known = {request.request_id for request in self.requests}
        self.check(self.rows.keys() <= known, "invariant 2: a row of nobody's request")

    def _check_end(self, request: Request) -> None:
        self.check(request.ended_at is not None, "invariant 6: never ended", request)
        self.check(request.whole is not request.honest, "neither whole nor an error", request)
        row = self.rows.get(request.request_id)
        if row is not None:
            self.check(
                (row.outcome == "complete") is request.whole, f"its row is {row.outcome}", request
            )
            told = [attempt.target for attempt in row.attempts]
            made = [asked.target for asked in request.asked]
            self.check(told == made, f"its row has attempts {told}, not {made}", request)

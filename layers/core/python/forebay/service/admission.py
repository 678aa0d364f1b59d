"""Admission: a request takes what it may cost before it runs, and gives back what it did not.

::

    grant = await admission.admit(request)             # one conditional write, or a refusal
    …
    grant = await admission.top_up(grant, more)        # before a further attempt that is billed
    …
    await admission.settle(grant, cost, tokens)        # after its row is in the ledger

The row goes before the settlement: whoever dies in between leaves a hold behind, and the sweep
settles it for what the row says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

from forebay.admission.hold import MAX_HOLD_NANO_USD
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Settlement, TopUp
from forebay.admission.terms import GRACE_S, Ask, Obstacle, Terms
from forebay.errors import (
    AuthenticationFailed,
    RequestExceedsLimit,
    StoreError,
    StoreUnavailable,
)
from forebay.model import KeyRecord, KeyStatus
from forebay.ports import Clock, Entropy, Limits
from forebay.service.grants import AdmissionRequest, Grant, Taken
from forebay.service.leaves import Leaves
from forebay.service.refusals import Refusals, refusal
from forebay.service.seen_leaves import SeenLeaves

STALE_S: Final = 10.0
"""An admission that took longer is given back: its hold may be about to be swept."""

TRIES: Final = {
    Obstacle.BRANCH: 2,
    Obstacle.CLOCK: 1,
    Obstacle.MISSING: 8,
    Obstacle.VERSION: 2,
    Obstacle.PERIOD: 2,
    Obstacle.ROOM: 16,
    Obstacle.PARALLEL: 8,
}
"""How often each obstacle is removed and the write tried again. A wrong guess at the branches: the
leaf that refused names the right one, so only others' writes in between make it wrong again. Room
may be brought away again by a leaf that is short of it as well; a full leaf's neighbour may be
full, too. Where neither can be had, there is no second try."""

BUSY: Final = "Too many requests changed this key's limits at once; try again."

SETTLE_BEFORE_END_S: Final = 5.0
"""Settling is retried until so long before the deadline; then it is the sweep's."""

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0
"""Between tries to settle: doubling, with full jitter."""

KeyReader = Callable[[str], Awaitable[KeyRecord | None]]
"""Reads a key, strongly consistent."""


class Admission:
    """One process's way to the limits; to be used within one event loop.

    Args:
        limits: Where leaves are.
        leaves: Chooses a leaf and finds room for it.
        newest: Reads a key when its leaf knows another version of its policy.
        clock: Its wall clock, right to about 2 s (`StoreClock`).
        entropy: For the pauses of a settlement that fails.
    """

    def __init__(
        self, limits: Limits, leaves: Leaves, newest: KeyReader, clock: Clock, entropy: Entropy
    ) -> None:
        self._limits = limits
        self._leaves = leaves
        self._newest = newest
        self._clock = clock
        self._entropy = entropy
        self._seen = SeenLeaves()
        self._refusals = Refusals()

    async def admit(self, request: AdmissionRequest) -> Grant:
        """Take a hold and charge the rates, all or nothing. One write when warm.

        A key without limits needs no leaf: its grant is empty, at no cost.

        Raises:
            BudgetSpent: What is left of a budget cannot pay for it.
            LimitExceeded: A rate, or the calls in flight; says when to try again.
            RequestExceedsLimit: It is more than a limit ever allows at once.
            AuthenticationFailed: The key was revoked a moment ago.
            StoreUnavailable: The store is out of reach, too slow or throttled. What it may have
                written is given back, or swept once it expires.
        """
        began = self._clock.now()
        try:
            grant = await self._admitted(request, request.ask(began))
        except StoreUnavailable:
            if request.key.policy.on_store_failure == "serve":
                return Grant(request.request_id, unchecked=True)
            raise
        if self._clock.now() - began > STALE_S:
            await self.settle(grant, 0, 0)
            raise StoreUnavailable("The limits took too long to answer; nothing was spent.")
        return grant

    async def top_up(self, grant: Grant, nano_usd: int) -> Grant | None:
        """Hold so much more; None: there is no room, or the hold is gone. One write.

        Raises:
            StoreUnavailable: The store did not answer in time. It may be held all the same; then
                settling the grant gives all of it back.
        """
        taken = grant.taken
        if taken is None:
            return grant
        hold = replace(taken.hold, nano_usd=taken.hold.nano_usd + nano_usd)
        if hold.nano_usd > MAX_HOLD_NANO_USD:
            return None
        change = TopUp(taken.short_id, held=taken.hold, hold=hold)
        for _ in range(TRIES[Obstacle.ROOM]):
            write = self._seen.noted(await self._limits.top_up(taken.terms.scope, change))
            met = write.leaf
            if write.done or (met is not None and met.holds.get(taken.short_id) == hold):
                return replace(grant, taken=replace(taken, hold=hold))
            if met is None or met.holds.get(taken.short_id) != taken.hold:
                return None
            shortage = {
                slot: more - met.pools[slot].room
                for slot, more in change.moves.items()
                if met.pools[slot].room < more
            }
            if shortage and not await self._leaves.relieve(taken.terms, met, shortage):
                return None
        return None

    async def settle(self, grant: Grant, cost_nano_usd: int, tokens: int) -> None:
        """End a grant: its cost stays, the rest is given back. One write; twice changes nothing.

        Args:
            grant: From `admit` or `top_up`; a request that was topped up may settle either.
            cost_nano_usd: As its stored row in the ledger says; 0 releases it.
            tokens: That it used. What was charged above that is given back as far as it is still
                to be earned; more than was charged is not charged again.

        Raises:
            StoreUnavailable: The store did not answer until 5 s before the request's deadline.
        """
        taken = grant.taken
        if taken is None:
            return
        change = Settlement(taken.short_id, taken.hold, cost_nano_usd, self._refund(taken, tokens))
        leaf = await self._settled_in_time(taken, change)
        self._refusals.forget(taken.terms.scope)
        if leaf is not None:
            with suppress(StoreError):  # it is settled; the next request can draw for itself
                hold = taken.hold.nano_usd
                await self._leaves.ahead(taken.terms, leaf, hold_nano_usd=hold)

    async def _admitted(self, request: AdmissionRequest, ask: Ask) -> Grant:
        key, tried = request.key, Counter[Obstacle]()
        while True:
            terms = await self._leaves.terms(key, now=self._clock.now())
            if terms is None:
                return Grant(request.request_id)
            self._check(terms, ask)
            entry = terms.entry(ask, self._seen.of(terms.scope))
            if not tried:
                await self._foresee(terms, entry)
            write = await self._write(terms.scope, entry)
            if write.done and write.leaf is not None:
                return _grant(request, terms, entry, write.leaf)
            obstacle, met = terms.obstacle(entry, ask, write.leaf), write.leaf
            tried[obstacle] += 1
            if obstacle is Obstacle.VERSION and met is not None:
                key = await self._agreed(key, met, retry=tried[obstacle] <= TRIES[obstacle])
                continue
            if met is not None and obstacle is Obstacle.HELD:
                # Others may have charged since: what is ours of the arrival time is not known.
                return _grant(request, terms, entry, replace(met, tat_tokens_us=0))
            if obstacle in TRIES and tried[obstacle] > TRIES[obstacle]:
                raise StoreUnavailable(BUSY)
            if not await self._removed(obstacle, terms, entry, met):
                self._refuse(obstacle, terms, entry, ask, met)

    def _check(self, terms: Terms, ask: Ask) -> None:
        """Refuse what needs no write to be refused."""
        if ask.hold_nano_usd > MAX_HOLD_NANO_USD:
            raise RequestExceedsLimit("This request may cost more than any one request is allowed.")
        if terms.tokens is not None and ask.tokens > terms.tokens.per_minute:
            raise RequestExceedsLimit(
                f"This request may use {ask.tokens} tokens; this key may use "
                f"{terms.tokens.per_minute} a minute. Shorten it, or set a lower output limit."
            )
        known = self._refusals.of(terms, ask)
        if known is not None:
            raise known.error(terms.now)

    async def _foresee(self, terms: Terms, entry: Entry) -> None:
        """Draw for a leaf that was short when last seen: it saves the write that tells so."""
        seen = self._seen.of(terms.scope)
        if seen is not None and terms.above:
            shortage = terms.shortage(entry, seen)
            if shortage:
                await self._leaves.relieve(terms, seen, shortage)

    async def _write(self, scope: str, entry: Entry) -> LeafWrite:
        """Admit; give back what may have been taken if no answer comes, or nobody waits for it."""
        try:
            return self._seen.noted(await self._limits.admit(scope, entry))
        except (StoreUnavailable, asyncio.CancelledError):
            with suppress(StoreError):
                release = Settlement(entry.short_id, entry.hold, 0)
                await self._limits.settle(scope, release)
            raise

    async def _agreed(self, key: KeyRecord, met: Leaf, *, retry: bool) -> KeyRecord:
        """Return the key as it is now, with the leaf at its version.

        Raises:
            AuthenticationFailed: It was revoked.
            StoreUnavailable: Key and leaf do not come together: one is being changed.
        """
        if not retry:
            raise StoreUnavailable("The key's limits are being changed; try again.")
        if key.version <= met.version:
            newest = await self._newest(key.key_id)
            if newest is None or newest.status is not KeyStatus.ACTIVE:
                raise AuthenticationFailed("The API key was revoked.")
            key = newest
        if key.version < met.version:
            raise StoreUnavailable("The key's limits are being changed; try again.")
        if key.version > met.version:
            terms = await self._leaves.terms(key, now=self._clock.now())
            if terms is not None:
                await self._leaves.follow(terms, met)
        return key

    async def _removed(
        self, obstacle: Obstacle, terms: Terms, entry: Entry, met: Leaf | None
    ) -> bool:
        """Do what lets the next try be admitted; False: nothing can."""
        if met is None:
            await self._leaves.open(terms)
            return True
        match obstacle:
            case Obstacle.PERIOD:
                await self._leaves.follow(terms, met)
            case Obstacle.ROOM:
                return await self._leaves.relieve(terms, met, terms.shortage(entry, met))
            case Obstacle.PARALLEL:
                return await self._leaves.relieve(terms, met, {})
            case Obstacle.REQUESTS | Obstacle.TOKENS:
                return False
            case _:
                pass  # the leaf as it is now seen makes the next try right
        return True

    def _refuse(
        self, obstacle: Obstacle, terms: Terms, entry: Entry, ask: Ask, met: Leaf | None
    ) -> NoReturn:
        if met is None:
            raise StoreUnavailable(BUSY)
        left = partial(self._leaves.left, terms, met)
        reason = refusal(obstacle, terms, entry, ask, met, left)
        self._refusals.remember(terms.scope, reason)
        raise reason.error(terms.now)

    async def _settled_in_time(self, taken: Taken, change: Settlement) -> Leaf | None:
        """Settle, again and again until shortly before the request's deadline."""
        until = taken.hold.expires_at - GRACE_S - SETTLE_BEFORE_END_S
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self._settled(taken.terms.scope, change)
            except StoreUnavailable:
                if self._clock.now() + pause_s > until:
                    raise
                await self._clock.sleep(pause_s * self._entropy.random())
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _settled(self, scope: str, change: Settlement) -> Leaf | None:
        """Settle the hold as it is stored, which a top-up without an answer may have changed."""
        while True:
            write = self._seen.noted(await self._limits.settle(scope, change))
            stored = None if write.leaf is None else write.leaf.holds.get(change.short_id)
            if write.done or stored is None:
                return write.leaf
            if stored == change.hold:
                raise StoreError(f"limits: {scope} lacks a slot that its hold counts in")
            change = replace(change, hold=stored)

    def _refund(self, taken: Taken, tokens: int) -> int:
        rate = taken.terms.tokens
        if rate is None or tokens >= taken.tokens:
            return 0
        now_us = int(self._clock.now() * 1_000_000)
        return rate.refund_us(taken.tokens - tokens, taken.tat_tokens_us, now_us)


def _grant(request: AdmissionRequest, terms: Terms, entry: Entry, leaf: Leaf) -> Grant:
    taken = Taken(
        terms=terms,
        short_id=entry.short_id,
        hold=leaf.holds[entry.short_id],  # of a repeated write, as the first one left it
        tokens=request.tokens,
        tat_tokens_us=leaf.tat_tokens_us,
        leaf=leaf,
    )
    return Grant(request.request_id, taken)

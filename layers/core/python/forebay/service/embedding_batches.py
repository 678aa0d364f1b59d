"""Inputs of several callers in one call.

Callers who want the same of the same target (tenant, target, parameters: a `Lane`) share its calls.
Who comes while none is under way is sent at once. While one is, those who come wait for each
other: `WINDOW_S` at most, or until it ends, or until a call is full. Nobody is sent together with
another tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field

from forebay.dialects.embeddings import Embedded, Limits
from forebay.errors import UpstreamRefused
from forebay.service.embedding_shares import apportion, fits

WINDOW_S = 0.005
"""What a caller waits for others at most; a call takes twenty times as long."""

BLAMES_INPUT = frozenset({400, 413, 422})
"""Statuses that may be one caller's fault."""

Ask = Callable[[Sequence[bytes]], Awaitable[Embedded]]
"""Makes one call."""

Weigh = Callable[[Sequence[bytes]], Awaitable[int]]
"""Counts the tokens of inputs."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one caller wants in one call."""

    inputs: Sequence[bytes]
    tokens: int
    """At most."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    part: Part
    result: asyncio.Future[Embedded] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


Outcome = tuple[_Waiting, Embedded | BaseException]


class Lane:
    """Calls that several callers may share.

    Args:
        ask: Makes one call; what it raises, everyone in the call gets.
        weigh: Counts tokens, for sharing out what a call took.
        limits: Of one call.
    """

    def __init__(self, ask: Ask, weigh: Weigh, limits: Limits) -> None:
        self._ask = ask
        self._weigh = weigh
        self._limits = limits
        self._gathered: list[_Waiting] = []
        self._window: asyncio.TimerHandle | None = None
        self._calls: dict[asyncio.Task[list[Outcome]], list[_Waiting]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not (self._gathered or self._calls)

    async def embed(self, part: Part) -> Embedded:
        """Have a part embedded, in a call of its own or with others.

        A caller that is cancelled leaves the call to the others; the last one ends it.

        Raises:
            UpstreamError: The call failed; as `ask` raised it.
        """
        waiting = _Waiting(part)
        self._join(waiting)
        try:
            return await waiting.result
        except asyncio.CancelledError:
            self._leave(waiting)
            raise

    def _join(self, waiting: _Waiting) -> None:
        if self._gathered and not self._has_room([*self._gathered, waiting]):
            self._send()
        self._gathered.append(waiting)
        if not self._calls or self._is_full():
            self._send()
        elif self._window is None:
            self._window = asyncio.get_running_loop().call_later(WINDOW_S, self._send)

    def _has_room(self, together: list[_Waiting]) -> bool:
        inputs = sum(len(each.part.inputs) for each in together)
        return fits(inputs, sum(each.part.tokens for each in together), self._limits)

    def _is_full(self) -> bool:
        return sum(len(each.part.inputs) for each in self._gathered) >= self._limits.inputs

    def _leave(self, waiting: _Waiting) -> None:
        if waiting in self._gathered:
            self._gathered.remove(waiting)
            if not self._gathered:
                self._close_window()
        for call, together in self._calls.items():
            if all(each.result.cancelled() for each in together):
                call.cancel()

    def _close_window(self) -> None:
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _send(self) -> None:
        self._close_window()
        together, self._gathered = self._gathered, []
        call = asyncio.ensure_future(self._call(together))
        self._calls[call] = together
        call.add_done_callback(self._ended)

    async def _call(self, together: list[_Waiting]) -> list[Outcome]:
        inputs = [each for waiting in together for each in waiting.part.inputs]
        try:
            embedded = await self._ask(inputs)
        except UpstreamRefused as error:
            if len(together) == 1 or error.status not in BLAMES_INPUT:
                raise
            return await self._one_by_one(together)
        return await self._divide(embedded, together)

    async def _one_by_one(self, together: list[_Waiting]) -> list[Outcome]:
        """Ask for each caller alone: what is wrong with one must not fail the others."""
        here = [waiting for waiting in together if not waiting.result.done()]
        asked = (self._ask(waiting.part.inputs) for waiting in here)
        return list(zip(here, await asyncio.gather(*asked, return_exceptions=True), strict=True))

    async def _divide(self, embedded: Embedded, together: list[_Waiting]) -> list[Outcome]:
        """Give each caller its own vectors, and its share of what the call took."""
        if len(together) == 1:
            return [(together[0], embedded)]
        shares: list[int] | list[None] = [None] * len(together)
        if embedded.input_tokens is not None:
            weights = [await self._weigh(waiting.part.inputs) for waiting in together]
            shares = apportion(embedded.input_tokens, weights)
        outcomes: list[Outcome] = []
        vectors = iter(embedded.vectors)
        for waiting, share in zip(together, shares, strict=True):
            own = tuple(next(vectors) for _ in waiting.part.inputs)
            outcomes.append((waiting, Embedded(own, share, embedded.model)))
        return outcomes

    def _ended(self, call: asyncio.Task[list[Outcome]]) -> None:
        together = self._calls.pop(call)
        for waiting, outcome in _outcomes(call, together):
            if waiting.result.done():
                continue  # it left
            if isinstance(outcome, BaseException):
                waiting.result.set_exception(outcome)
            else:
                waiting.result.set_result(outcome)
        if self._gathered and not self._calls:
            self._send()


def _outcomes(call: asyncio.Task[list[Outcome]], together: list[_Waiting]) -> Sequence[Outcome]:
    """Return what a call that has ended means for each caller."""
    if call.cancelled():
        return [(waiting, asyncio.CancelledError()) for waiting in together]
    error = call.exception()
    return call.result() if error is None else [(waiting, error) for waiting in together]


class EmbeddingBatches:
    """The lanes of a process. One that nobody waits in is forgotten."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, Lane] = {}

    async def embed(self, key: Hashable, part: Part, make: Callable[[], Lane]) -> Embedded:
        """Have a part embedded. See `Lane.embed`.

        Args:
            key: Names the lane; those who give the same one may share calls.
            part: What is wanted.
            make: Makes the lane if there is none.
        """
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = make()
        try:
            return await lane.embed(part)
        finally:
            if lane.is_idle:
                self._lanes.pop(key, None)

"""Callers who have inputs embedded, and the target that they share, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from forebay.dialects.embeddings import Embedded, Limits
from forebay.errors import UpstreamRefused
from forebay.service.embedding_batches import Lane, Part
from tests.support.virtual_time import run_virtual

CALL_S = 0.1
BAD = b'"bad"'


def refused(status: int) -> UpstreamRefused:
    return UpstreamRefused("no", target="p/e", status=status, headers={}, error=None)


@dataclass
class Peer:
    """A target: each call takes a tenth of a second, each input has one token a byte."""

    limits: Limits = Limits(4, 1000)  # noqa: RUF009 - frozen
    status: int = 400
    """Of the refusal of a call with a bad input."""
    fails: Exception | None = None
    reports: bool = True
    calls: list[tuple[float, list[bytes]]] = field(default_factory=list)
    """When each began, and what it asked."""
    ended: list[str] = field(default_factory=list)

    async def ask(self, inputs: Sequence[bytes]) -> Embedded:
        self.calls.append((round(now(), 6), list(inputs)))
        try:
            await asyncio.sleep(CALL_S)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        if self.fails is not None:
            raise self.fails
        if BAD in inputs:
            raise refused(self.status)
        self.ended.append("answered")
        tokens = sum(map(len, inputs)) if self.reports else None
        return Embedded(tuple(b"[%b]" % each for each in inputs), tokens, "e-1")

    async def weigh(self, inputs: Sequence[bytes]) -> int:
        return sum(map(len, inputs))

    def lane(self) -> Lane:
        return Lane(self.ask, self.weigh, self.limits)


def now() -> float:
    return asyncio.get_running_loop().time()


def part(*inputs: bytes) -> Part:
    return Part(inputs, sum(map(len, inputs)))


@dataclass
class Caller:
    """One who asks at a certain time, and what it got."""

    inputs: tuple[bytes, ...]
    at: float = 0.0
    leaves_at: float | None = None
    got: Embedded | BaseException | None = None
    got_at: float = 0.0

    async def come(self, embed: Callable[[Part], Awaitable[Embedded]]) -> None:
        await asyncio.sleep(self.at)
        asking = asyncio.ensure_future(embed(part(*self.inputs)))
        if self.leaves_at is not None:
            asyncio.get_running_loop().call_at(self.leaves_at, asking.cancel)
        (self.got,) = await asyncio.gather(asking, return_exceptions=True)
        self.got_at = round(now(), 6)


def play(peer: Peer, *callers: Caller) -> None:
    async def main() -> None:
        lane = peer.lane()
        await asyncio.gather(*(caller.come(lane.embed) for caller in callers))
        assert lane.is_idle

    run_virtual(main())


def vectors(caller: Caller) -> tuple[bytes, ...]:
    assert isinstance(caller.got, Embedded), caller.got
    return caller.got.vectors


def tokens(caller: Caller) -> int | None:
    assert isinstance(caller.got, Embedded), caller.got
    return caller.got.input_tokens

"""Upstreams of the simulation: the scripted provider, whose script scenarios change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Self

from forebay.adapters.providers.scripted import ScriptedProvider, ScriptedReply
from forebay.adapters.providers.scripted_answers import text_of
from forebay.model import UpstreamRequest
from forebay.ports import Clock
from forebay.settings import ScriptedFaults, ScriptedSettings
from tests.support.scripted import always
from tests.support.simulation.journal import Asked, Journal

TOKENS = 16
ANSWER = text_of(TOKENS)
"""What every provider says, and every caller must get."""

HEALTHY = ScriptedSettings(tokens=TOKENS, first_token_ms=300, first_token_jitter=0.5)


class Upstream:
    """One provider, the same for all processes.

    Args:
        name: As the catalog has it.
        journal: Is told of each call.
        clock: Of the world.
        dice: Seeded.
    """

    def __init__(self, name: str, journal: Journal, clock: Clock, dice: Random) -> None:
        self.name = name
        self.clock = clock
        self.healthy = HEALTHY
        self.cut_share = 0.0
        """Of its answers, cut after a random number of tokens."""
        self._journal = journal
        self._dice = dice
        self._scripted = ScriptedProvider(name, HEALTHY, clock, dice.random)

    def play(self, script: ScriptedSettings | None = None, *, cut_share: float = 0.0) -> None:
        """Answer by this script from now on; without one, as when all is well."""
        self._scripted.script = script or self.healthy
        self.cut_share = cut_share

    def fail(self, faults: ScriptedFaults) -> None:
        """Have faults from now on."""
        self.play(replace(self.healthy, faults=faults))

    async def send(self, request: UpstreamRequest) -> WatchedReply:
        """Answer. See `ports.Provider`."""
        asked = self._journal.asks(f"{self.name}/x")
        if self.cut_share:
            self._scripted.script = self._cut_or_not()
        try:
            return WatchedReply(await self._scripted.send(request), asked)
        except BaseException:
            asked.is_over = True
            raise

    def _cut_or_not(self) -> ScriptedSettings:
        if self._dice.random() >= self.cut_share:
            return self.healthy
        # Before the first word, after the last one (and before the end), anywhere in between.
        cut = always("cut", after_tokens=self._dice.randint(0, TOKENS))
        return replace(self.healthy, faults=cut)


class WatchedReply:
    """A reply of the script, and a note of when it is over. See `ports.UpstreamReply`."""

    def __init__(self, reply: ScriptedReply, asked: Asked) -> None:
        self.status, self.headers = reply.status, reply.headers
        self._reply, self._asked = reply, asked

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as the script has it."""
        return self._reply.chunks()

    async def __aenter__(self) -> Self:
        """Hold the reply."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note the end."""
        self._asked.is_over = True
        await self._reply.__aexit__(kind, error, trace)


@dataclass(frozen=True)
class Wire:
    """One process's way to an upstream: its deadlines are on its own clock.

    Args:
        upstream: At the other end.
        clock: Of the process.
    """

    upstream: Upstream
    clock: Clock

    async def send(self, request: UpstreamRequest) -> WatchedReply:
        """Ask. See `ports.Provider`."""
        left_s = request.until - self.clock.monotonic()
        until = self.upstream.clock.monotonic() + left_s
        return await self.upstream.send(replace(request, until=until))

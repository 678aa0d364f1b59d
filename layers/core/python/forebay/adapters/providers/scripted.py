"""A provider that needs no network: deterministic answers, timed and broken as its script says.

It speaks OpenAI's chat completions like any other upstream, in bytes, so what is tested with it
is the path that ships. What it says is in `scripted_answers`, what goes wrong in
`scripted_faults`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from itertools import repeat
from types import TracebackType
from typing import Final, Self

from forebay.adapters.providers.scripted_answers import AnswerWriter
from forebay.adapters.providers.scripted_faults import (
    Refusal,
    pick_fault,
    rate_limited,
    refusal_for,
)
from forebay.adapters.providers.scripted_surfaces import writer_for
from forebay.dialects import sse
from forebay.errors import UpstreamCut, UpstreamUnavailable
from forebay.model import UpstreamRequest
from forebay.ports import Clock
from forebay.resilience.deadline import resolved
from forebay.settings import ModelTimeouts, ScriptedFault, ScriptedSettings, TimeoutSettings

BROKEN: Final = b"{this is no JSON"
LONG_PIECE: Final = b"x" * 65_536
LONG_PIECES: Final = 33 * 16
"""33 MB: over what any event or answer may have."""

MINUTE_S: Final = 60.0


class ScriptedProvider:
    """One scripted upstream.

    Args:
        name: Its configured name, for errors.
        script: What it does.
        clock: Waits between tokens.
        roll: Dice, uniform in [0, 1); thrown only where the script leaves something to chance.

    Attributes:
        script: May be replaced at any time; each request follows the one it finds.
    """

    def __init__(
        self, name: str, script: ScriptedSettings, clock: Clock, roll: Callable[[], float]
    ) -> None:
        self.script = script
        self._name = name
        self._clock = clock
        self._roll = roll
        self._is_down = False
        self._let_in: deque[float] = deque()
        """When the requests of the last minute came."""

    async def send(self, request: UpstreamRequest) -> ScriptedReply:
        """Answer a request. See `ports.Provider`."""
        script = self.script
        fault = self._pick_fault(script)
        if fault in {ScriptedFault.DOWN, ScriptedFault.REFUSE}:
            raise UpstreamUnavailable(f"{self._name} refuses by its script.", target=self._name)
        refusal = self._over_limit(script) or refusal_for(fault, script.faults)
        if refusal is not None:
            return ScriptedReply(refusal.status, refusal.headers, _once(refusal.body))
        writer = writer_for(request, script)
        waits = _Waits(self._name, self._clock, request)
        played = _Performance(writer, script, fault, waits)
        await waits.for_head(self._first_byte_s(script, fault) + played.writing_s)
        content_type = "text/event-stream" if request.stream else "application/json"
        if fault is ScriptedFault.WRONG_CONTENT_TYPE:
            content_type = "text/plain"
        chunks = played.stream() if request.stream else played.whole()
        return ScriptedReply(200, {"content-type": content_type}, chunks)

    def _pick_fault(self, script: ScriptedSettings) -> ScriptedFault | None:
        was_down = self._is_down and script.faults.down > 0
        fault = ScriptedFault.DOWN if was_down else pick_fault(script.faults, self._roll)
        self._is_down = fault is ScriptedFault.DOWN
        return fault

    def _over_limit(self, script: ScriptedSettings) -> Refusal | None:
        """Let a request in, or say when there is room for it."""
        now, limit = self._clock.now(), script.requests_per_minute
        while self._let_in and self._let_in[0] <= now - MINUTE_S:
            self._let_in.popleft()
        if limit and len(self._let_in) >= limit:
            return rate_limited(math.ceil(self._let_in[-limit] + MINUTE_S - now))
        self._let_in.append(now)
        return None

    def _first_byte_s(self, script: ScriptedSettings, fault: ScriptedFault | None) -> float:
        jitter = script.first_token_jitter
        factor = 1 + jitter * (2 * self._roll() - 1) if jitter else 1
        late_s = script.faults.slow_s if fault is ScriptedFault.SLOW_FIRST_BYTE else 0
        return script.first_token_ms / 1000 * factor + late_s


class _Waits:
    """Lets time pass, as long as the request has patience: what a connection does otherwise."""

    def __init__(self, name: str, clock: Clock, request: UpstreamRequest) -> None:
        timeouts = request.timeouts or resolved(TimeoutSettings(), ModelTimeouts())
        self.stream = request.stream
        self.name = name
        self._clock = clock
        self._head_s = timeouts.first_byte_s if request.stream else timeouts.whole_answer_s
        self._idle_s = timeouts.idle_s
        self._until = request.until

    async def for_head(self, seconds: float) -> None:
        """Wait for the reply to begin. Raises `UpstreamUnavailable` if that is too long."""
        await self._sleep(seconds, self._head_s, "did not answer in time")

    async def between(self, seconds: float) -> None:
        """Wait between two parts. Raises `UpstreamUnavailable` if that is too long."""
        await self._sleep(seconds, self._idle_s, "fell silent")

    async def _sleep(self, seconds: float, longest_s: float, failure: str) -> None:
        longest_s = max(0.0, min(longest_s, self._until - self._clock.monotonic()))
        await self._clock.sleep(min(seconds, longest_s))
        if seconds > longest_s:
            raise UpstreamUnavailable(f"{self.name} {failure}.", target=self.name)


class _Performance:
    """One answer as it is played: its timing, and the fault that it has."""

    def __init__(
        self,
        writer: AnswerWriter,
        script: ScriptedSettings,
        fault: ScriptedFault | None,
        waits: _Waits,
    ) -> None:
        self._writer = writer
        self._fault = fault
        self._after_tokens = script.faults.after_tokens
        self._gap_s = script.token_gap_ms / 1000
        self._waits = waits
        self.writing_s = 0 if waits.stream else len(writer.answer.pieces) * self._gap_s
        """How long the reply takes to begin, once the answer does."""

    async def stream(self) -> AsyncGenerator[bytes]:
        if self._fault is ScriptedFault.EMPTY:
            return
        chunk = self._writer.opening()
        yield chunk
        pieces = list(self._writer.pieces())
        fault_at = min(self._after_tokens, len(pieces))
        for index, piece in enumerate(pieces):
            if index == fault_at:
                for part in await self._strike(chunk):
                    yield part
            if index:
                await self._waits.between(self._gap_s)
            chunk = piece
            yield chunk
        if fault_at == len(pieces):
            for part in await self._strike(chunk):
                yield part
        for chunk in self._writer.closing():
            yield chunk

    async def whole(self) -> AsyncGenerator[bytes]:
        body = self._writer.whole()
        match self._fault:
            case ScriptedFault.EMPTY:
                return
            case ScriptedFault.BROKEN_JSON:
                yield BROKEN
            case ScriptedFault.LONG_LINE | ScriptedFault.CUT | ScriptedFault.STALL:
                yield body[: len(body) // 2]
                for part in await self._strike(b""):
                    yield part
            case _:
                yield body

    async def _strike(self, last: bytes) -> Iterable[bytes]:
        """Do what the fault does in mid-answer; return what it adds to a stream.

        Args:
            last: The chunk before.

        Raises:
            UpstreamCut: By the script.
            UpstreamUnavailable: By the script, after the idle time-out.
        """
        match self._fault:
            case ScriptedFault.CUT:
                name = self._waits.name
                raise UpstreamCut(f"{name} breaks off by its script.", target=name)
            case ScriptedFault.STALL:
                await self._waits.between(math.inf)
                return ()
            case ScriptedFault.BROKEN_JSON:
                return [sse.event(BROKEN)]
            case ScriptedFault.DUPLICATED_CHUNK:
                return [last]
            case ScriptedFault.LONG_LINE:
                return repeat(LONG_PIECE, LONG_PIECES)
            case _:
                return ()


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


class ScriptedReply:
    """A reply out of the script. See `ports.UpstreamReply`."""

    def __init__(
        self, status: int, headers: Mapping[str, str], chunks: AsyncGenerator[bytes]
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as the script has it."""
        return self._chunks

    async def __aenter__(self) -> Self:
        """Hold the reply."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the script where it is."""
        await self._chunks.aclose()

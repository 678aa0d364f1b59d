"""A function's sandboxes: which one gets an event, when one more is started, when it is enough.

Many mode: one process takes many invocations at once. Plain mode: each takes one, and there are at
most so many of them; beyond that an invocation is throttled, as Lambda does.
"""

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from forebay_cli.local.functions import FunctionSpec
from forebay_cli.local.invocation import (
    MAX_EVENT_BYTES,
    Failure,
    Invocation,
    Sink,
    ThrottledError,
    TooLargeError,
)
from forebay_cli.local.sandbox import Owner, Sandbox, SandboxOptions

MIN_BACKOFF_S: Final = 0.1  # before a crashed process is started again, doubled up to the maximum
MAX_BACKOFF_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How many sandboxes a function may have.

    Attributes:
        limit: processes at most.
        prewarm: keep one running; else the first invocation starts it.
    """

    limit: int
    prewarm: bool


class InitError(Exception):
    """The function could not be loaded; the message is one line, the trace is in its log."""


class FunctionPool(Owner):
    """All sandboxes of one function."""

    def __init__(self, spec: FunctionSpec, options: PoolOptions, sandbox: SandboxOptions) -> None:
        self.spec = spec
        self._options = options
        self._sandbox = sandbox
        self._sandboxes: list[Sandbox] = []
        self._queue: deque[Invocation] = deque()
        self._backoff_s = 0.0
        self._restart: asyncio.TimerHandle | None = None
        self._first: asyncio.Future[None] | None = None
        self._stopping = False

    def invoke(self, payload: bytes, sink: Sink) -> Invocation:
        """Give an event to a sandbox, now or as soon as there is room.

        Raises:
            ThrottledError: all sandboxes that there may be are taken.
            TooLargeError: the event is over Lambda's limit.
        """
        if len(payload) > MAX_EVENT_BYTES:
            raise TooLargeError
        invocation = Invocation(payload, sink)
        waiting = next((box for box in self._sandboxes if box.waiting), None)
        if waiting is not None and not self._queue:
            waiting.dispatch(invocation)
            return invocation
        if len(self._queue) >= self._room() and not self._start_another():
            raise ThrottledError
        self._queue.append(invocation)
        return invocation

    async def start(self) -> None:
        """Start the first sandbox and wait until it polls.

        Raises:
            InitError: the function could not be loaded.
        """
        self._first = asyncio.get_running_loop().create_future()
        self._start()
        await self._first

    async def stop(self) -> None:
        """End all sandboxes; what they still had to answer fails."""
        self._stopping = True
        if self._restart is not None:
            self._restart.cancel()
        await asyncio.gather(*(box.stop() for box in list(self._sandboxes)))
        self._fail_queue(Failure("Runtime.Shutdown", "The local stack is stopping."))

    def reload(self) -> None:
        """Serve further events from new processes; the old ones finish what they have."""
        self._backoff_s = 0.0
        if self._restart is not None:
            self._restart.cancel()
        for box in self._sandboxes:
            box.retire()
        if self._options.prewarm or self._queue:
            self._start()

    def kill_one(self, dice: random.Random) -> None:
        """End a sandbox without warning, as `--chaos` asks for."""
        alive = [box for box in self._sandboxes if box.pid is not None and not box.ended]
        if alive:
            victim = dice.choice(alive)
            self._sandbox.log(f"chaos: killing sandbox {victim.pid}")
            victim.kill()

    @override
    def sandbox_idle(self, sandbox: Sandbox) -> None:
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        if sandbox.served:
            self._backoff_s = 0.0
        while self._queue and sandbox.waiting:
            sandbox.dispatch(self._queue.popleft())

    @override
    def sandbox_ended(self, sandbox: Sandbox) -> None:
        self._sandboxes.remove(sandbox)
        if self._stopping or sandbox.retired:
            return
        failure = sandbox.init_failure
        if failure is not None:
            self._sandbox.log(f"init failed: {failure.summary}")
            self._fail_queue(failure)
            if self._first is not None and not self._first.done():
                self._first.set_exception(InitError(f"{self.spec.name}: {failure.summary}"))
        self._backoff_s = min(MAX_BACKOFF_S, max(MIN_BACKOFF_S, 2 * self._backoff_s))
        if self._queue or (self._options.prewarm and failure is None):
            self._start_later()

    def _room(self) -> int:
        """How many invocations may wait: those that the running and starting ones can take."""
        room = sum(box.free for box in self._sandboxes)
        return room + (self._sandbox.around.concurrency if self._restart is not None else 0)

    def _start_another(self) -> bool:
        if sum(not box.retired for box in self._sandboxes) >= self._options.limit:
            return False
        if self._restart is not None or self._stopping:
            return False
        if self._backoff_s and not self._sandboxes:
            self._start_later()
        else:
            self._start()
        return True

    def _start_later(self) -> None:
        if self._restart is None:
            loop = asyncio.get_running_loop()
            self._restart = loop.call_later(self._backoff_s, self._start)

    def _start(self) -> None:
        self._restart = None
        sandbox = Sandbox(self.spec, self._sandbox, self)
        self._sandboxes.append(sandbox)
        sandbox.start()

    def _fail_queue(self, failure: Failure) -> None:
        while self._queue:
            self._queue.popleft().finish(failure)

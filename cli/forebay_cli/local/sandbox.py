"""One sandbox: a process under the streaming runtime, and the Runtime API port that it polls.

Its life: starting -> (first poll) ready -> ended. In plain mode it is stopped (SIGSTOP) whenever it
waits for an event, as Lambda freezes it: no timer of the function runs then.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from forebay_cli.local.children import Child, start_child
from forebay_cli.local.functions import FunctionSpec, Surroundings, sandbox_environment
from forebay_cli.local.invocation import Failure, Invocation
from forebay_cli.local.resolve import function_arn
from forebay_cli.local.runtime_api import RuntimeConnection

INIT_TIMEOUT_S: Final = 60.0  # Lambda's is 10 s; a laptop may be busy with other things
STOP_GRACE_S: Final = 2.0  # the time Lambda gives an extension on shutdown
HUNG_GRACE_S: Final = 5.0  # after a time-out in many mode, for the runtime to show that it lives


class Owner(Protocol):
    """Whoever started a sandbox."""

    def sandbox_idle(self, sandbox: "Sandbox") -> None:
        """A poll waits: there is room for an event."""

    def sandbox_ended(self, sandbox: "Sandbox") -> None:
        """Its process is gone."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox of a function runs.

    Attributes:
        freeze: stop the process while it waits.
        wall_clock: seconds since the epoch, for deadlines.
        log: takes what it writes.
    """

    around: Surroundings
    freeze: bool
    wall_clock: Callable[[], float]
    log: Callable[[str], None]


class Sandbox:
    """A process of a function. `start` it, give it events, `stop` it."""

    def __init__(self, spec: FunctionSpec, options: SandboxOptions, owner: Owner) -> None:
        self._spec = spec
        self._options = options
        self._owner = owner
        self._polls: deque[RuntimeConnection] = deque()
        self._open: dict[str, Invocation] = {}
        self._overdue: dict[str, asyncio.TimerHandle] = {}
        self._server: asyncio.Server | None = None
        self._child: Child | None = None
        self._life: asyncio.Task[None] | None = None
        self.ready = False
        self.retired = False  # takes no further event, ends after its last one
        self.ended = False
        self.served = False  # it has answered once, so it is worth starting again
        self._stopping = False
        self.init_failure: Failure | None = None

    @property
    def pid(self) -> int | None:
        """The process, once it is started."""
        return None if self._child is None else self._child.pid

    @property
    def free(self) -> int:
        """How many more invocations it may be given, now or when it polls again."""
        if self.retired or self.ended:
            return 0
        return self._options.around.concurrency - len(self._open) - len(self._overdue)

    @property
    def waiting(self) -> bool:
        """Whether a poll waits for an event."""
        return bool(self._polls) and self.free > 0

    def start(self) -> None:
        """Start the process; the owner hears how it goes."""
        self._life = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """End the process (SIGTERM, then SIGKILL) and wait for it."""
        self.retired = self._stopping = True
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)
        if self._life is not None:
            await self._life

    def kill(self) -> None:
        """End the process at once; its open invocations fail."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)

    def retire(self) -> None:
        """Give it no further event; kill it when the last answer is whole."""
        self.retired = True
        if not self._open:
            self.kill()

    def dispatch(self, invocation: Invocation) -> None:
        """Hand an event to a waiting poll. Only when `waiting`."""
        poll = self._polls.popleft()
        self._open[invocation.request_id] = invocation
        loop = asyncio.get_running_loop()
        timeout_s = self._spec.timeout_s
        invocation.deadline = loop.call_later(timeout_s, self._timed_out, invocation)
        deadline_ms = int((self._options.wall_clock() + timeout_s) * 1000)
        self._thaw()
        poll.send_event(
            invocation,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Invocation-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": function_arn(self._spec.name),
                "Lambda-Runtime-Trace-Id": f"Root=1-{invocation.id.replace('-', '')[:8]}-"
                f"{invocation.request_id.replace('-', '')[:24]};Sampled=0",
            },
        )

    # The Runtime API's calls (see `RuntimeHost`).

    def polled(self, connection: RuntimeConnection) -> None:
        """Take a poll of `/next`."""
        self._polls.append(connection)
        self.ready = True
        if self.retired:
            self.retire()
            return
        self._owner.sandbox_idle(self)
        if self._options.freeze and self._polls and not self._open and self._child is not None:
            self._child.signal(signal.SIGSTOP)

    def poll_lost(self, connection: RuntimeConnection) -> None:
        """Forget a poll: the runtime closed its connection."""
        with contextlib.suppress(ValueError):
            self._polls.remove(connection)

    def claim(self, request_id: str, invocation_id: str | None) -> Invocation | None:
        """The invocation that a response is for; None if it is over, or another's."""
        overdue = self._overdue.pop(request_id, None)
        if overdue is not None:
            overdue.cancel()  # late, but it lives
        invocation = self._open.get(request_id)
        if invocation is None or invocation.claimed or invocation_id not in {invocation.id, None}:
            return None
        invocation.claimed = True
        return invocation

    def completed(self, invocation: Invocation, failure: Failure | None) -> None:
        """End an invocation."""
        if self._open.pop(invocation.request_id, None) is None:
            return  # a time-out or a crash was first
        if failure is None:
            self.served = True
        else:
            self._options.log(failure.summary)
        invocation.finish(failure)
        if self.retired and not self._open:
            self.kill()

    def init_failed(self, failure: Failure) -> None:
        """Note why the function could not be loaded; the process exits next."""
        self.init_failure = failure

    def _thaw(self) -> None:
        if self._options.freeze and self._child is not None:
            self._child.signal(signal.SIGCONT)

    def _timed_out(self, invocation: Invocation) -> None:
        message = f"Task timed out after {self._spec.timeout_s:.2f} seconds"
        source = invocation.source
        self.completed(invocation, Failure("Sandbox.Timedout", message))
        if self._options.around.concurrency == 1:
            self.kill()
        elif source is not None:
            source.abort()  # in many mode the runtime cancels the one task, the others go on
        else:
            loop = asyncio.get_running_loop()
            self._overdue[invocation.request_id] = loop.call_later(HUNG_GRACE_S, self.kill)

    async def _live(self) -> None:
        try:
            code = await self._run()
            failure = Failure("Runtime.ExitError", f"Runtime exited with {_how(code)}")
        except OSError as error:
            failure = Failure("Runtime.InvalidEntrypoint", str(error))
        self.ended = True
        if not self.ready and self.init_failure is None:
            self.init_failure = failure
        for timer in self._overdue.values():
            timer.cancel()
        for invocation in list(self._open.values()):
            self.completed(invocation, failure)
        if self._server is not None:
            self._server.close()
        for poll in self._polls:
            poll.transport.abort()
        self._owner.sandbox_ended(self)

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RuntimeConnection(self), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        environ = sandbox_environment(self._spec, self._options.around, f"127.0.0.1:{port}")
        command: list[str | Path] = [self._spec.wrapper, sys.executable]
        if not os.access(self._spec.wrapper, os.X_OK):  # a checkout may have lost the bit
            command = ["/bin/sh", *command]
        root, log = self._spec.task_root, self._options.log
        self._child = await start_child(command, environ, root, log)
        if self._stopping:  # since before there was a process to stop
            self.kill()
        watchdog = loop.call_later(INIT_TIMEOUT_S, self._init_timed_out)
        try:
            return await self._child.wait()
        finally:
            watchdog.cancel()

    def _init_timed_out(self) -> None:
        if not self.ready:
            message = f"Init timed out after {INIT_TIMEOUT_S:.0f} s"
            self.init_failure = Failure("Sandbox.Timedout", message)
            self.kill()


def _how(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"

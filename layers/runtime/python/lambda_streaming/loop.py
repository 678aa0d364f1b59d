"""Poll, run, answer, settle; again. One worker, or as many as may run at a time.

A worker's turn: wait for `/next` (without a limit), tell the app how long the sandbox was frozen,
run it until a little before its deadline, end the answer, run the hooks that the app left for the
time after it. Only then is the next invocation asked for: in between Lambda may freeze us.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING

from lambda_streaming.application import Turn
from lambda_streaming.context import LambdaContext
from lambda_streaming.errors import ErrorReport

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from lambda_streaming.application import Application, Call, Hook
    from lambda_streaming.client import RuntimeClient
    from lambda_streaming.clock import Clock
    from lambda_streaming.invocation import Invocation
    from lambda_streaming.settings import Settings

logger = logging.getLogger(__name__)

# Waits between attempts to poll, as AWS's own client has them; then the process gives up.
_POLL_BACKOFF_S = (0.1, 0.2, 0.4, 0.8)


class RuntimeLoop:
    """Serve invocations until `stop` is called or the Runtime API is gone.

    Args:
        application: the function, started already.
        clients: makes one client for each worker.
        environ: read for the context; `_X_AMZN_TRACE_ID` is set in it when one invocation runs at a
            time, for libraries that look there.
    """

    def __init__(
        self,
        application: Application,
        clients: Callable[[], RuntimeClient],
        settings: Settings,
        clock: Clock,
        environ: MutableMapping[str, str],
    ) -> None:
        self._application = application
        self._clients = clients
        self._settings = settings
        self._clock = clock
        self._environ = environ
        self._stopping = False
        self._polls: set[asyncio.Task[Invocation]] = set()
        self._running: set[Running] = set()

    async def serve(self) -> None:
        """Run the workers.

        Raises:
            ExceptionGroup: of the ConnectionError that made a worker give up polling.
        """
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._settings.concurrency):
                workers.create_task(self._work(self._clients()))

    def stop(self) -> None:
        """Poll no more; what runs gets `shutdown_grace_s`, then it is cancelled."""
        if not self._stopping:
            self._stopping = True
            for poll in self._polls:
                poll.cancel()
            loop = asyncio.get_running_loop()
            loop.call_later(self._settings.shutdown_grace_s, self._cancel_running)

    async def _work(self, client: RuntimeClient) -> None:
        try:
            while True:
                mark = self._clock.mark()
                invocation = await self._poll(client)
                if invocation is None:
                    return
                turn = Turn(invocation, client, self._clock.frozen_since(mark))
                await self._serve_one(turn)
        finally:
            client.close()

    async def _poll(self, client: RuntimeClient) -> Invocation | None:
        """The next invocation; None when `stop` was called."""
        if self._stopping:
            return None
        poll = asyncio.create_task(self._next(client))
        self._polls.add(poll)
        try:
            await asyncio.wait({poll})
        finally:
            self._polls.discard(poll)
            poll.cancel()  # no effect on one that is done; else the worker itself is cancelled
        return None if poll.cancelled() else poll.result()

    async def _next(self, client: RuntimeClient) -> Invocation:
        for delay_s in _POLL_BACKOFF_S:
            try:
                return await client.next()
            except OSError as error:
                logger.warning("polling failed, again in %s s: %s", delay_s, error)
                await self._clock.sleep(delay_s)
        return await client.next()

    async def _serve_one(self, turn: Turn) -> None:
        call = self._application.call(turn)
        context = contextvars.copy_context()
        task = asyncio.create_task(self._run(call, turn.invocation), context=context)
        running = Running(task, call, turn.invocation)
        self._running.add(running)
        try:
            report = await self._outcome(running)
            if report is not None:
                context.run(_log, report)
                await call.fail(report)
            await call.settled()
            for hook in call.hooks:
                left_s = turn.invocation.deadline - self._clock.wall()
                await asyncio.create_task(_flush(hook, left_s), context=context)
        finally:
            self._running.discard(running)

    async def _run(self, call: Call, invocation: Invocation) -> None:
        if self._settings.concurrency == 1:
            self._environ.pop("_X_AMZN_TRACE_ID", None)
            if invocation.trace_id is not None:
                self._environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
        context = LambdaContext(invocation, self._environ, self._clock.wall)
        context.enter()
        await call.run(context)

    async def _outcome(self, running: Running) -> ErrorReport | None:
        """Wait for the end of a call; what is to be reported, if it did not end well."""
        margin_s = self._settings.deadline_margin_s
        left_s = running.invocation.deadline - self._clock.wall() - margin_s
        await asyncio.wait({running.task}, timeout=max(0.0, left_s))
        if not running.task.done():
            running.cancel(
                "Runtime.DeadlineExceeded", f"cancelled {margin_s:g} s before the deadline"
            )
            await asyncio.wait({running.task}, timeout=margin_s)
        if not running.task.done():
            logger.error("the app goes on although it was cancelled; it is left to itself")
        return running.report()

    def _cancel_running(self) -> None:
        for running in self._running:
            running.cancel("Runtime.Shutdown", "the runtime is shutting down")


class Running:
    """One call and its task."""

    def __init__(self, task: asyncio.Task[None], call: Call, invocation: Invocation) -> None:
        self.task = task
        self.call = call
        self.invocation = invocation
        self._doom: ErrorReport | None = None

    def cancel(self, error_type: str, message: str) -> None:
        """Cancel the call; whatever it still does, it ends as this failure."""
        if self._doom is None and not self.task.done():
            self._doom = ErrorReport(error_type, message, request_id=self.invocation.request_id)
            self.call.doom(self._doom)
            self.task.cancel()

    def report(self) -> ErrorReport | None:
        """The failure to tell of, if there is one and somebody who can still be told."""
        if self._doom is not None:
            return self._doom
        if self.task.cancelled():
            error: BaseException | None = asyncio.CancelledError("the app cancelled itself")
        else:
            error = self.task.exception()
        if error is None or self.call.broken:
            return None
        return ErrorReport.of(error, self.invocation.request_id)


async def _flush(hook: Hook, left_s: float) -> None:
    """Run a hook; at the deadline it is cancelled, as Lambda would end the sandbox then."""
    try:
        async with asyncio.timeout(left_s):
            await hook()
    except Exception:
        logger.exception("a hook before the next invocation failed")


def _log(report: ErrorReport) -> None:
    logger.error("%s: %s\n%s", report.error_type, report.message, "".join(report.stack_trace))

"""Plain handlers, `handler(event, context)`: sync or async, answered with one JSON document."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lambda_streaming.application import Call, Hook, Turn
from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_streaming.context import LambdaContext
    from lambda_streaming.errors import ErrorReport


class PlainApplication:
    """A handler as the managed runtime knows it.

    One at a time it runs on the main thread, as there; with `concurrency` > 1 a sync handler gets a
    thread, so that it does not hold up the others.
    """

    def __init__(self, handler: Callable[[Any, LambdaContext], Any], concurrency: int) -> None:
        self.handler = handler
        self.threads = ThreadPoolExecutor(concurrency) if concurrency > 1 else None

    async def startup(self) -> None:
        """Do nothing: importing the module was all."""

    async def shutdown(self) -> None:
        """Let the threads go."""
        if self.threads is not None:
            self.threads.shutdown(wait=False)

    def call(self, turn: Turn) -> Call:
        """Prepare one call of the handler."""
        return PlainCall(self, turn)


class PlainCall:
    """One invocation of a plain handler."""

    broken = False  # its answer is one short POST; there is no stream that could break

    def __init__(self, application: PlainApplication, turn: Turn) -> None:
        self._application = application
        self._turn = turn
        self._answered = False

    @property
    def hooks(self) -> list[Hook]:
        """Nothing: a plain handler has nowhere to leave hooks."""
        return []

    async def run(self, context: LambdaContext) -> None:
        """Call the handler and post what it returned."""
        result = await self._handled(self._turn.invocation.event(), context)
        body = _to_json(result)
        self._answered = True
        await self._turn.client.respond(self._turn.invocation, body)

    async def fail(self, report: ErrorReport) -> None:
        """Report the failure, unless an answer was posted."""
        if not self._answered:
            await self._turn.client.fail(self._turn.invocation, report)

    def doom(self, report: ErrorReport) -> None:
        """Change nothing: a whole answer that comes just in time is as good as any."""

    async def settled(self) -> None:
        """Wait for nothing: the answer was acknowledged as it was posted."""

    async def _handled(self, event: Any, context: LambdaContext) -> Any:
        handler, threads = self._application.handler, self._application.threads
        if threads is None or inspect.iscoroutinefunction(handler):
            result = handler(event, context)
        else:
            run = contextvars.copy_context().run
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(threads, run, handler, event, context)
        return await result if inspect.isawaitable(result) else result


def _to_json(result: Any) -> bytes:
    try:
        return json.dumps(result).encode("ascii")
    except (TypeError, ValueError) as error:
        raise RuntimeFault(
            "Runtime.MarshalError", f"the handler's result is no JSON: {error}"
        ) from error

"""ASGI's lifespan: startup before the first request, shutdown after the last.

Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from lambda_streaming.asgi_types import AsgiApp, Message

logger = logging.getLogger(__name__)


class Lifespan:
    """The lifespan of one app.

    Attributes:
        state: what the app left there on startup; each request's scope gets a shallow copy.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Run the app's startup; an app that knows no lifespan is taken as it is.

        Raises:
            RuntimeFault: the app says that its startup failed.
        """
        self._task = asyncio.create_task(self._run())
        # An app without a lifespan raises; looking at that keeps asyncio from reporting it.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        message = await self._ask("lifespan.startup")
        if message.get("type") == "lifespan.startup.failed":
            raise RuntimeFault("Runtime.StartupFailed", str(message.get("message", "")))

    async def shutdown(self) -> None:
        """Run the app's shutdown; a failure is logged only, nothing depends on it any more."""
        message = await self._ask("lifespan.shutdown")
        if message.get("type") == "lifespan.shutdown.failed":
            logger.error("the app's shutdown failed: %s", message.get("message", ""))

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._inbox.get, self._outbox.put)

    async def _ask(self, question: str) -> Message:
        """Send a message; return the answer, or an empty one if the app ends without."""
        if self._task is None or self._task.done():
            return {}
        self._inbox.put_nowait({"type": question})
        answer = asyncio.ensure_future(self._outbox.get())
        await asyncio.wait({self._task, answer}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return {}

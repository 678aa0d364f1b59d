"""ASGI apps: one HTTP request a call, with the lifespan run once around all of them.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html (spec_version 2.4: `send` raises an
OSError once the reader is gone).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lambda_streaming.application import Call, Hook, Turn
from lambda_streaming.errors import ClientDisconnected, RuntimeFault
from lambda_streaming.keepalive import KeepAlive, wants_keepalive
from lambda_streaming.lifespan import Lifespan
from lambda_streaming.reply import BufferedReply, Reply, StreamedReply
from lambda_streaming.scope import http_body, http_scope

if TYPE_CHECKING:
    from lambda_streaming.asgi_types import AsgiApp, Message
    from lambda_streaming.context import LambdaContext
    from lambda_streaming.errors import ErrorReport
    from lambda_streaming.settings import Settings


class AsgiApplication:
    """An ASGI 3 app."""

    def __init__(self, app: AsgiApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.lifespan = Lifespan(app)

    async def startup(self) -> None:
        """Run the lifespan's startup."""
        await self.lifespan.startup()

    async def shutdown(self) -> None:
        """Run the lifespan's shutdown."""
        await self.lifespan.shutdown()

    def call(self, turn: Turn) -> Call:
        """Prepare one request to the app."""
        return AsgiCall(self, turn)


class AsgiCall:
    """One HTTP request to the app, and its answer."""

    def __init__(self, application: AsgiApplication, turn: Turn) -> None:
        self._application = application
        self._turn = turn
        self._hooks: list[Hook] = []
        self._reply: Reply = (
            StreamedReply(turn.client, turn.invocation, self._disconnect)
            if application.settings.response_mode == "streaming"
            else BufferedReply(turn.client, turn.invocation)
        )
        self._keepalive: KeepAlive | None = None
        self._task: asyncio.Task[Any] | None = None
        self._body: bytes | None = None  # the request's, until the app has received it
        self._head_only = False
        self._started = False
        self._ended = False
        self._broken = False
        self._over = asyncio.Event()
        self._receiving = 0
        self._sending = False

    @property
    def broken(self) -> bool:
        """Whether the response POST broke."""
        return self._broken

    @property
    def hooks(self) -> list[Hook]:
        """What the app registered with `before_next`."""
        return self._hooks

    async def run(self, context: LambdaContext) -> None:
        """Make the event a request, call the app, and see that its answer is whole."""
        self._task = asyncio.current_task()
        event = self._turn.invocation.event()
        scope = http_scope(event)
        self._body = http_body(event)
        self._head_only = scope["method"] == "HEAD"
        scope["state"] = self._application.lifespan.state.copy()
        scope["aws.event"] = event
        scope["aws.context"] = context
        scope["extensions"] = {
            "lambda": {
                "frozen_s": self._turn.frozen_s,
                "deadline": self._turn.invocation.deadline,
                "before_next": self._hooks.append,
            }
        }
        try:
            await self._application.app(scope, self._receive, self._send)
        finally:
            self._hush()
        if not (self._ended or self._broken):
            raise RuntimeFault("Runtime.IncompleteResponse", "the app ended before its answer did")

    async def fail(self, report: ErrorReport) -> None:
        """Tell of a failure: `/error` before the first byte, trailers after it."""
        self._hush()
        self._broken = True  # an app that ignores its cancellation may still be sending
        self._over.set()
        await self._reply.fail(report)

    def doom(self, report: ErrorReport) -> None:
        """Let the answer end as this failure, however the app ends it."""
        self._reply.doom(report)

    async def settled(self) -> None:
        """Wait until the Runtime API has taken note of the answer."""
        await self._reply.settled()

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        self._receiving += 1
        try:
            await self._over.wait()
        finally:
            self._receiving -= 1
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._broken:
            raise ClientDisconnected("the reader of this answer is gone")
        if kind == "http.response.body" and self._started and not self._ended:
            self._sending = True
            try:
                await self._send_body(
                    b"" if self._head_only else message.get("body", b""),
                    more=message.get("more_body", False),
                )
            finally:
                self._sending = False
        elif kind == "http.response.start" and not self._started:
            self._start(
                message["status"], [(bytes(n), bytes(v)) for n, v in message.get("headers", ())]
            )
        else:
            raise RuntimeError(f"ASGI message {kind!r} out of order")

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._reply.start(status, headers)
        self._started = True
        settings = self._application.settings
        streaming = settings.response_mode == "streaming"
        if streaming and settings.keepalive_s and wants_keepalive(headers):
            self._keepalive = KeepAlive(settings.keepalive_s, self._reply.write)

    async def _send_body(self, data: bytes, *, more: bool) -> None:
        if more:
            if self._keepalive is not None:
                self._keepalive.sent(data)
            await self._reply.write(data)
            return
        self._hush()
        self._ended = True
        await self._reply.end(data)
        self._over.set()

    def _hush(self) -> None:
        if self._keepalive is not None:
            self._keepalive.stop()

    def _disconnect(self) -> None:
        """The response POST broke: tell the app once, in the way that it is listening.

        In `receive` it gets `http.disconnect`; in `send` an OSError; elsewhere (waiting for a
        provider that says nothing) it is cancelled. Two signals could cut off the settlement that
        the first one began.
        """
        self._broken = True
        self._hush()
        self._over.set()
        if not self._receiving and not self._sending and self._task is not None:
            self._task.cancel()

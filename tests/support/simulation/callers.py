"""Callers: each asks when it likes, whether or not its last answer has come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from starlette.types import Message

from forebay.errors import ForebayError
from tests.support.simulation.answers import CHAT, MESSAGES, RESPONSES, AnswerCheck
from tests.support.simulation.instances import Instance, Processes, a_process
from tests.support.simulation.journal import Journal, Request

DIALECTS = {CHAT: 0.6, MESSAGES: 0.2, RESPONSES: 0.2}
"""What share of the requests is of which dialect."""

STREAMS = 0.8
"""What share wants a stream."""

SAID = [{"role": "user", "content": "What does a forebay do?"}]
BODIES: Mapping[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": SAID},
    MESSAGES: {"model": "m", "messages": SAID, "max_tokens": 500},
    RESPONSES: {"model": "m", "input": "What does a forebay do?"},
}


@dataclass
class Caller:
    """One application with a key of its own.

    Args:
        secret: Its key.
        processes: It talks to.
        journal: Is told of everything.
        dice: Seeded; its own, so that what it asks does not depend on the answers.
    """

    secret: str
    processes: Processes
    journal: Journal
    dice: Random
    _asking: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, *, per_s: float, until_s: float) -> None:
        """Ask at random times, so often a second, until that time; wait for all answers."""
        loop = asyncio.get_running_loop()
        while True:
            pause_s = self.dice.expovariate(per_s)
            if self.journal.now + pause_s >= until_s:
                break
            await asyncio.sleep(pause_s)
            task = loop.create_task(self._ask())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        await asyncio.gather(*self._asking)

    async def _ask(self) -> None:
        (path,) = self.dice.choices(list(DIALECTS), list(DIALECTS.values()))
        stream = self.dice.random() < STREAMS
        request = self.journal.begins(path, stream=stream)
        check = AnswerCheck(request, self.journal)
        with a_process(self.processes) as instance:
            await self._talk(instance, request, check)
        request.ended_at = self.journal.now
        if not request.lost:
            check.close()

    async def _talk(self, instance: Instance, request: Request, check: AnswerCheck) -> None:
        """Send the request, and read until the application has done all it does for it."""
        working = asyncio.ensure_future(self._serve(instance, request, check))
        instance.busy.add(working)
        crash = asyncio.ensure_future(instance.crashed.wait())
        await asyncio.wait({working, crash}, return_when=asyncio.FIRST_COMPLETED)
        request.lost = instance.crashed.is_set()
        crash.cancel()
        instance.busy.discard(working)
        await asyncio.wait({working})
        if not request.lost:
            working.result()

    async def _serve(self, instance: Instance, request: Request, check: AnswerCheck) -> None:
        body = bytes_of({**BODIES[request.path], "stream": request.stream})
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return unread.pop() if unread else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if instance.crashed.is_set():
                raise ConnectionResetError("its process is dead")
            if message["type"] == "http.response.start":
                request.status = message["status"]
                request.request_id = dict(message["headers"])[b"x-request-id"].decode()
                return
            check.part(message.get("body", b""))
            check.ended = not message.get("more_body", False)

        with suppress(ForebayError):  # an answer that broke off: the runtime marks it so
            await instance.app(scope_of(request.path, self.secret), receive, send)


def bytes_of(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()


def scope_of(path: str, secret: str) -> dict[str, Any]:
    """An ASGI scope of a POST."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {secret}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }

"""A Runtime API in this process, which notes when each chunk of an answer arrives."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from lambda_streaming.client import RuntimeClient
from lambda_streaming.clock import Clock
from lambda_streaming.connection import connector
from lambda_streaming.handler import application_of
from lambda_streaming.loop import RuntimeLoop
from lambda_streaming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

PREFIX = "/2018-06-01/runtime"


@dataclass
class Answer:
    """What came back for one invocation."""

    request_id: str
    status: int = 202  # what the fake replies
    cut_after_chunks: int | None = None  # the fake closes the connection then
    kind: str = ""  # "response" or "error"
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def streamed(self) -> bytes:
        """The body behind the prelude."""
        return self.body.partition(bytes(8))[2]

    @property
    def prelude(self) -> Any:
        return json.loads(self.body.partition(bytes(8))[0])

    async def until(self, condition: Callable[[Answer], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: condition(self))

    async def until_whole(self) -> Self:
        await self.until(lambda answer: answer.whole)
        return self

    async def note(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class FakeRuntimeApi:
    """Hands out the events given to `invoke`, in their order, to whoever polls."""

    def __init__(self) -> None:
        self.address = ""
        self.connections = 0
        self.polls = 0
        self.polling = asyncio.Condition()
        self.drop_polls = 0  # so many polls are answered by closing the connection
        self.reports: dict[str, Any] = {}  # what came to /init/error and /restore/error
        self.restored = asyncio.Event()
        self._ids = itertools.count(1)
        self._events: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self._answers: dict[str, Answer] = {}
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Close every connection, as a host that dies does."""
        for writer, task in self._open.items():
            writer.transport.abort()
            task.cancel()  # else it would go on to wait for an event, and take it with it

    def invoke(
        self, event: Any, *, deadline_in_s: float = 60, headers: dict[str, str] | None = None
    ) -> Answer:
        request_id = f"request-{next(self._ids)}"
        deadline = time.time() + deadline_in_s  # noqa: TID251 - Lambda's clock is the real one
        known = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Invocation-Id": f"invocation of {request_id}",
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Trace-Id": f"Root=1-{request_id}",
        }
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer = self._answers[request_id] = Answer(request_id)
        self._events.put_nowait((known | (headers or {}), body))
        return answer

    async def until_polled(self, times: int) -> None:
        async with self.polling:
            await self.polling.wait_for(lambda: self.polls >= times)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
                await self._answer(method, target, headers, reader, writer)
                if headers.get("connection") == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _answer(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        match method, target.removeprefix(PREFIX).split("/"):
            case "GET", ["", "invocation", "next"]:
                await self._next(writer)
            case "GET", ["", "restore", "next"]:
                await self.restored.wait()
                await _reply(writer, 200, {}, b"")
            case "POST", ["", phase, "error"]:
                body = await reader.readexactly(int(headers["content-length"]))
                self.reports[phase] = json.loads(body)
                await _reply(writer, 202, {}, b"{}")
            case "POST", ["", "invocation", request_id, kind]:
                await self._take(self._answers[request_id], kind, headers, reader)
                await _reply(writer, self._answers[request_id].status, {}, b'{"status":"OK"}')
            case other:
                raise AssertionError(other)

    async def _next(self, writer: asyncio.StreamWriter) -> None:
        self.polls += 1
        async with self.polling:
            self.polling.notify_all()
        if self.drop_polls:
            self.drop_polls -= 1
            writer.transport.abort()
            return
        headers, body = await self._events.get()
        await _reply(writer, 200, headers, body)

    async def _take(
        self, answer: Answer, kind: str, headers: dict[str, str], reader: asyncio.StreamReader
    ) -> None:
        answer.kind, answer.headers = kind, headers
        if "content-length" in headers:
            answer.chunks = [await reader.readexactly(int(headers["content-length"]))]
        else:
            await self._take_chunks(answer, reader)
        answer.whole = True
        await answer.note()

    async def _take_chunks(self, answer: Answer, reader: asyncio.StreamReader) -> None:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            answer.chunks.append((await reader.readexactly(size + 2))[:-2])
            await answer.note()
            if len(answer.chunks) == answer.cut_after_chunks:
                raise ConnectionResetError
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").strip().partition(": ")
            answer.trailers[name] = value


async def _reply(
    writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes
) -> None:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


@dataclass
class Running:
    """A runtime loop on a fake Runtime API."""

    api: FakeRuntimeApi
    loop: RuntimeLoop
    environ: dict[str, str]


@asynccontextmanager
async def running(
    target: Any, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Serve an app or handler from a fake Runtime API until the block ends."""
    async with asyncio.timeout(30), FakeRuntimeApi() as api:
        chosen = Settings(api.address, "app.app", **{"response_mode": "streaming"} | settings)
        application = application_of(target, chosen)
        await application.startup()
        environ = {"AWS_LAMBDA_FUNCTION_NAME": "gateway"}

        def client() -> RuntimeClient:
            return RuntimeClient(connector(api.address), api.address)

        loop = RuntimeLoop(application, client, chosen, clock or Clock(), environ)
        served = asyncio.create_task(loop.serve())
        try:
            yield Running(api, loop, environ)
        finally:
            loop.stop()
            await served
            await application.shutdown()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run an async test."""
    asyncio.run(main)


def rest_event(method: str = "GET", proxy: str = "chat/completions", **fields: Any) -> Any:
    """An event as a REST API's `/{proxy+}` sends it."""
    return {
        "resource": "/{proxy+}",
        "path": f"/{proxy}",
        "httpMethod": method,
        "multiValueHeaders": {"Host": ["api.example.com"]},
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": proxy},
        "requestContext": {"stage": "v1", "protocol": "HTTP/1.1"},
        "body": None,
        "isBase64Encoded": False,
    } | fields


async def answer_with(send: Any, data: bytes) -> None:
    """Answer an ASGI request at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": data})

"""A front and the pools behind it, on the fake runtime: all of the stack but ministack."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forebay_cli.local.front import Front
from forebay_cli.local.functions import FunctionSpec, Surroundings
from forebay_cli.local.pool import FunctionPool, PoolOptions
from forebay_cli.local.resolve import Scope
from forebay_cli.local.routes import load_api
from forebay_cli.local.sandbox import SandboxOptions
from forebay_cli.local.sigv4_check import Verifier
from forebay_cli.local.stack import wall_clock
from forebay_cli.local.template import translate

HERE = Path(__file__).parent
PROJECT = HERE / "project"


@dataclass
class Settings:
    """What a test may want otherwise."""

    sandboxes: int | None = None
    timeout_s: float = 20.0
    environ: Mapping[str, str] = field(default_factory=dict)
    prewarm: bool = True


@dataclass
class Served:
    """A front that serves; `lines` is all that was logged."""

    port: int
    front: Front
    pools: dict[str, FunctionPool]
    lines: list[str]

    async def ask(self, path: str, method: str = "GET", **more: Any) -> "Answer":
        """Send one request on a connection of its own and read the answer to its end."""
        raw = await self.exchange(request_bytes(path, method, **more))
        return Answer.parse(raw, bodiless=method == "HEAD")

    async def exchange(self, data: bytes) -> bytes:
        """Send bytes, return all that comes back until the front closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.close()


def request_bytes(
    path: str, method: str = "GET", *, headers: str = "", body: bytes = b"", close: bool = True
) -> bytes:
    """A request as a client sends it; the stage is added."""
    head = f"{method} /v1{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}"
    return (head + ("Connection: close\r\n" if close else "") + "\r\n").encode() + body


@dataclass
class Answer:
    """An HTTP answer. `whole` is False if it ended before its framing says."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    @classmethod
    def parse(cls, raw: bytes, *, bodiless: bool = False) -> "Answer":
        """Read one answer that ends with its connection."""
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in fields)}
        body, whole = rest, True
        if headers.get("transfer-encoding") == "chunked" and not bodiless:
            body, whole = _unchunk(rest)
        elif "content-length" in headers and not bodiless:
            whole = len(rest) == int(headers["content-length"])
        return cls(int(first.split(" ")[1]), headers, body, whole)


def _unchunk(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        if int(size, 16) == 0:
            return body, data == b"\r\n"
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body, False


@contextlib.asynccontextmanager
async def served(settings: Settings, folder: Path) -> AsyncIterator[Served]:
    """Serve the test project's API, its two functions on the fake runtime; end all processes."""
    scope = Scope(translate((PROJECT / "template.yaml").read_text(), {"Stage": "local"}),
                  {"Stage": "local"}, {("Tables", "Outputs.ItemsTable"): "items"})  # fmt: skip
    api = load_api(scope)
    wrapper = folder / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec "$1" {HERE / "fake_runtime.py"}\n')
    wrapper.chmod(0o755)
    many = settings.sandboxes is None
    lines: list[str] = []
    pools: dict[str, FunctionPool] = {}
    for name in ("TinyFunction", "PlainFunction"):
        environ = {"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper), **settings.environ}
        spec = FunctionSpec(name, "app.app", folder, (), environ, settings.timeout_s, 128)
        around = Surroundings({"PATH": "/usr/bin:/bin"}, {}, 64 if many else 1)
        options = SandboxOptions(around, freeze=not many, wall_clock=wall_clock, log=lines.append)
        limit = PoolOptions(settings.sandboxes or 1, prewarm=settings.prewarm)
        pools[name] = FunctionPool(spec, limit, options)
    front = Front(api, pools, Verifier("test", "test", "us-east-1"), wall_clock, lines.append)
    server = await asyncio.get_running_loop().create_server(front.connect, "127.0.0.1", 0)
    try:
        yield Served(server.sockets[0].getsockname()[1], front, pools, lines)
    finally:
        server.close()
        front.close()
        await asyncio.gather(*(pool.stop() for pool in pools.values()))


def run_served(
    test: Callable[[Served], Awaitable[None]], folder: Path, settings: Settings | None = None
) -> None:
    """Run a test's coroutine against a front of its own."""

    async def main() -> None:
        async with served(settings or Settings(), folder) as stack, asyncio.timeout(60):
            await test(stack)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or process brings about."""
    while not condition():  # noqa: ASYNC110 - it lies in another process, or inside the stack
        await asyncio.sleep(0.005)

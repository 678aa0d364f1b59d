"""CPU of an HTTP client that reads a stream of 500 chunks, each as it comes (decision 0005).

Run: `python -m benchmarks.http_clients`. Clients that are not installed are left out (`pip install
aiohttp` brings one more in). "Asleep" is the event loop alone, woken as often.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.stack import started
from forebay.adapters.http.pool import ConnectionPool, Origin
from forebay.adapters.system import SystemClock

CHUNKS = 500
GAP_MS = 4
BODY = json.dumps(
    {"model": "bench", "stream": True, "bench": {"tokens": CHUNKS, "gap_ms": GAP_MS}}
).encode()
Client = Callable[[str], Awaitable[None]]


async def asleep(_url: str) -> None:
    """The floor: 500 wake-ups by timer."""
    for _ in range(CHUNKS):
        await asyncio.sleep(GAP_MS / 1000)


async def forebay(url: str) -> None:
    """Ours."""
    pool = ConnectionPool(SystemClock())
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n"
    reply = await pool.send(Origin.of(url), head.encode() + BODY, connect_s=5, head_s=5)
    while await reply.read(timeout_s=5):
        pass
    await reply.release()
    pool.close()


async def httpx2(url: str) -> None:
    """The maintained successor of httpx."""
    import httpx2  # noqa: PLC0415 - only where it is measured

    async with (
        httpx2.AsyncClient() as client,
        client.stream("POST", f"{url}/chat/completions", content=BODY) as reply,
    ):
        async for _ in reply.aiter_raw():
            pass


async def aiohttp(url: str) -> None:
    """With its parser in C."""
    import aiohttp  # type: ignore[import-not-found]  # noqa: PLC0415

    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/chat/completions", data=BODY) as reply,
    ):
        async for _ in reply.content.iter_any():
            pass


CLIENTS: tuple[Client, ...] = (asleep, forebay, httpx2, aiohttp)


async def cpu_ms(client: Client, url: str) -> float:
    """CPU of this process for one stream; the second of two, when all is imported."""
    await client(url)
    before = time.process_time()
    await client(url)
    return (time.process_time() - before) * 1000


def import_ms(module: str) -> float:
    """What an import adds to a fresh interpreter that has asyncio; the best of five."""

    def best(code: str) -> float:
        spent = []
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            spent.append(time.perf_counter() - begun)
        return min(spent) * 1000

    return best(f"import asyncio, {module}") - best("import asyncio")


MODULES = {"forebay": "forebay.adapters.http.pool", "httpx2": "httpx2", "aiohttp": "aiohttp"}


def main() -> None:
    """Print the table."""
    with started("-m", "benchmarks.upstream", "0") as (_, port):
        url = f"http://127.0.0.1:{port}/v1"
        for client in CLIENTS:
            name = client.__name__
            module = MODULES.get(name)
            if module and not importlib.util.find_spec(module.partition(".")[0]):
                continue
            spent = asyncio.run(cpu_ms(client, url))
            imported = f"   import {import_ms(module):4.0f} ms" if module else ""
            print(f"{name:10} {spent:6.1f} ms CPU for {CHUNKS} chunks{imported}")


if __name__ == "__main__":
    main()

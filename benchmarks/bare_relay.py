"""The least that any gateway does: bytes in, bytes out, nothing read. The floor of CPU figures.

Run: `python -m benchmarks.bare_relay UPSTREAM_PORT`. A wake-up for a chunk costs more than all that
is done with it, on a virtual machine a multiple; this says how much of a figure is that.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from typing_extensions import override


class Pipe(asyncio.Protocol):
    """Writes what it receives to the other side."""

    def __init__(self) -> None:
        self.own: asyncio.Transport | None = None
        self.other: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.own = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


class Front(Pipe):
    """The caller's side: connects to the upstream first."""

    def __init__(self, upstream_port: int) -> None:
        super().__init__()
        self._upstream_port = upstream_port
        self._connecting: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast("asyncio.Transport", transport).pause_reading()
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, back = await loop.create_connection(Pipe, "127.0.0.1", self._upstream_port)
        self.other, back.other = back.own, self.own
        if self.own is not None:
            self.own.resume_reading()


async def main(upstream_port: int) -> None:
    """Relay until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Front(upstream_port), "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

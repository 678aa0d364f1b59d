"""A peer that does as it is told, over real sockets: one action for each request it gets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

Action = Callable[[asyncio.StreamWriter], None]


def reply(status: int, body: bytes, *headers: str) -> bytes:
    """Return a whole HTTP reply."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(data: bytes) -> Action:
    """Answer with these bytes and keep the connection."""
    return lambda writer: writer.write(data)


def says_and_closes(data: bytes) -> Action:
    """Answer with these bytes and close the connection."""

    def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return act


def resets(writer: asyncio.StreamWriter) -> None:
    """Reset the connection (RST instead of FIN)."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closes(writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""
    writer.close()


def hangs(writer: asyncio.StreamWriter) -> None:
    """Say nothing."""


OK = says(reply(200, b"{}"))


class Peer:
    """Serve the actions in turn, over as many connections as it takes.

    Args:
        actions: One a request, in the order of their arrival; then `hangs`.
    """

    def __init__(self, actions: Sequence[Action]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self.arrived = asyncio.Semaphore(0)
        """Released once for each request."""
        self.left = asyncio.Semaphore(0)
        """Released once for each connection that ended."""
        self._actions = list(actions)
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        self.most_open_connections = max(self.most_open_connections, self.open_connections)
        self._writers.append(writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._serve_one(reader, writer)
        finally:
            self.open_connections -= 1
            self.left.release()
            writer.transport.abort()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = (
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        length = next(lengths, 0)
        self.requests.append(head + await reader.readexactly(length))
        self.arrived.release()
        action = self._actions.pop(0) if self._actions else hangs
        action(writer)

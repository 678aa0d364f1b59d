"""ministack, the embedded AWS, as a child on a free port; its state lives in the state folder."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from forebay_cli.local.children import Child, start_child
from forebay_cli.local.functions import INHERITED
from forebay_cli.local.resolve import ACCOUNT, REGION

START_TIMEOUT_S: Final = 60.0
STOP_GRACE_S: Final = 15.0  # it writes its state then
POLL_S: Final = 0.02
ATTEMPTS: Final = 5  # a free port can be taken before ministack binds it

CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


class MinistackError(Exception):
    """It did not start; the message ends with what it said last."""


class Ministack:
    """A running ministack. Use `start_ministack`."""

    def __init__(self, child: Child, url: str) -> None:
        self._child = child
        self.url = url
        self.pid = child.pid

    async def wait(self) -> int:
        """Wait until it ends by itself, which it should not; return its exit code."""
        return await self._child.wait()

    async def stop(self) -> None:
        """Let it write its state, and end."""
        await self._child.stop(STOP_GRACE_S)


async def start_ministack(state: Path, log: Callable[[str], None]) -> Ministack:
    """Start it on the state below `state/aws`, and wait until it serves.

    Raises:
        MinistackError: it did not.
    """
    said: list[str] = []

    def keep(line: str) -> None:
        said.append(line)
        del said[:-20]
        if "cryptography package not installed" not in line:  # for KMS, which we do not use
            log(line)

    for _ in range(ATTEMPTS):
        port = _free_port()
        token = secrets.token_hex(8)
        command = [sys.executable, "-m", "ministack"]
        # SIGTERM, not SIGKILL, when we die: only then does it keep its state.
        environ = _environment(state, port, token)
        child = await start_child(command, environ, state, keep, signal.SIGTERM)
        try:
            if await _healthy(child, port, token):
                return Ministack(child, f"http://127.0.0.1:{port}")
        except BaseException:
            await child.stop(STOP_GRACE_S)
            raise
        await child.stop(STOP_GRACE_S)
    raise MinistackError("ministack did not start:\n" + "\n".join(said))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(state: Path, port: int, token: str) -> dict[str, str]:
    folder = state / "aws"
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        **CREDENTIALS,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        # The health answer repeats this word: a stranger on our port is not taken for ours.
        "MINISTACK_EDITION": token,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(temporary),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",  # listeners that nobody asked for
        "SFTP_ENABLED": "0",
    }


async def _healthy(child: Child, port: int, token: str) -> bool:
    deadline_s = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while child.running and asyncio.get_running_loop().time() < deadline_s:
        if await _edition(port) == token:
            return True
        await asyncio.sleep(POLL_S)
    return False


async def _edition(port: int) -> Any:
    """Ask for its health; return the word in the answer, None if nobody answers."""
    with contextlib.suppress(OSError, ValueError, IndexError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(
                    b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n"
                    b"Connection: close\r\n\r\n"
                )
                answer = await reader.read()
                return json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])["edition"]
            finally:
                writer.close()
    return None

"""Child processes that cannot outlive this one, with their output turned into log lines.

Each child leads a session of its own: Ctrl-C reaches `forebay dev` alone, which then ends them in
order. Where the kernel can (Linux), it signals them when this process dies without a word.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
MAX_LINE_BYTES: Final = 256 * 1024  # Lambda's own cut for a log line
READ_BYTES: Final = 64 * 1024

LogLine = Callable[[str], None]


class Child:
    """A running child. Use `start_child`."""

    def __init__(
        self, process: asyncio.subprocess.Process, outputs: list[asyncio.Task[None]]
    ) -> None:
        self._process = process
        self._outputs = outputs
        self.pid = process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; a child that has just ended takes none."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """Return its exit code (negative: the signal that ended it), once its output is read."""
        code = await self._process.wait()
        self._kill_group()  # what it started goes with it, and holds the pipes no longer
        await asyncio.wait(self._outputs)
        return code

    async def stop(self, grace_s: float) -> None:
        """Ask it to end (SIGTERM); after `grace_s` make it end."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a stopped process takes no other signal
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), grace_s)
        except TimeoutError:
            self._kill_group()
        await self.wait()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


async def start_child(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    cwd: Path,
    log: LogLine,
    death_signal: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start a child whose output goes to `log`, line by line.

    The kernel sends it `death_signal` when this process dies (Linux).

    Raises:
        OSError: the program is missing or cannot be run.
    """
    parent = os.getpid()
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        # Runs between fork and exec: only system calls, libc was loaded before.
        preexec_fn=None if _LIBC is None else lambda: _die_with(parent, death_signal),
    )
    outputs = [
        asyncio.create_task(_relay_lines(stream, log))
        for stream in (process.stdout, process.stderr)
        if stream is not None
    ]
    return Child(process, outputs)


_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with(parent: int, death_signal: signal.Signals) -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, death_signal.value)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


async def _relay_lines(stream: asyncio.StreamReader, log: LogLine) -> None:
    """Log whole lines; one without an end is cut at `MAX_LINE_BYTES`."""
    rest = b""
    while data := await stream.read(READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            log(line.decode("utf-8", "replace").rstrip("\r"))
    if rest:
        log(rest.decode("utf-8", "replace"))

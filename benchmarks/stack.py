"""The things that are measured, as processes: the upstream, and `forebay dev` in front of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

KEY = "bench-key"
FUNCTION_NAME = b"AWS_LAMBDA_FUNCTION_NAME="
CONFIG = """
[providers.bench]
kind = "vllm"
base_url = "{url}"

[models.bench]
targets = [{{ provider = "bench", model = "bench" }}]
price = "free"
"""


@dataclass(frozen=True)
class Stack:
    """Where to send requests."""

    direct_url: str
    relay_url: str
    """Through `benchmarks.bare_relay`."""
    relay_pid: int
    gateway_url: str
    pid: int
    """Of `forebay dev`."""


@contextmanager
def running_stack(*options: str) -> Iterator[Stack]:
    """Start all; end all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="forebay-bench-")))
        _, port = stack.enter_context(started("-m", "benchmarks.upstream", "0"))
        relay, relay_port = stack.enter_context(started("-m", "benchmarks.bare_relay", port))
        config = folder / "gateway.toml"
        config.write_text(CONFIG.format(url=_url(port)))
        command = ["-m", "forebay_cli", "dev", "--port", "0", "--no-model"]
        command += ["--state", str(folder / "state"), "--config", str(config), *options]
        process, url = stack.enter_context(started(*command, FOREBAY_DEV_KEY=KEY))
        yield Stack(_url(port), _url(relay_port), relay.pid, url, process.pid)


def _url(port: str) -> str:
    return f"http://127.0.0.1:{port}/v1"


@contextmanager
def started(*words: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start Python with these words and wait for its line `ready WHERE`; end it."""
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, env={**os.environ, **environ}
    ) as process:
        try:
            for line in process.stdout or ():
                if line.startswith("ready "):
                    # A full pipe would stop the process.
                    threading.Thread(target=_drain, args=(process,), daemon=True).start()
                    yield process, line.split()[1]
                    return
            raise RuntimeError(f"{words} ended without being ready")
        finally:
            process.terminate()


def _drain(process: subprocess.Popen[str]) -> None:
    with suppress(ValueError):  # closed at the end
        for _ in process.stdout or ():
            pass


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    pending = [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def gateway_pid(stack: Stack) -> int:
    """The gateway function's process."""
    for pid in descendants(stack.pid):
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        name = next(
            (each for each in environ if each.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")), b""
        )
        if b"Gateway" in name:
            return pid
    raise RuntimeError("there is no gateway process")

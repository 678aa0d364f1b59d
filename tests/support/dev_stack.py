"""`forebay dev` as a child process, as a person would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOREBAY = str(Path(sys.executable).with_name("forebay"))


@dataclass(frozen=True)
class DevStack:
    """A local stack that serves."""

    base_url: str
    """`http://127.0.0.1:PORT/v1`."""
    key: str
    aws_url: str
    """Of the embedded AWS."""
    log: Path
    """All lines that it printed, each a JSON object."""

    @property
    def url(self) -> str:
        return self.base_url.removesuffix("/v1")

    def forebay(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command against this stack."""
        command = [FOREBAY, "--url", self.url, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def dev_stack(
    folder: Path, *options: str, config: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[DevStack]:
    """Start a stack with its state in `folder`, wait until it serves, and end it.

    Args:
        folder: Empty, the test's own.
        options: For `forebay dev`.
        config: Text of gateway.toml.
        environ: Variables beside the inherited ones.
    """
    (folder / "gateway.toml").write_text(config)
    log = folder / "dev.log"
    command = [FOREBAY, "dev", "--json", "--port", "0", "--state", str(folder / "state")]
    command += ["--config", str(folder / "gateway.toml"), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(environ or {})}
        )
        try:
            ready = _ready(process, log)
            yield DevStack(ready["url"], ready["key"], ready["aws_url"], log)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _ready(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    """Read the log until it says where the stack serves, and with which key."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        while process.poll() is None:
            if '"ready ' in (line := lines.readline()):
                ready: dict[str, str] = json.loads(line)
                return ready
    raise AssertionError(f"forebay dev ended early:\n{log.read_text()}")

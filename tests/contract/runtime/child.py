"""The runtime as a child process, started by the layer's own exec wrapper."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.runtime.fake_runtime_api import FakeRuntimeApi

WRAPPER = Path(__file__).parents[3] / "layers" / "runtime" / "streaming-runtime"


@asynccontextmanager
async def child(
    api: FakeRuntimeApi, task_root: Path, source: str, **environ: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `source` as the function `app.app`; killed at the end if it is still there."""
    (task_root / "app.py").write_text(source)
    process = await asyncio.create_subprocess_exec(
        WRAPPER,
        sys.executable,
        "/var/runtime/bootstrap.py",
        env={
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "_HANDLER": "app.app",
            "LAMBDA_TASK_ROOT": str(task_root),
            "FOREBAY_RESPONSE_MODE": "streaming",
        }
        | environ,
        cwd=task_root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

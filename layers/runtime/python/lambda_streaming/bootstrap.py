"""From an environment to a running loop, and out again: what `/opt/streaming-runtime` starts."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from lambda_streaming import logs, snapstart
from lambda_streaming.client import RuntimeClient
from lambda_streaming.clock import Clock
from lambda_streaming.connection import connector
from lambda_streaming.errors import ErrorReport
from lambda_streaming.handler import application_of, load
from lambda_streaming.loop import RuntimeLoop
from lambda_streaming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from lambda_streaming.application import Application

logger = logging.getLogger(__name__)

# Exit codes as the managed runtime has them; the Runtime API learns the reason by its own calls.
OK, FAILED, SNAPSHOT_FAILED, RESTORE_FAILED = 0, 1, 64, 65


def main(environ: MutableMapping[str, str]) -> int:
    """Serve the function that `environ` describes until SIGTERM; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A line that waits in a buffer would be frozen with it; one write a line is the cheapest.
        sys.stdout.reconfigure(line_buffering=True)
    logs.set_up(logging.getLogger(), environ, sys.stderr)
    return asyncio.run(_main(environ))


def extend_path(path: list[str], task_root: str) -> None:
    """Bring `sys.path` into the managed runtime's order: the function, the layers, the rest.

    `/var/runtime` (AWS's copy of boto3) comes last of all, so that a layer's copy wins.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    first = [task_root, f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    rest = [entry for entry in path if entry not in {*first, "", "/var/runtime"}]
    path[:] = [*first, *rest, "/var/runtime"]


async def _main(environ: MutableMapping[str, str]) -> int:
    address = environ.get("AWS_LAMBDA_RUNTIME_API", "")
    client = RuntimeClient(connector(address), address)
    try:
        settings = Settings.from_env(environ)
        extend_path(sys.path, settings.task_root)
        application = application_of(load(settings.handler), settings)
        await application.startup()
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is an init error
        return await _give_up(client, "init", ErrorReport.of(error), FAILED)
    if settings.snap_start:
        code = await _snapshot(client)
        if code != OK:
            return code
    clients = partial(RuntimeClient, connector(address), address)
    return await _serve(application, RuntimeLoop(application, clients, settings, Clock(), environ))


async def _serve(application: Application, runtime: RuntimeLoop) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stop)
    code = OK
    try:
        await runtime.serve()
    except* OSError as group:
        logger.critical("the Runtime API is gone: %s", group.exceptions[0])
        code = FAILED
    finally:
        await application.shutdown()
    return code


async def _snapshot(client: RuntimeClient) -> int:
    """Let Lambda take its snapshot; returns (in the restored sandbox) an exit code."""
    try:
        await snapstart.run_before_snapshot()
        await client.restore_next()
    except Exception as error:  # noqa: BLE001 - the user's hooks may raise anything
        report = _renamed(error, "Runtime.BeforeSnapshotError")
        return await _give_up(client, "init", report, SNAPSHOT_FAILED)
    try:
        await snapstart.run_after_restore()
    except Exception as error:  # noqa: BLE001 - as above
        report = _renamed(error, "Runtime.AfterRestoreError")
        return await _give_up(client, "restore", report, RESTORE_FAILED)
    return OK


def _renamed(error: Exception, error_type: str) -> ErrorReport:
    report = ErrorReport.of(error)
    message = f"{report.error_type}: {report.message}"
    return ErrorReport(error_type, message, report.stack_trace)


async def _give_up(client: RuntimeClient, phase: str, report: ErrorReport, code: int) -> int:
    trace = "".join(report.stack_trace)
    logger.critical("%s failed: %s: %s\n%s", phase, report.error_type, report.message, trace)
    await client.fail_phase(phase, report)
    client.close()
    return code

"""The whole runtime as a process: wrapper, init, frameworks, SnapStart, SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.runtime.child import child
from tests.contract.runtime.fake_runtime_api import FakeRuntimeApi, rest_event, run

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 30

STARLETTE = """
import asyncio, contextlib, pathlib, sys
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"greeting": "hello"}
    print("shut down", file=sys.stderr)

async def stream(request):
    async def parts():
        yield f"data: {request.state.greeting} {request.query_params['name']}\\n\\n"
        async for piece in request.stream():
            yield piece
        if fifo := request.headers.get("x-wait"):
            yield await asyncio.to_thread(pathlib.Path(fifo).read_text)
    return StreamingResponse(parts(), media_type="text/event-stream")

app = Starlette(routes=[Route("/v1/models/{model:path}", stream, methods=["POST"])],
                lifespan=lifespan)
"""


def stream_event(**fields: Any) -> Any:
    return rest_event(
        "POST",
        "models/meta%2Fllama",
        body="data: body\n\n",
        multiValueQueryStringParameters={"name": ["gr\u00fcn & blau"]},
        **fields,
    )


def test_a_starlette_app_streams_and_ends_well_on_sigterm(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(TIMEOUT_S),
            FakeRuntimeApi() as api,
            child(api, tmp_path, STARLETTE) as process,
        ):
            answer = await api.invoke(stream_event()).until_whole()
            assert answer.prelude["statusCode"] == 200
            expected = "data: hello gr\u00fcn & blau\n\ndata: body\n\n"
            assert answer.streamed.decode() == expected
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            assert (process.returncode, errors) == (0, b"shut down\n")

    run(main())


def test_sigterm_lets_a_running_stream_end(tmp_path: Path) -> None:
    async def main() -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        async with (
            asyncio.timeout(TIMEOUT_S),
            FakeRuntimeApi() as api,
            child(api, tmp_path, STARLETTE) as process,
        ):
            waiting = stream_event(multiValueHeaders={"X-Wait": [str(fifo)]})
            answer = api.invoke(waiting)
            await answer.until(lambda a: len(a.chunks) == 2)
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(fifo.write_text, "data: waited\n\n")
            assert await process.wait() == 0
            assert answer.streamed.endswith(b"data: waited\n\n")
            assert (answer.whole, answer.trailers) == (True, {})

    run(main())


FAULTS = {
    "Runtime.ImportModuleError": "import no_such_package",
    "Runtime.UserCodeSyntaxError": "def app(:",
    "Runtime.HandlerNotFound": "other = 1",
    "ZeroDivisionError": "1 / 0",
    "Runtime.InvalidSettings": "def app(event, context): pass",
    "Runtime.StartupFailed": (
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no table'})\n"
    ),
}


@pytest.mark.parametrize(("error_type", "source"), FAULTS.items(), ids=FAULTS)
def test_a_fault_at_init_is_reported_with_its_type(
    tmp_path: Path, error_type: str, source: str
) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(TIMEOUT_S),
            FakeRuntimeApi() as api,
            child(api, tmp_path, source) as process,
        ):
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert api.reports["init"]["errorType"] == error_type
            assert error_type.encode() in errors

    run(main())


def test_an_import_error_deep_in_the_function_shows_where(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "deep.py").write_text("import no_such_package")
        async with (
            asyncio.timeout(TIMEOUT_S),
            FakeRuntimeApi() as api,
            child(api, tmp_path, "import deep") as process,
        ):
            await process.communicate()
            trace = "".join(api.reports["init"]["stackTrace"])
            assert "deep.py" in trace

    run(main())


def test_without_a_runtime_api_the_process_gives_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            async with FakeRuntimeApi() as api:
                gone = api
            async with child(gone, tmp_path, STARLETTE) as process:
                _, errors = await process.communicate()
                assert process.returncode == 1
                assert b"the Runtime API is gone" in errors

    run(main())


SNAP_START = """
from lambda_streaming import register_after_restore, register_before_snapshot
steps = []
register_before_snapshot(steps.append, "before 1")
register_before_snapshot(steps.append, "before 2")

@register_after_restore
async def after():
    steps.append("after 1")

register_after_restore(steps.append, "after 2")

def app(event, context):
    return steps
"""

SNAP_ENV = {
    "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
    "FOREBAY_RESPONSE_MODE": "buffered",
}


def test_snap_start_runs_hooks_around_the_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), FakeRuntimeApi() as api:
            api.restored.set()
            async with child(api, tmp_path, SNAP_START, **SNAP_ENV):
                answer = await api.invoke({}).until_whole()
                assert json.loads(answer.body) == ["before 2", "before 1", "after 1", "after 2"]

    run(main())


@pytest.mark.parametrize(
    ("hook", "phase", "error_type", "code"),
    [
        ("register_before_snapshot", "init", "Runtime.BeforeSnapshotError", 64),
        ("register_after_restore", "restore", "Runtime.AfterRestoreError", 65),
    ],
)
def test_a_failing_snap_start_hook_is_reported(
    tmp_path: Path, hook: str, phase: str, error_type: str, code: int
) -> None:
    async def main() -> None:
        source = f"{SNAP_START}\nfrom lambda_streaming import {hook} as on\non(int, 'no number')\n"
        async with asyncio.timeout(TIMEOUT_S), FakeRuntimeApi() as api:
            api.restored.set()
            async with child(api, tmp_path, source, **SNAP_ENV) as process:
                assert await process.wait() == code
                assert api.reports[phase]["errorType"] == error_type
                assert "ValueError" in api.reports[phase]["errorMessage"]

    run(main())


def test_the_functions_own_modules_come_before_those_of_layers(tmp_path: Path) -> None:
    async def main() -> None:
        source = "import sys\ndef app(event, context):\n    return sys.path\n"
        async with asyncio.timeout(TIMEOUT_S), FakeRuntimeApi() as api:
            buffered = {"FOREBAY_RESPONSE_MODE": "buffered"}
            async with child(api, tmp_path, source, **buffered):
                answer = await api.invoke({}).until_whole()
                path = json.loads(answer.body)
                assert path[0] == str(tmp_path)
                assert path[1].startswith("/opt/python/lib/python3.")
                assert path[2] == "/opt/python"
                assert path[-1] == "/var/runtime"
                assert "" not in path

    run(main())

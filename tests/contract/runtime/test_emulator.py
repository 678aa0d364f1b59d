"""The runtime under AWS's own runtime interface emulator, whose binary the SAM CLI carries.

It buffers towards its caller, so what it proves is that AWS's code accepts what we send; when each
chunk goes out is proved with the fake Runtime API.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.runtime.child import WRAPPER
from tests.contract.runtime.fake_runtime_api import rest_event

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.build

ROOT = Path(__file__).parents[3]
START_TIMEOUT_S = 20
POLL_S = 0.05
PATH = "/2015-03-31/functions/function/invocations"

FUNCTION = """
async def stream(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/event-stream"), (b"set-cookie", b"a=1")]
    if scope["path"] == "/v1/early":
        raise ValueError("before the first byte")
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for n in range(3):
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % n, "more_body": True})
    if scope["path"] == "/v1/late":
        raise ValueError("in mid-stream")
    await send({"type": "http.response.body"})

def plain(event, context):
    return {"event": event, "left": 0 < context.get_remaining_time_in_millis() <= 60_000}
"""


@pytest.fixture(scope="module")
def emulator_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that may be executed (the wheel's is not marked so)."""
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    pattern = f".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    found = sorted(ROOT.glob(pattern))
    if not found:
        pytest.fail(f"no {pattern}: install the SAM CLI's environment (.venv-sam, group `sam`)")
    copy = tmp_path_factory.mktemp("rie") / "aws-lambda-rie"
    shutil.copyfile(found[0], copy)
    copy.chmod(0o755)
    return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def emulator(binary: Path, task_root: Path, handler: str, mode: str) -> Iterator[int]:
    """Run a function under the emulator; gives the port where it can be invoked."""
    (task_root / "app.py").write_text(FUNCTION)
    port = free_port()
    command: list[str | Path] = [
        binary,
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
    ]
    command += ["--runtime-api-address", f"127.0.0.1:{free_port()}", WRAPPER, sys.executable]
    environ = {"LAMBDA_TASK_ROOT": str(task_root), "FOREBAY_RESPONSE_MODE": mode}
    environ |= {"AWS_LAMBDA_FUNCTION_TIMEOUT": "60", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [*command, handler],
        env=environ,
        cwd=task_root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_open(port)
        yield port
    finally:
        os.killpg(process.pid, 9)  # it starts the function as a child of its own
        process.wait()


def wait_until_open(port: int) -> None:
    for _ in range(int(START_TIMEOUT_S / POLL_S)):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            threading.Event().wait(POLL_S)
        else:
            return
    pytest.fail(f"the emulator does not listen after {START_TIMEOUT_S} s")


def invoke(port: int, event: Any) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
    connection.request("POST", PATH, json.dumps(event))
    body = connection.getresponse().read()
    connection.close()
    return body


def test_the_emulator_takes_a_streamed_answer(emulator_binary: Path, tmp_path: Path) -> None:
    with emulator(emulator_binary, tmp_path, "app.stream", "streaming") as port:
        prelude, _, body = invoke(port, rest_event(proxy="fine")).partition(bytes(8))
        assert json.loads(prelude) == {
            "statusCode": 200,
            "headers": {"content-type": "text/event-stream"},
            "multiValueHeaders": {"set-cookie": ["a=1"]},
        }
        assert body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_the_emulator_goes_on_after_each_kind_of_failure(
    emulator_binary: Path, tmp_path: Path
) -> None:
    with emulator(emulator_binary, tmp_path, "app.stream", "streaming") as port:
        early = json.loads(invoke(port, rest_event(proxy="early")))
        late = invoke(port, rest_event(proxy="late"))
        fine = invoke(port, rest_event(proxy="fine"))
        assert (early["errorType"], early["errorMessage"]) == (
            "ValueError",
            "before the first byte",
        )
        assert late.endswith(b"data: 2\n\n")
        assert fine.endswith(b"data: 2\n\n")


def test_the_emulator_takes_an_asgi_answer_in_buffered_mode(
    emulator_binary: Path, tmp_path: Path
) -> None:
    with emulator(emulator_binary, tmp_path, "app.stream", "buffered") as port:
        answer = json.loads(invoke(port, rest_event(proxy="fine")))
        assert answer["statusCode"] == 200
        assert answer["body"] == "data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_the_emulator_runs_a_plain_handler(emulator_binary: Path, tmp_path: Path) -> None:
    with emulator(emulator_binary, tmp_path, "app.plain", "buffered") as port:
        assert json.loads(invoke(port, {"n": 1})) == {"event": {"n": 1}, "left": True}


def test_the_emulator_hears_of_a_failed_init(emulator_binary: Path, tmp_path: Path) -> None:
    with emulator(emulator_binary, tmp_path, "app.missing", "buffered") as port:
        assert json.loads(invoke(port, {}))["errorType"] == "Runtime.HandlerNotFound"

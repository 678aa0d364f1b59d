"""ministack, the embedded AWS, as a child process of a test.

    with start_ministack(tmp_path) as url:
        boto3.client("dynamodb", endpoint_url=url, **CREDENTIALS)

Each start is a fresh, empty AWS: a port of its own, all state below the given directory.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypedDict


class Credentials(TypedDict):
    """What `boto3.client` takes beside `endpoint_url`."""

    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


REGION: Final = "us-east-1"
CREDENTIALS: Final[Credentials] = {
    "region_name": REGION,
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
START_TIMEOUT_S: Final = 60.0  # 0.6 s when idle; the machine may be running other suites
STOP_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.05
ATTEMPTS: Final = 5  # a free port can be taken by another process before ministack binds it


def aws_environment(url: str) -> dict[str, str]:
    """Return this process's environment, with any AWS client in it turned to ministack.

    Profiles and other `AWS_*` of the developer are left out: a test must never reach an account.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def start_ministack(tmp_dir: Path, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start ministack and yield its URL (`http://127.0.0.1:PORT`); end it and its children after.

    Args:
        tmp_dir: where it may write; `ministack.log` there holds its output.
        environ: variables to add, such as `{"PERSIST_STATE": "1"}`.

    Raises:
        RuntimeError: it did not become healthy; the message ends with the tail of its log.
    """
    tmp_dir.mkdir(parents=True, exist_ok=True)
    log = tmp_dir / "ministack.log"
    for _ in range(ATTEMPTS):
        port = _free_port()
        # The health answer repeats this word, so another server on our port is not taken for ours.
        token = uuid.uuid4().hex
        process = _spawn(_environment(tmp_dir, port, token, environ or {}), log)
        try:
            if _wait_until_healthy(process, port, token):
                yield f"http://127.0.0.1:{port}"
                return
        finally:
            _stop(process)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"ministack did not start in {ATTEMPTS} attempts:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(tmp_dir: Path, port: int, token: str, extra: Mapping[str, str]) -> dict[str, str]:
    temporary = tmp_dir / "tmp"
    temporary.mkdir(exist_ok=True)
    return aws_environment(f"http://127.0.0.1:{port}") | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_EDITION": token,
        "STATE_DIR": str(tmp_dir / "state"),
        "S3_DATA_DIR": str(tmp_dir / "s3"),
        "TMPDIR": str(temporary),
        **extra,
    }


def _spawn(environ: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        # A session of its own: its Lambda workers end with it, and Ctrl-C in pytest is ours alone.
        return subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, token: str) -> bool:
    """Return whether it serves; False if it ended by itself or took too long."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if _is_healthy(port, token):
            return True
        try:
            process.wait(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def _is_healthy(port: int, token: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return bool(answer.get("edition") == token)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it: SIGTERM first (state is written then), SIGKILL for what is left of its session."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_TIMEOUT_S)
    finally:
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

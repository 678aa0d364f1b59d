"""`forebay dev` as a person runs it, on a small project of the tests' own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.local.harness import PROJECT

pytestmark = pytest.mark.e2e
START_TIMEOUT_S = 120.0  # two seconds, when the machine does nothing else
MODES = pytest.mark.parametrize("mode", [[], ["--sandboxes", "2"]], ids=["many", "plain"])


@dataclass
class Dev:
    """A running `forebay dev`."""

    process: subprocess.Popen[str]
    url: str
    key: str

    def get(self, path: str) -> Any:
        """Ask the tiny function."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:  # noqa: S310 - ours
            return json.loads(answer.read())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def _command(state: Path, *options: str) -> list[str]:
    given = ["--port", "0", "--state", str(state), "--no-model", *options]
    program = "import sys; from forebay_cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", program, "dev", *given]


@contextlib.contextmanager
def _dev(state: Path, *options: str, cwd: Path = PROJECT, **environ: str) -> Iterator[Dev]:
    process = subprocess.Popen(
        _command(state, *options),
        cwd=cwd,
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
    watchdog.start()
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("key "):
                break
        watchdog.cancel()
        ready = [line for line in lines if line.startswith("ready ")]
        assert ready, "".join(lines)
        yield Dev(process, ready[0].split()[1], lines[-1].split()[1])
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.terminate()
        process.stdout.read()
        process.stdout.close()
        process.wait(timeout=30)


def _refused(state: Path, *options: str) -> str:
    done = subprocess.run(
        _command(state, *options), cwd=PROJECT, capture_output=True, text=True, check=False,
        timeout=START_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit():
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                found += [int(entry.name)] if int(parent) == pid else []
    return found


def _gone(pid: int) -> None:
    """Wait for a process that is not our child to end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(descriptor) as process:
        import select  # noqa: PLC0415 - Linux only, as this test

        assert select.select([process], [], [], 30)[0], f"process {pid} is left behind"


@MODES
def test_it_serves_the_projects_functions_on_its_tables(tmp_path: Path, mode: list[str]) -> None:
    with _dev(tmp_path / "s", *mode, SECRET_OF_MINE="x", FROM_CONFIG="y") as dev:
        assert dev.key == "fb-made-up"
        seen = dev.get("/some/path")
        assert (seen["calls"], seen["path"]) == (1, "/some/path")
        assert seen["environ"]["PLACE"] == "here"
        assert seen["environ"]["_HANDLER"] == "app.app"
        assert seen["environ"]["FROM_CONFIG"] == "y"
        assert "SECRET_OF_MINE" not in seen["environ"]
        assert dev.end() == 0


def test_state_and_key_stay_over_a_restart_until_fresh(tmp_path: Path) -> None:
    with _dev(tmp_path / "s") as dev:
        assert dev.get("/")["calls"] == 1
        assert dev.end(signal.SIGINT) == 0
    with _dev(tmp_path / "s") as dev:
        assert (dev.get("/")["calls"], dev.key) == (2, "fb-made-up")
        dev.end()
    with _dev(tmp_path / "s", "--fresh") as dev:
        assert dev.get("/")["calls"] == 1


def test_a_key_that_the_person_fixed_is_used_and_given_to_the_functions(tmp_path: Path) -> None:
    with _dev(tmp_path / "s", FOREBAY_DEV_KEY="fb-fixed") as dev:
        assert dev.key == "fb-fixed"
        assert dev.get("/")["environ"]["FOREBAY_DEV_KEY"] == "fb-fixed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_child_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with _dev(tmp_path / "s") as dev:
        children = _children(dev.process.pid)
        assert dev.get("/")["pid"] in children
        dev.end(number)
        for pid in children:
            _gone(pid)


def test_a_state_that_was_left_by_a_killed_stack_is_taken_over(tmp_path: Path) -> None:
    with _dev(tmp_path / "s") as dev:
        children = _children(dev.process.pid)
        dev.get("/")
        dev.end(signal.SIGKILL)
        for pid in children:
            _gone(pid)
    with _dev(tmp_path / "s") as dev:
        assert dev.get("/")["calls"] == 2  # ministack was told, and wrote what it had


def test_with_reload_a_changed_function_is_served_anew(tmp_path: Path) -> None:
    project = tmp_path / "a/b/c/project"  # so deep that the template's path to the layer fits
    shutil.copytree(PROJECT, project)
    (tmp_path / "layers").symlink_to(PROJECT.parents[3] / "layers")
    with _dev(tmp_path / "s", "--reload", cwd=project) as dev:
        before = dev.get("/")["pid"]
        app = project / "functions/tiny/app.py"
        app.write_text(app.read_text().replace('"pid":', '"new_pid":'))
        assert dev.process.stdout is not None
        assert any("app.py changed" in line for line in dev.process.stdout)
        assert dev.get("/")["new_pid"] != before


def test_a_second_stack_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with _dev(tmp_path / "s") as dev:
        assert f"Another `forebay dev` (process {dev.process.pid})" in _refused(tmp_path / "s")
        assert dev.get("/")["calls"] == 1


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in _refused(tmp_path / "s", "--port", str(port))


def test_a_configuration_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "There is no none.toml" in _refused(tmp_path / "s", "--config", "none.toml")


def test_with_json_every_line_is_an_object(tmp_path: Path) -> None:
    process = subprocess.Popen(
        _command(tmp_path / "s", "--json"), cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            record = json.loads(line)
            if record["message"].startswith("ready "):
                assert record["key"] == "fb-made-up"
                break
    finally:
        process.terminate()
        process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=30) == 0

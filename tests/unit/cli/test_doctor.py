"""`forebay doctor` as a command: what it prints, its exit status, and Ctrl-C."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from forebay_cli.checks.examination import CHECKS
from tests.support.fake_forebay import DONE, Behaviour, FakeForebay, Said, Stream, serve, token
from tests.unit.cli.conftest import Forebay

ALL = {*CHECKS, "revocation"}
GARBAGE = Said(502, b"<html>Bad Gateway</html>")


@pytest.fixture
def short() -> Iterator[FakeForebay]:
    """Its answer is too short to be judged by this machine's clock."""
    with serve(Behaviour(streams={"scripted": Stream((token("a"), DONE))})) as forebay:
        yield forebay


def test_the_command_prints_a_line_for_each_check_and_exits_0(
    run: Forebay, short: FakeForebay
) -> None:
    done = run("--url", short.url, "doctor")
    assert done.status == 0
    lines = done.out.splitlines()
    assert len(lines) == len(ALL) + 2
    assert lines[0].startswith("ok           reachable ")
    assert "costs nothing, so no budget stops it" in done.out
    assert ", 0 FAILED, " in lines[-1]


def test_a_failed_check_is_exit_status_1(run: Forebay, short: FakeForebay) -> None:
    short.behaviour.says["GET /healthz"] = GARBAGE
    done = run("--url", short.url, "doctor")
    assert done.status == 1
    assert done.out.startswith("FAILED       reachable ")


def test_json_is_one_object(run: Forebay, short: FakeForebay) -> None:
    done = run("--url", short.url, "doctor", "--json")
    report = json.loads(done.out)
    assert report["ok"] is True
    assert {check["name"] for check in report["checks"]} == ALL
    settlement = next(check for check in report["checks"] if check["name"] == "settlement")
    assert settlement["outcome"] == "ok"
    assert settlement["figures"]["missed_ms"] <= settlement["figures"]["seen_ms"]


def test_no_output_holds_the_secret(run: Forebay, short: FakeForebay) -> None:
    assert "fb-" not in run("--url", short.url, "doctor", "--json").out


def test_nothing_at_the_url_fails_each_check_that_calls(run: Forebay) -> None:
    with serve(Behaviour()) as gone:
        url = gone.url
    done = run("--url", url, "doctor", "--json")
    assert done.status == 1
    failed = {c["name"] for c in json.loads(done.out)["checks"] if c["outcome"] == "failed"}
    assert failed == {"reachable", "key", "headers", "bad-keys", "admin", "gateway-responses"}


@pytest.mark.parametrize("seconds", ["0", "901", "nan", "soon"])
def test_a_deadline_that_is_none_is_wrong_usage(run: Forebay, seconds: str) -> None:
    assert run("doctor", "--deadline", seconds).status == 2


def test_ctrl_c_revokes_the_key_and_says_so_in_one_line(run: Forebay, short: FakeForebay) -> None:
    def interrupt(call: str) -> None:
        if call == "POST /chat/completions":
            os.kill(os.getpid(), signal.SIGINT)

    # It hangs, so that the signal comes while the answer is waited for.
    short.behaviour.hangs = frozenset({"POST /chat/completions"})
    short.behaviour.on_call = interrupt
    done = run("--url", short.url, "doctor", "--json")
    assert (done.status, done.out) == (1, "")
    assert "Interrupted; doctor-" in done.err
    assert done.err.endswith(" is revoked.\n")
    assert short.key_statuses() == ["revoked"]

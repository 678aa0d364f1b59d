"""`forebay doctor` finds each way in which a deployment can misbehave, and leaves no key behind."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from forebay_cli.checks.caller import Caller
from forebay_cli.checks.deployment import Deployment, Wanted
from forebay_cli.checks.examination import CHECKS, examine
from forebay_cli.checks.finding import Finding, Outcome
from forebay_cli.client import LOCAL_CREDENTIALS, LOCAL_REGION, AdminClient, Signer
from tests.support.fake_forebay import (
    COMMENT,
    DONE,
    ERROR_EVENT,
    LONG,
    WHOLE,
    Behaviour,
    FakeForebay,
    Said,
    Stream,
    error,
    serve,
    token,
)

ALL = {*CHECKS, "revocation"}
UNTRIED = {"broken-stream", "keep-alive", "budget"}
"""Not checked, without options."""


class TickingClock:
    """Each look is later than the one before, so each chunk is an arrival of its own."""

    def __init__(self, *, tick_s: float = 0.05) -> None:
        self._tick_s = tick_s
        self._now_s = 0.0

    def now(self) -> float:
        self._now_s += self._tick_s
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds


@contextmanager
def deployment_at(
    url: str, wanted: Wanted, *, is_local: bool = True, clock: TickingClock | None = None
) -> Iterator[Deployment]:
    """Give what `run` would make, on a clock of our own."""
    clock = clock or TickingClock()
    signer = Signer(LOCAL_CREDENTIALS, LOCAL_REGION)
    deadline_s = wanted.deadline_s
    with ExitStack() as stack:
        admin = stack.enter_context(AdminClient(url, signer, is_local=is_local))
        caller = Caller(f"{url}/v1", deadline_s=deadline_s, trust_env=False, clock=clock)
        stack.enter_context(caller)
        yield Deployment(admin, caller, clock, wanted, is_local, key_name="doctor-test")


def findings_of(forebay: FakeForebay, wanted: Wanted | None = None) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    with deployment_at(forebay.url, wanted or Wanted()) as deployment:
        examine(deployment, found.__setitem__)
    return found


def examined(behaviour: Behaviour, wanted: Wanted | None = None) -> dict[str, Finding]:
    """Examine one that behaves so; the key must be gone afterwards."""
    with serve(behaviour) as forebay:
        found = findings_of(forebay, wanted)
        assert "active" not in forebay.key_statuses()
    assert set(found) == ALL
    return found


def named(found: dict[str, Finding], outcome: Outcome) -> set[str]:
    return {name for name, finding in found.items() if finding.outcome is outcome}


def test_a_sound_deployment_fails_no_check() -> None:
    found = examined(Behaviour())
    assert named(found, Outcome.NOT_CHECKED) == UNTRIED
    assert named(found, Outcome.OK) == ALL - UNTRIED


BUFFERED = {"scripted": Stream((b"".join(WHOLE),))}
CUT_SILENTLY = {"scripted": Stream(LONG)}
BROKEN_OFF = {"scripted": Stream(LONG, breaks_off=True)}
IN_ERROR = {"scripted": Stream((*LONG, ERROR_EVENT))}
GARBAGE = Said(502, b"<html>Bad Gateway</html>")
NO_SHAPE = Said(413, b'{"message": "Request Too Long"}')
OPENED = Said(200, b'{"keys": []}')
NO_STREAM = Said(200, b"{}", {"content-type": "application/json"})


@pytest.mark.parametrize(
    ("behaviour", "failed"),
    [
        (Behaviour(streams=BUFFERED), {"streaming"}),
        (Behaviour(streams=CUT_SILENTLY), {"streaming"}),
        (Behaviour(streams=BROKEN_OFF), {"streaming"}),
        (Behaviour(streams=IN_ERROR), {"streaming"}),
        (Behaviour(says={"POST /chat/completions": NO_STREAM}), {"streaming", "body-limits"}),
        (
            Behaviour(says={"POST /chat/completions": GARBAGE}),
            {"streaming", "body-limits", "budget"},
        ),
        (Behaviour(rows=2), {"settlement"}),
        (Behaviour(says={"GET /admin/usage": GARBAGE}), {"settlement"}),
        (Behaviour(says={"GET /admin/usage": Said(200, b"{}")}), {"settlement"}),
        (Behaviour(says={"GET /healthz": GARBAGE}), {"reachable"}),
        (Behaviour(lost=frozenset({"x-forebay-request-id"})), {"reachable", "headers"}),
        (Behaviour(lost=frozenset({"x-request-id"})), {"headers"}),
        (Behaviour(lost=frozenset({"x-forebay-target"})), {"headers"}),
        (Behaviour(says={"GET /models": error(403, "forbidden")}), {"key", "bad-keys"}),
        (Behaviour(says={"GET /models": error(401, "unknown")}), {"key"}),
        (Behaviour(says={"GET /models": Said(200, b"[]")}), {"key", "bad-keys"}),
        (Behaviour(streams={}), {"key"}),
        (Behaviour(says={"POST /admin/keys": GARBAGE}), {"key"}),
        (Behaviour(says={"GET /admin/keys": OPENED}), {"admin", "gateway-responses"}),
        (Behaviour(says={"GET /admin/keys": GARBAGE}), {"admin", "gateway-responses"}),
        (
            Behaviour(says={"GET /admin/keys": Said(403, b'{"message": "Forbidden"}')}),
            {"gateway-responses"},
        ),
    ],
    ids=[
        "buffered", "no DONE", "broken off", "error event", "not a stream", "502",
        "two rows", "usage 502", "usage without total", "health 502", "no request id",
        "no SDK request id", "no target", "models refused", "key never honoured", "models garbled",
        "no models", "no key made", "admin open", "admin 502", "gateway response without shape",
    ],
)  # fmt: skip
def test_a_fault_fails_the_checks_that_look_for_it_and_the_others_are_tried(
    behaviour: Behaviour, failed: set[str]
) -> None:
    assert named(examined(behaviour), Outcome.FAILED) == failed


def test_what_needs_a_key_is_not_checked_without_one() -> None:
    found = examined(Behaviour(says={"POST /admin/keys": GARBAGE}))
    without = {"streaming", "settlement", "body-limits", "revocation"}
    assert named(found, Outcome.NOT_CHECKED) == UNTRIED | without


def test_a_request_that_is_not_entered_in_the_ledger_by_the_deadline_fails_settlement() -> None:
    found = examined(Behaviour(rows=0), Wanted(deadline_s=3.0))
    assert named(found, Outcome.FAILED) == {"settlement"}
    assert found["settlement"].figures["missed_ms"] >= 3000


def test_settlement_is_not_judged_by_an_answer_that_broke_off() -> None:
    found = examined(Behaviour(streams=BROKEN_OFF))
    assert found["settlement"].outcome is Outcome.NOT_CHECKED


def test_a_key_is_revoked_whose_making_was_never_confirmed() -> None:
    with serve(Behaviour()) as forebay:
        # Made by a call whose answer got lost: only the name is known.
        forebay.api.call("POST", "keys", {"name": "doctor-test"})
        forebay.behaviour.says["POST /admin/keys"] = GARBAGE
        assert findings_of(forebay)["revocation"].outcome is Outcome.OK
        assert forebay.key_statuses() == ["revoked"]


def test_a_key_that_cannot_be_revoked_is_a_failure_that_says_how() -> None:
    with serve(Behaviour()) as forebay:
        made = forebay.api.call("POST", "keys", {"name": "doctor-test"}).body
        forebay.behaviour.says["POST /admin/keys"] = Said(201, json.dumps(made).encode())
        forebay.behaviour.says[f"DELETE /admin/keys/{made['id']}"] = GARBAGE
        revocation = findings_of(forebay)["revocation"]
    assert revocation.outcome is Outcome.FAILED
    assert "forebay keys revoke doctor-test" in revocation.detail


@pytest.mark.parametrize(
    ("call", "failed"),
    [
        ("GET /healthz", {"reachable"}),
        ("GET /models", {"key", "headers", "bad-keys"}),
        ("POST /chat/completions", {"streaming", "body-limits"}),
        ("GET /admin/keys", {"admin", "gateway-responses"}),
    ],
)
def test_an_endpoint_that_hangs_fails_by_the_deadline(call: str, failed: set[str]) -> None:
    found = examined(Behaviour(hangs=frozenset({call})), Wanted(deadline_s=0.2))
    hung = {name for name in failed if "no answer within 0.2 s" in found[name].detail}
    assert hung == failed


def test_a_stream_that_hangs_fails_by_the_deadline() -> None:
    hanging = Behaviour(streams={"scripted": Stream(LONG[:3], hangs=True)})
    streaming = examined(hanging, Wanted(deadline_s=0.2))["streaming"]
    assert streaming.outcome is Outcome.FAILED
    assert "still going on at the deadline" in streaming.detail


def test_an_answer_without_end_is_left_at_the_deadline() -> None:
    # 30 events at 50 ms each, and no end in sight at the first second.
    endless = Behaviour(streams={"scripted": Stream(LONG, hangs=True)})
    streaming = examined(endless, Wanted(deadline_s=1.0))["streaming"]
    assert "still going on at the deadline" in streaming.detail


def test_plain_http_is_refused_elsewhere_than_on_this_machine() -> None:
    found: dict[str, Finding] = {}
    with (
        serve(Behaviour()) as forebay,
        deployment_at(forebay.url, Wanted(), is_local=False) as deployment,
    ):
        examine(deployment, found.__setitem__)
    assert found["reachable"].outcome is Outcome.FAILED
    assert "plain HTTP" in found["reachable"].detail


def test_a_413_without_openai_shape_fails_body_limits() -> None:
    found: dict[str, Finding] = {}
    behaviour = Behaviour()

    def tell(name: str, finding: Finding) -> None:
        found[name] = finding
        if name == "keep-alive":  # the check before it
            behaviour.says["POST /chat/completions"] = NO_SHAPE

    with serve(behaviour) as forebay, deployment_at(forebay.url, Wanted()) as deployment:
        examine(deployment, tell)
    assert named(found, Outcome.FAILED) == {"body-limits", "budget"}
    assert "OpenAI's error shape" in found["body-limits"].detail


def test_a_servers_words_stay_on_one_line_without_control_codes() -> None:
    odd = Said(500, b"two\nlines \x1b[31mred " + b"x" * 5000)
    detail = examined(Behaviour(says={"GET /healthz": odd}))["reachable"].detail
    assert "two lines ?[31mred" in detail
    assert detail.isprintable()
    assert len(detail) <= 600


# Which model is called.


def test_the_scripted_model_is_preferred_to_the_first() -> None:
    two = Behaviour(streams={"dear": Stream(), "scripted": Stream()})
    assert examined(two)["key"].figures["model"] == "scripted"


def test_without_a_scripted_model_the_first_is_called() -> None:
    two = Behaviour(streams={"dear": Stream(), "other": Stream()})
    assert examined(two)["key"].figures["model"] == "dear"


def test_the_model_that_was_named_is_called() -> None:
    two = Behaviour(streams={"scripted": Stream(), "dear": Stream()})
    assert examined(two, Wanted(model="dear"))["streaming"].detail.startswith("dear:")


def test_a_model_that_is_not_there_is_said_with_those_that_are() -> None:
    key = examined(Behaviour(), Wanted(model="smrat"))["key"]
    assert key.outcome is Outcome.FAILED
    assert "there is no model smrat; there are: scripted" in key.detail


# An answer that breaks off, and one that is silent.


def beside_a_sound_model(stream: Stream) -> Behaviour:
    return Behaviour(streams={"scripted": Stream(), "odd": stream})


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        (Stream((*LONG, ERROR_EVENT)), Outcome.OK),
        (Stream((*LONG, ERROR_EVENT), breaks_off=True), Outcome.OK),
        (Stream((*LONG, ERROR_EVENT, DONE)), Outcome.FAILED),
        (Stream((*LONG, DONE)), Outcome.FAILED),
        (Stream(LONG), Outcome.FAILED),
        (Stream(LONG, breaks_off=True), Outcome.FAILED),
    ],
    ids=["event", "event and break", "event and DONE", "not cut", "quiet end", "break alone"],
)
def test_a_cut_answer_must_say_so_and_not_look_whole(stream: Stream, outcome: Outcome) -> None:
    found = examined(beside_a_sound_model(stream), Wanted(cut_model="odd"))
    assert found["broken-stream"].outcome is outcome


def test_a_comment_in_a_silent_answer_is_enough() -> None:
    silent = Stream((token("a"), COMMENT), hangs=True)
    found = examined(beside_a_sound_model(silent), Wanted(slow_model="odd"))
    assert found["keep-alive"].outcome is Outcome.OK


def test_a_model_that_is_not_silent_proves_nothing_about_comments() -> None:
    found = examined(beside_a_sound_model(Stream()), Wanted(slow_model="odd"))
    assert found["keep-alive"].outcome is Outcome.NOT_CHECKED


def test_silence_without_a_comment_fails() -> None:
    wanted = Wanted(slow_model="scripted", deadline_s=1000.0)
    found: dict[str, Finding] = {}
    clock = TickingClock(tick_s=20.0)
    with (
        serve(Behaviour()) as forebay,
        deployment_at(forebay.url, wanted, clock=clock) as deployment,
    ):
        examine(deployment, found.__setitem__)
    assert found["keep-alive"].outcome is Outcome.FAILED
    assert "20.0 s of silence" in found["keep-alive"].detail


def test_a_fault_of_our_own_revokes_the_key() -> None:
    def fail(name: str, _: Finding) -> None:
        if name == "key":
            raise BrokenPipeError

    with serve(Behaviour()) as forebay, deployment_at(forebay.url, Wanted()) as deployment:
        with pytest.raises(BrokenPipeError):
            examine(deployment, fail)
        assert forebay.key_statuses() == ["revoked"]

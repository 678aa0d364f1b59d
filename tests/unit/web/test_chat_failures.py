"""Whatever goes wrong at the provider: the caller hears of it, one row has it, no line quotes."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from forebay.adapters.memory import SeededEntropy
from forebay.errors import UpstreamCut, UpstreamError, UpstreamUnavailable
from forebay.model import Outcome, Usage, UsageSource
from forebay.service.settlement import UNSEEN_TOKENS
from forebay.settings import ScriptedFault, ScriptedFaults
from tests.support.asgi import Reply
from tests.support.gateway import World, chat
from tests.support.told_provider import DONE, JSON, ToldProvider, chunk, event, usage


@dataclass(frozen=True)
class Failure:
    """A failure of the scripted provider, and what must become of it."""

    fault: str
    stream: bool
    status: int
    """What the caller gets; 200 is a stream that breaks off."""
    code: str | None
    """In the reply."""
    error_code: str
    """In the row."""
    upstream_status: int
    outcome: Outcome = Outcome.FAILED


CUT = Outcome.CUT
REFUSED, GARBLED = "upstream_refused", "upstream_garbled"
UNAVAILABLE, BROKEN = "upstream_unavailable", "upstream_cut"
FAILURES = (
    Failure("down", True, 503, UNAVAILABLE, UNAVAILABLE, 0),
    Failure("down", False, 503, UNAVAILABLE, UNAVAILABLE, 0),
    Failure("refuse", True, 503, UNAVAILABLE, UNAVAILABLE, 0),
    Failure("refuse", False, 503, UNAVAILABLE, UNAVAILABLE, 0),
    Failure("server_error", True, 502, REFUSED, REFUSED, 500),
    Failure("server_error", False, 502, REFUSED, REFUSED, 500),
    Failure("bad_gateway", True, 502, REFUSED, REFUSED, 502),
    Failure("bad_gateway", False, 502, REFUSED, REFUSED, 502),
    Failure("rate_limited", True, 429, None, REFUSED, 429),
    Failure("rate_limited", False, 429, None, REFUSED, 429),
    Failure("broken_json", True, 200, BROKEN, BROKEN, 200, CUT),
    Failure("broken_json", False, 502, GARBLED, GARBLED, 200),
    Failure("html", True, 502, GARBLED, GARBLED, 200),
    Failure("html", False, 502, GARBLED, GARBLED, 200),
    Failure("wrong_content_type", True, 502, GARBLED, GARBLED, 200),
    Failure("empty", True, 502, GARBLED, GARBLED, 200),
    Failure("empty", False, 502, GARBLED, GARBLED, 200),
    Failure("cut", True, 200, BROKEN, BROKEN, 200, CUT),
    Failure("cut", False, 502, BROKEN, BROKEN, 200),
    Failure("stall", True, 200, UNAVAILABLE, UNAVAILABLE, 200, CUT),
    Failure("stall", False, 503, UNAVAILABLE, UNAVAILABLE, 200),
    Failure("long_line", True, 200, BROKEN, BROKEN, 200, CUT),
    Failure("long_line", False, 502, GARBLED, GARBLED, 200),
)
HARMLESS = (("slow_first_byte", True), ("slow_first_byte", False), ("wrong_content_type", False))
"""Faults that leave an answer whole, and whether it is streamed."""
each_failure = pytest.mark.parametrize(
    "case", FAILURES, ids=lambda case: f"{case.fault}-{'stream' if case.stream else 'whole'}"
)


def ask(case: Failure, world: World, **request: Any) -> Reply:
    return chat(world, world.app(world.scripted(case.fault)), stream=case.stream, **request)


def error_of(reply: Reply) -> dict[str, object]:
    """The error that a reply or its last event is."""
    whole = reply.headers["content-type"] == "application/json"
    error: dict[str, object] = (reply.json() if whole else reply.events()[-1])["error"]
    return error


@each_failure
def test_inv3_the_caller_hears_of_it_and_never_done(case: Failure) -> None:
    reply = ask(case, World())

    assert reply.status == case.status
    assert error_of(reply)["code"] == case.code
    assert error_of(reply).keys() == {"message", "type", "param", "code"}
    assert b"[DONE]" not in reply.body


@each_failure
def test_inv3_an_answer_that_breaks_off_is_an_error_for_the_runtime_too(case: Failure) -> None:
    reply = ask(case, World())

    broke_off = case.outcome is CUT
    assert isinstance(reply.raised, UpstreamError) is broke_off
    assert reply.ended is not broke_off


@each_failure
def test_inv2_it_ends_in_one_row(case: Failure) -> None:
    world = World()
    ask(case, world)

    (row,) = world.rows()
    assert (row.outcome, row.error_code) == (case.outcome, case.error_code)
    assert (row.status, row.stream) == (case.upstream_status, case.stream)


@each_failure
def test_only_what_was_answered_is_paid_for(case: Failure) -> None:
    world = World()
    ask(case, world)

    (row,) = world.rows()
    tries = len(row.attempts)
    said = 7 + UNSEEN_TOKENS if case.stream else 0
    used = Usage(tries, tries * said, source=UsageSource.ESTIMATED)
    nothing = Usage(0, 0, source=UsageSource.ESTIMATED)
    was_working = case.outcome is CUT or case.error_code == "upstream_cut"
    assert row.usage == (used if was_working else nothing)
    assert row.cost_nano_usd == row.usage.input_tokens * 250 + row.usage.output_tokens * 2000


@each_failure
def test_its_line_says_that_it_failed(case: Failure) -> None:
    world = World()
    ask(case, world)

    (line,) = world.request_lines()
    assert line["level"] == "ERROR"
    assert (line["forebay.errors"], line["error.type"]) == (1, case.error_code)
    assert world.incidents() == []


@each_failure
def test_inv5_no_line_has_the_prompt_the_answer_or_the_key(case: Failure) -> None:
    world = World()
    secret = world.secret()
    ask(case, world, secret=secret, messages=[{"role": "user", "content": "CANARY"}])

    log = json.dumps(world.lines)
    canaries = ("CANARY", "Water", "this is no", "scripted fail", "<html", secret, secret[15:45])
    assert [canary for canary in canaries if canary in log] == []


def test_every_fault_of_the_scripted_provider_is_tried() -> None:
    tried = {case.fault for case in FAILURES} | {fault for fault, _ in HARMLESS}

    assert tried | {ScriptedFault.DUPLICATED_CHUNK} == set(ScriptedFault)


@pytest.mark.parametrize(("fault", "stream"), HARMLESS)
def test_a_fault_that_spares_the_answer_is_none_for_the_caller(fault: str, *, stream: bool) -> None:
    world = World()

    reply = chat(world, world.app(world.scripted(fault, tokens=3)), stream=stream)

    assert (reply.status, b'"stop"' in reply.body) == (200, True)
    (row,) = world.rows()
    assert (row.outcome, row.usage.output_tokens) == (Outcome.COMPLETE, 3)


def outcomes(seed: int) -> list[tuple[int, str | None]]:
    """What becomes of many requests to a provider that fails half of the time."""
    world = World(entropy=SeededEntropy(seed))
    kinds = ("refuse", "server_error", "rate_limited", "cut", "broken_json")
    faults = ScriptedFaults(**dict.fromkeys(kinds, 0.1))  # type: ignore[arg-type] # shares, all
    app = world.app(world.scripted(faults=faults))
    replies = [chat(world, app, stream=True) for _ in range(30)]
    rows = sorted(world.rows(), key=lambda row: row.request_id)
    return [(each.status, row.error_code) for each, row in zip(replies, rows, strict=True)]


def test_the_same_dice_fail_the_same_way() -> None:
    assert outcomes(1) == outcomes(1) != outcomes(2)


def test_a_late_first_byte_is_in_the_row() -> None:
    world = World()

    chat(world, world.app(world.scripted("slow_first_byte", first_token_ms=200)), stream=True)

    (row,) = world.rows()
    assert row.time_to_first_token_ms == 30_200


def test_a_chunk_that_comes_twice_is_passed_on_twice() -> None:
    world = World()  # chunks have no numbers: that it is no third "gate" cannot be known

    reply = chat(world, world.app(world.scripted("duplicated_chunk", tokens=6)), stream=True)

    contents = [each["choices"][0]["delta"].get("content") for each in reply.events()[:-1]]
    assert "".join(filter(None, contents)) == "Water waits behind the gate gate until"
    assert reply.body.endswith(DONE)


def test_a_full_provider_says_when_it_has_room_and_keeps_its_word() -> None:
    world = World()
    app = world.app(world.scripted(requests_per_minute=1))
    world.clock.advance(0.5)

    statuses = [chat(world, app).status]
    refused = chat(world, app)
    world.clock.advance(float(refused.headers["retry-after"]))
    statuses += [refused.status, chat(world, app).status]

    assert statuses == [200, 429, 200]


def test_a_provider_s_advice_about_retries_reaches_the_caller() -> None:
    world = World()
    advice = {"retry-after": "7", "retry-after-ms": "7000", "x-should-retry": "false"}
    provider = ToldProvider(b"{}", status=429, headers={**JSON, **advice, "x-internal": "1"})

    reply = chat(world, world.app(provider))

    assert {name: reply.headers.get(name) for name in (*advice, "x-internal")} == {
        **advice,
        "x-internal": None,
    }


PROVIDER_ERROR = {"message": "its words", "type": "its_type", "param": "n", "code": "its_code"}
OUR_401 = {
    "message": "scripted/script-1 answered with status 401.",
    "type": "server_error",
    "param": None,
    "code": "upstream_refused",
}

STATUSES = {
    400: (400, PROVIDER_ERROR),
    401: (502, OUR_401),
    403: (502, {**OUR_401, "message": "scripted/script-1 answered with status 403."}),
    404: (404, PROVIDER_ERROR),
    413: (413, PROVIDER_ERROR),
    422: (422, PROVIDER_ERROR),
    429: (429, PROVIDER_ERROR),
    500: (502, {**OUR_401, "message": "scripted/script-1 answered with status 500."}),
    503: (503, {**OUR_401, "message": "scripted/script-1 answered with status 503."}),
    302: (502, {**OUR_401, "message": "scripted/script-1 answered with status 302."}),
}


@pytest.mark.parametrize(("status", "told"), STATUSES.items())
def test_a_provider_s_refusal_is_the_caller_s_only_if_it_speaks_of_the_request(
    status: int, told: tuple[int, dict[str, object]]
) -> None:
    world = World()
    body = json.dumps({"error": PROVIDER_ERROR}).encode()

    reply = chat(world, world.app(ToldProvider(body, status=status, headers=JSON)))

    assert (reply.status, reply.json()["error"]) == told


def test_an_error_in_mid_stream_is_told_in_the_provider_s_words() -> None:
    world = World()
    provider = ToldProvider(chunk("a"), event({"error": PROVIDER_ERROR}), DONE)

    reply = chat(world, world.app(provider), stream=True)

    assert reply.events()[-1] == {"error": PROVIDER_ERROR}
    (row,) = world.rows()
    assert (row.outcome, row.error_code, row.status) == (Outcome.CUT, "upstream_refused", 200)


def test_an_error_in_place_of_an_answer_has_a_status_of_its_own() -> None:
    world = World()
    body = json.dumps({"error": PROVIDER_ERROR}).encode()

    reply = chat(world, world.app(ToldProvider(body, headers=JSON)))

    assert (reply.status, reply.json()) == (502, {"error": PROVIDER_ERROR})


BREAKS = {
    "garbage in mid-stream": (chunk("a"), b"data: {\n\n"),
    "done in mid-answer": (chunk("a"), DONE),
    "an end in mid-answer": (chunk("a"),),
    "an end after half an event": (chunk("a"), chunk("b", finish="stop")[:-2]),
    "a connection that breaks": (chunk("a"), UpstreamCut("it broke", target="p")),
    "silence": (chunk("a"), UpstreamUnavailable("silent", target="p")),
}


@pytest.mark.parametrize("steps", BREAKS.values(), ids=BREAKS)
def test_inv3_an_answer_that_breaks_off_ends_with_an_error(steps: tuple[bytes, ...]) -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*steps)), stream=True)

    assert reply.parts[0] == chunk("a")
    assert error_of(reply)["type"] == "server_error"
    assert b"[DONE]" not in reply.body
    (row,) = world.rows()
    assert row.outcome is Outcome.CUT


def test_usage_that_was_reported_before_the_break_counts() -> None:
    world = World()
    provider = ToldProvider(chunk("a"), usage(30, 20), UpstreamCut("it broke", target="p"))

    chat(world, world.app(provider), stream=True)

    (row,) = world.rows()
    assert row.usage == Usage(30, 20, source=UsageSource.REPORTED)


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "application/json"}, {"content-type": "text/plain"}],
    ids=["no type", "JSON", "text"],
)
def test_what_is_no_event_stream_is_not_relayed_as_one(headers: dict[str, str]) -> None:
    world = World()

    reply = chat(
        world, world.app(ToldProvider(chunk("a", finish="stop"), headers=headers)), stream=True
    )

    assert (reply.status, error_of(reply)["code"]) == (502, "upstream_garbled")


@pytest.mark.parametrize("kind", ["Text/Event-Stream", "text/event-stream;charset=UTF-8"])
def test_an_event_stream_is_known_by_its_type_in_any_spelling(kind: str) -> None:
    world = World()
    provider = ToldProvider(chunk("a", finish="stop"), headers={"content-type": kind})

    assert chat(world, world.app(provider), stream=True).status == 200

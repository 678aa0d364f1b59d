"""A request that its first target does not answer is answered by the next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from forebay.ports import Provider
from forebay.resilience.credit import BURST
from forebay.resilience.retry import MAX_ATTEMPTS
from forebay.service.catalog import Catalog, Target
from forebay.service.target_dialects import ANTHROPIC, OPENAI, TargetDialect
from tests.support.asgi import Reply, call
from tests.support.gateway import PRICE, World
from tests.support.told_provider import DONE, STREAM, ToldProvider, chunk

GOOD = (chunk(""), chunk("yes"), chunk(finish="stop"), DONE)
REQUEST = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Fleet:
    """A model `m` with targets of its own, and one fallback `f`."""

    targets: list[Provider]
    fallback: list[Provider] = field(default_factory=list)
    dialect: TargetDialect = OPENAI
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        world = self.world
        models = {"m": self._targets("own", self.targets, self.dialect)}
        if self.fallback:
            models["f"] = self._targets("fallback", self.fallback, OPENAI)
        fallbacks = {"m": ("f",)} if self.fallback else {}
        catalog = Catalog(models, {}, fallbacks)
        self.app = world.serve(world.gateway_of(catalog))
        self.secret = world.secret()

    def _targets(
        self, name: str, providers: list[Provider], dialect: TargetDialect
    ) -> tuple[Target, ...]:
        # The first is a thousand times likelier than the next: tests know who is asked first.
        return tuple(
            Target(f"{name}{index}", provider, "x", PRICE, dialect, 1000 ** (3 - index))
            for index, provider in enumerate(providers)
        )

    def ask(self, **fields: Any) -> Reply:
        headers = {"authorization": f"Bearer {self.secret}"}
        body = {**REQUEST, **fields}
        path = "/v1/chat/completions"
        return asyncio.run(call(self.app, "POST", path, headers=headers, body=body))


def good() -> ToldProvider:
    return ToldProvider(*GOOD)


def bad(status: int = 500, headers: Mapping[str, str] = STREAM) -> ToldProvider:
    return ToldProvider(b"", status=status, headers=headers)


FAILURES = {
    "500": bad(500),
    "429": bad(429),
    "401": bad(401),
    "empty": ToldProvider(),
    "HTML": ToldProvider(b"<html>", headers={"content-type": "text/html"}),
    "garbage": ToldProvider(b"data: {\n\n"),
    "cut after its role": ToldProvider(chunk("")),
    "an error in the stream": ToldProvider(b'data: {"error":{"message":"no"}}\n\n'),
}


@pytest.mark.parametrize("failing", FAILURES.values(), ids=FAILURES)
def test_the_next_target_answers_for_one_that_fails(failing: ToldProvider) -> None:
    fleet = Fleet([failing, good()])

    reply = fleet.ask()

    assert reply.body.endswith(DONE)
    assert b"yes" in reply.body
    assert (reply.headers["x-forebay-attempts"], reply.headers["x-forebay-target"]) == (
        "2",
        "own1/x",
    )
    (row,) = fleet.world.rows()
    assert (row.outcome, row.provider, row.error_code) == ("complete", "own1", None)


def test_a_fallback_answers_when_no_target_of_the_model_does() -> None:
    fleet = Fleet([bad(), bad()], fallback=[good()])

    reply = fleet.ask(stream=True)

    assert reply.headers["x-forebay-target"] == "fallback0/x"
    assert reply.headers["x-forebay-attempts"] == "3"


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_callers_mistake_is_nobody_elses_business(status: int) -> None:
    second = good()

    reply = Fleet([bad(status), second]).ask()

    assert reply.status == status
    assert second.requests == []


def test_inv4_nothing_is_tried_again_once_words_are_out() -> None:
    second = good()
    fleet = Fleet([ToldProvider(chunk("half ")), second])

    reply = fleet.ask()

    assert b"half" in reply.body
    assert b'"error"' in reply.body
    assert b"[DONE]" not in reply.body
    assert second.requests == []
    assert [row.outcome for row in fleet.world.rows()] == ["cut"]


def test_a_single_target_is_asked_again_after_a_pause() -> None:
    fleet = Fleet([bad()])
    before = fleet.world.clock.now()

    reply = fleet.ask()

    assert reply.status == 502
    (row,) = fleet.world.rows()
    assert row.outcome == "failed"
    assert fleet.world.clock.now() > before


def test_inv6_a_call_causes_at_most_so_many_attempts() -> None:
    providers = [bad() for _ in range(6)]

    Fleet(list(providers[:3]), fallback=list(providers[3:])).ask()

    assert sum(len(provider.requests) for provider in providers) == MAX_ATTEMPTS


def test_inv6_a_dead_target_sees_its_traffic_and_a_burst_of_retries() -> None:
    dead = bad()
    fleet = Fleet([dead])
    calls = 100

    for _ in range(calls):
        fleet.ask()

    assert len(dead.requests) == calls + BURST


def test_inv6_two_dead_targets_see_two_attempts_a_call_and_the_burst() -> None:
    dead = [bad(), bad()]
    fleet = Fleet(list(dead))
    calls = 100

    for _ in range(calls):
        fleet.ask()

    assert sum(len(each.requests) for each in dead) <= 2 * calls + 2 * BURST


@pytest.mark.parametrize(
    ("retry_after", "attempts"), [("2", MAX_ATTEMPTS), ("3600", 1)], ids=["soon", "too late"]
)
def test_a_providers_patience_is_honoured_or_given_up(retry_after: str, attempts: int) -> None:
    limited = bad(429, {**STREAM, "retry-after": retry_after})
    fleet = Fleet([limited])
    before = fleet.world.clock.now()

    reply = fleet.ask()

    assert (reply.status, reply.headers["retry-after"]) == (429, retry_after)
    assert len(limited.requests) == attempts
    assert fleet.world.clock.now() - before >= 2 * (attempts - 1)


def test_a_target_that_cannot_do_what_is_asked_is_passed_over() -> None:
    never = good()
    fleet = Fleet([never], fallback=[good()], dialect=ANTHROPIC)

    reply = fleet.ask(seed=7)

    assert reply.headers["x-forebay-target"] == "fallback0/x"
    assert never.requests == []


def test_each_failed_attempt_is_logged_with_its_reason() -> None:
    fleet = Fleet([bad(503), good()])

    fleet.ask()

    (line,) = [line for line in fleet.world.lines if line["message"].startswith("attempt 1")]
    assert "503" in line["message"]
    assert line["forebay.request.id"] == fleet.world.rows()[0].request_id
    assert "hi" not in json.dumps(line["message"])

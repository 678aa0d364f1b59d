"""Whatever goes wrong with embeddings: the caller hears of it, and one row has it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from forebay.errors import StoreUnavailable, UpstreamCut, UpstreamUnavailable
from forebay.model import AttemptResult, Outcome, Usage, UsageSource
from forebay.service.catalog import Catalog, Target
from forebay.service.target_dialects import OPENAI
from tests.support.embedding_requests import (
    PATH,
    TWO,
    Tried,
    ask,
    ask_one_of,
    embeddings,
    told,
)
from tests.support.gateway import PRICE, World
from tests.support.surfaces import posted, surfaces
from tests.support.told_provider import JSON

FAILURES: dict[str, tuple[Sequence[Any], dict[str, Any], int, str]] = {
    "out of reach": (
        (),
        {"head": UpstreamUnavailable("x", target="p")},
        503,
        "upstream_unavailable",
    ),
    "cut": ((TWO[:9], UpstreamCut("x", target="p")), {}, 502, "upstream_cut"),
    "status 500": ((b"oops",), {"status": 500}, 502, "upstream_refused"),
    "status 429": ((b"{}",), {"status": 429}, 429, "upstream_refused"),
    "a web page": ((b"<html>",), {}, 502, "upstream_garbled"),
    "nothing": ((b"",), {}, 502, "upstream_garbled"),
    "one vector too few": ((embeddings([1]),), {}, 502, "upstream_garbled"),
    "other lengths": ((embeddings([1], [1, 2]),), {}, 502, "upstream_garbled"),
    "an error under status 200": ((b'{"error":{"message":"x"}}',), {}, 502, "upstream_refused"),
}


@pytest.mark.parametrize(("steps", "head", "status", "code"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_and_in_the_row(
    steps: Sequence[Any], head: dict[str, Any], status: int, code: str
) -> None:
    world = World()
    reply = ask(world, told(*steps, **head))

    assert reply.status == status
    assert "data" not in reply.json()
    (row,) = world.rows()
    assert (row.outcome, row.error_code) == (Outcome.FAILED, code)


@pytest.mark.parametrize(("steps", "head", "status", "code"), FAILURES.values(), ids=FAILURES)
def test_the_next_target_answers_what_one_did_not(
    steps: Sequence[Any], head: dict[str, Any], status: int, code: str
) -> None:
    world = World()
    reply = ask_one_of(world, Tried(told(*steps, **head), "a"), Tried(told(TWO), "b"))

    assert status != 200
    assert (reply.status, reply.headers["x-forebay-attempts"]) == (200, "2")
    (row,) = world.rows()
    assert (row.outcome, row.provider) == (Outcome.COMPLETE, "b")
    assert [(each.target, each.error_code) for each in row.attempts] == [
        ("a/e", code),
        ("b/e", None),
    ]
    assert world.incidents() == []


def test_inv2_what_was_never_sent_costs_nothing() -> None:
    world = World()
    reply = ask(world, told(head=StoreUnavailable("no credentials")))

    assert (reply.status, reply.json()["error"]["code"]) == (503, "store_unavailable")
    (row,) = world.rows()
    assert (row.outcome, row.usage.input_tokens, row.cost_nano_usd) == (Outcome.FAILED, 0, 0)


def test_inv2_what_was_cut_may_have_been_worked_on() -> None:
    world = World()
    ask(world, told(TWO[:9], UpstreamCut("x", target="p")), input=["12345678"])

    (row,) = world.rows()
    assert row.usage == Usage(2, 0, source=UsageSource.ESTIMATED)


def test_a_caller_s_own_mistake_is_not_asked_of_another_target() -> None:
    world, other = World(), told(TWO)
    first = told(b'{"error":{"message":"too long","param":"input"}}', status=400)
    reply = ask_one_of(world, Tried(first, "a"), Tried(other, "b"))

    assert (reply.status, reply.json()["error"]["message"]) == (400, "too long")
    assert other.requests == []


def test_a_provider_s_advice_about_retries_reaches_the_caller() -> None:
    world = World()
    advice = {"retry-after": "7", "x-should-retry": "false"}
    reply = ask(world, told(b"{}", status=429, headers={**JSON, **advice, "x-internal": "1"}))

    assert {name: reply.headers.get(name) for name in (*advice, "x-internal")} == {
        **advice,
        "x-internal": None,
    }


def test_inv6_at_most_four_targets_are_asked() -> None:
    world = World()
    tried = [Tried(told(b"", status=500), f"p{index}") for index in range(6)]
    reply = ask_one_of(world, *tried)

    assert reply.status == 502
    assert [len(each.provider.requests) for each in tried] == [1, 1, 1, 1, 0, 0]  # type: ignore[attr-defined]  # ToldProvider's


def test_a_target_whose_breaker_is_open_is_asked_only_if_there_is_no_other() -> None:
    world = World()
    failing, good = told(b"", status=500), told(TWO)
    targets = [
        Target(name, each, "e", PRICE, OPENAI) for name, each in (("a", failing), ("b", good))
    ]
    catalog = Catalog({"m": (targets[0],), "n": (targets[1],)}, {}, {"m": ("n",)})
    app = surfaces(world, world.gateway_of(catalog))

    async def main() -> None:
        for _ in range(40):
            await posted(world, app, PATH, input=["a", "b"])

    asyncio.run(main())
    assert len(good.requests) == 40
    assert len(failing.requests) < 40


def test_a_reply_that_never_ends_is_given_up() -> None:
    world = World()
    reply = ask(world, told(*[b" " * 2**23] * 7))

    assert reply.status == 502


def test_the_caller_s_patience_is_kept() -> None:
    world, provider = World(), told(head=asyncio.Event())
    reply = ask(world, provider, headers={"x-forebay-timeout": "10ms"})

    assert (reply.status, reply.json()["error"]["code"]) == (503, "upstream_unavailable")
    assert "time was up" in reply.json()["error"]["message"]
    assert provider.waiting.is_set()
    (row,) = world.rows()
    assert row.attempts[0].result is AttemptResult.ABANDONED
    assert row.usage == Usage(1, 0, source=UsageSource.ESTIMATED)


REFUSED = {
    "no key": ({"secret": "fb-no"}, 401),
    "a model that is not served": ({"model": "x"}, 404),
    "no JSON": ({"body": b"{"}, 400),
    "no input": ({"input": []}, 400),
    "too many inputs": ({"input": ["a"] * 2049}, 400),
    "a patience that is none": ({"headers": {"x-forebay-timeout": "soon"}}, 400),
    "too large": ({"body": b" " * (11 * 2**20)}, 413),
}


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_not_asked_and_has_no_row(request_: dict[str, Any], status: int) -> None:
    world, provider = World(), told(TWO)
    reply = ask(world, provider, **request_)

    assert (reply.status, provider.requests, world.rows()) == (status, [], [])


# --- who leaves


def test_inv2_a_caller_who_leaves_pays_for_what_was_used() -> None:
    world = World()
    reply = ask(world, told(TWO), break_after=0)

    assert isinstance(reply.raised, ConnectionResetError)
    (row,) = world.rows()
    assert (row.outcome, row.usage) == (Outcome.CANCELLED, Usage(8, 0))


@pytest.mark.parametrize(("given", "tokens"), [(["12345678"], 2), ([1, 2, 3], 3)])
def test_inv2_a_request_that_is_cancelled_has_a_row(given: object, tokens: int) -> None:
    world, provider = World(), told(head=asyncio.Event())
    app = surfaces(world, world.gateway(provider))

    async def main() -> None:
        task = asyncio.create_task(posted(world, app, PATH, input=given))
        await provider.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (row,) = world.rows()
    assert row.outcome is Outcome.CANCELLED
    assert row.usage == Usage(tokens, 0, source=UsageSource.ESTIMATED)

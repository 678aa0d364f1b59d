"""Callers of embeddings who come at once, on virtual time."""

import asyncio
import json
from typing import Any

import pytest

from forebay.model import Outcome
from tests.support.asgi import Reply
from tests.support.embedding_requests import (
    PATH,
    Picky,
    ask,
)
from tests.support.gateway import World
from tests.support.surfaces import SurfaceProvider, posted, surfaces
from tests.support.virtual_time import run_virtual


def together(world: World, *asked: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Answer a first caller, and others who come while its call is under way.

    Returns:
        The answers, and the inputs of each call.
    """
    provider = SurfaceProvider(takes_s=0.1)
    app = surfaces(world, world.gateway(provider))

    async def main() -> list[Reply]:
        return await asyncio.gather(
            *(posted(world, app, PATH, secret=secret, **request) for secret, request in asked)
        )

    answers = [reply.json() for reply in run_virtual(main())]
    return answers, [json.loads(request.body)["input"] for request in provider.requests]


def test_callers_of_a_tenant_share_a_call_and_its_usage() -> None:
    world = World()
    secret = world.secret(tenant="t")
    texts = [["a"], ["b b b b", "c c"], ["d d d d d d d d"]]
    answers, calls = together(world, *((secret, {"input": given}) for given in texts))

    assert calls == [["a"], ["b b b b", "c c", "d d d d d d d d"]]
    alone = [ask(World(), SurfaceProvider(), input=given).json()["data"] for given in texts]
    assert [answer["data"] for answer in answers] == alone
    # The provider counts the words between spaces: 1, and 12 for 14 words in three texts.
    assert [answer["usage"]["prompt_tokens"] for answer in answers] == [1, 5, 7]
    assert sorted(row.usage.input_tokens for row in world.rows()) == [1, 5, 7]


@pytest.mark.parametrize("difference", [{"dimensions": 8}, {"user": "u"}, {"input": [1]}])
def test_those_who_ask_otherwise_have_calls_of_their_own(difference: dict[str, Any]) -> None:
    world = World()
    secret = world.secret(tenant="t")
    requests = ({"input": ["a"]}, {"input": ["b"], **difference}, {"input": ["c"]})
    _, calls = together(world, *((secret, request) for request in requests))

    assert len(calls) == 3


def test_inv5_two_tenants_share_nothing() -> None:
    world = World()
    asked = [(world.secret(tenant=f"t{n % 2}"), {"input": [str(n)]}) for n in range(6)]
    _, calls = together(world, *asked)

    assert sorted(calls) == [["0"], ["1"], ["2", "4"], ["3", "5"]]


def test_one_caller_s_bad_input_does_not_fail_the_others() -> None:
    world = World()
    secret = world.secret()
    provider = Picky(takes_s=0.1)
    app = surfaces(world, world.gateway(provider))

    async def main() -> list[Reply]:
        return await asyncio.gather(
            *(posted(world, app, PATH, secret=secret, input=given) for given in "ab!c")
        )

    replies = run_virtual(main())
    assert [reply.status for reply in replies] == [200, 200, 400, 200]
    assert provider.calls == [["a"], ["b", "!", "c"], ["b"], ["!"], ["c"]]
    outcomes = [row.outcome for row in world.rows()]
    assert sorted(outcomes) == [*[Outcome.COMPLETE] * 3, Outcome.FAILED]

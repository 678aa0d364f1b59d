"""`POST /v1/embeddings`: what the caller gets, and what the ledger has of it."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from forebay.errors import UpstreamUnavailable
from forebay.model import AttemptResult, Outcome, UpstreamRequest, Usage, UsageSource
from forebay.service.catalog import Catalog, Target
from forebay.service.embedding import PART_BYTES
from forebay.service.target_dialects import ANTHROPIC, BEDROCK, GEMINI, TargetDialect
from tests.support.asgi import Reply
from tests.support.embedding_requests import (
    PATH,
    TWO,
    Picky,
    Tried,
    ask,
    ask_one_of,
    embeddings,
    told,
)
from tests.support.gateway import PRICE, World
from tests.support.surfaces import post, posted, surfaces
from tests.support.virtual_time import run_virtual

# --- an answer


def test_vectors_arrive_as_the_provider_wrote_them() -> None:
    world = World()
    reply = ask(world, told(TWO[:20], TWO[20:]))

    assert (reply.status, reply.ended, reply.raised) == (200, True, None)
    assert reply.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.1, 2]},
            {"object": "embedding", "index": 1, "embedding": [3, 4]},
        ],
        "model": "e-1",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def test_headers_say_who_answered_and_what_it_cost() -> None:
    world = World()
    reply = ask(world, told(TWO))

    assert {name: reply.headers[name] for name in reply.headers if not name.endswith("-id")} == {
        "content-type": "application/json",
        "cache-control": "no-cache",
        "x-forebay-target": "scripted/script-1",
        "x-forebay-attempts": "1",
        "x-forebay-cost-usd": "0.000002000",
    }


def test_inv2_the_row_has_what_the_provider_reported() -> None:
    world = World()
    reply = ask(world, told(TWO))

    (row,) = world.rows()
    assert row.request_id == reply.headers["x-forebay-request-id"]
    assert (row.outcome, row.status, row.stream) == (Outcome.COMPLETE, 200, False)
    assert row.usage == Usage(8, 0)
    assert row.cost_nano_usd == 8 * 250
    assert [attempt.result for attempt in row.attempts] == [AttemptResult.COMPLETE]


def test_where_nothing_is_reported_tokens_are_counted() -> None:
    world = World()
    reply = ask(world, told(embeddings([1], [2])), input=["12345678", "1234567"])

    (row,) = world.rows()
    assert row.usage == Usage(4, 0, source=UsageSource.ESTIMATED)
    assert reply.json()["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_the_target_s_own_model_is_asked_for_and_named() -> None:
    world, provider = World(), told(embeddings([1], [2], model=""))
    reply = ask(world, provider, new={"a": 1})

    assert provider.asked == {"model": "script-1", "input": ["a", "b"], "new": {"a": 1}}
    assert reply.json()["model"] == "script-1"


def test_a_long_answer_goes_out_in_parts() -> None:
    world = World()
    vector = [0.123456789] * 1000
    reply = ask(world, told(embeddings(*[vector] * 100)), input=["a"] * 100)

    assert [item["embedding"] for item in reply.json()["data"]] == [vector] * 100
    assert all(PART_BYTES <= len(part) < 2 * PART_BYTES for part in reply.parts[:-1])
    assert len(reply.parts) > 3


def test_a_repeated_request_is_not_asked_again() -> None:
    world, provider = World(), told(TWO)
    secret, app = world.secret(), surfaces(world, world.gateway(provider))
    repeated = {"secret": secret, "headers": {"idempotency-key": "k"}, "input": ["a", "b"]}
    first, second = (post(world, app, PATH, **repeated) for _ in range(2))

    assert (first.body, len(provider.requests)) == (second.body, 1)


# --- other targets


def test_gemini_is_asked_in_its_own_words() -> None:
    world = World()
    said = b'{"embeddings":[{"values":[1]},{"values":[2]}]}'
    provider = told(said)
    reply = ask(world, provider, GEMINI, encoding_format="base64")

    assert provider.requests[0].path == "/models/script-1:batchEmbedContents"
    assert [item["embedding"] for item in reply.json()["data"]] == ["AACAPw==", "AAAAQA=="]


@dataclass
class Titan:
    """Port `Provider`: embeds one text, as its length; the longest answers first."""

    fails_at: str = ""
    under_way: set[str] = field(default_factory=set)
    most_at_once: int = 0

    async def send(self, request: UpstreamRequest) -> Any:
        text = json.loads(request.body)["inputText"]
        self.under_way.add(text)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        try:
            await asyncio.sleep(1 / len(text))
        finally:
            self.under_way.discard(text)
        if text == self.fails_at:
            raise UpstreamUnavailable("away", target="aws")
        said = {"embedding": [len(text)], "inputTextTokenCount": len(text)}
        return await told(json.dumps(said).encode()).send(request)


def ask_titan(world: World, provider: Titan, *given: str) -> Reply:
    model = "amazon.titan-embed-text-v2:0"
    catalog = Catalog({"m": (Target("aws", provider, model, PRICE, BEDROCK),)}, {})
    app = surfaces(world, world.gateway_of(catalog))

    async def main() -> Reply:
        reply = await posted(world, app, PATH, input=given)
        await asyncio.sleep(0)  # what was given up may say so
        assert provider.under_way == set()
        return reply

    return run_virtual(main())


def test_titan_is_asked_for_each_input_and_the_answers_are_joined() -> None:
    world, provider = World(), Titan()
    reply = ask_titan(world, provider, "a", "bb", "ccc", "dddd", "eeeee", "ffffff")

    assert [item["embedding"] for item in reply.json()["data"]] == [[n] for n in range(1, 7)]
    assert reply.json()["usage"]["prompt_tokens"] == 21
    assert provider.most_at_once == 4
    assert [row.usage for row in world.rows()] == [Usage(21, 0)]


def test_when_one_part_fails_the_others_are_given_up() -> None:
    world = World()
    reply = ask_titan(world, Titan(fails_at="ffffff"), "ffffff", "a", "bb", "ccc", "dddd")

    assert reply.status == 503
    assert len(world.rows()) == 1


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ([[7] * 200_000, [8] * 200_000], 2),
        (["x" * 200_000, "y" * 200_000], 1),
        (["word " * 200_000, "word " * 200_000], 2),
        (["a"] * 2048, 4),
    ],
    ids=["token ids", "long words", "many words", "many inputs"],
)
def test_a_request_over_the_provider_s_limit_is_divided_and_the_answers_joined(
    given: list[Any], calls: int
) -> None:
    """Tokens are counted (here, words are) where the length alone does not settle it."""
    world, provider = World(), Picky()
    reply = ask(world, provider, input=given)

    assert len(provider.calls) == calls
    assert [each for inputs in provider.calls for each in inputs] == given
    assert [item["index"] for item in reply.json()["data"]] == list(range(len(given)))


UNABLE: dict[str, tuple[TargetDialect, str, dict[str, Any], str, str]] = {
    "Anthropic": (ANTHROPIC, "claude", {}, "model", "Anthropic"),
    "a model of Bedrock's that embeds nothing": (BEDROCK, "claude", {}, "model", "Titan"),
    "token ids": (GEMINI, "g", {"input": [1]}, "input", "token ids"),
    "an unknown field": (GEMINI, "g", {"new": 1}, "new", "new"),
    "too many calls": (
        BEDROCK,
        "amazon.titan-embed-text-v2:0",
        {"input": ["a"] * 65},
        "input",
        "64 at most",
    ),
}


@pytest.mark.parametrize(
    ("dialect", "model", "request_", "param", "words"), UNABLE.values(), ids=UNABLE
)
def test_what_a_target_cannot_do_is_refused_by_name(
    dialect: TargetDialect, model: str, request_: dict[str, Any], param: str, words: str
) -> None:
    world, provider = World(), told()
    reply = ask_one_of(world, Tried(provider, "p", dialect, model), **request_)

    assert (reply.status, reply.json()["error"]["param"]) == (400, param)
    assert words in reply.json()["error"]["message"]
    assert (provider.requests, world.rows()) == ([], [])


def test_a_target_that_cannot_is_passed_over_for_one_that_can() -> None:
    world = World()
    reply = ask_one_of(world, Tried(told(), "a", ANTHROPIC), Tried(told(TWO), "b"))

    assert (reply.status, reply.headers["x-forebay-target"]) == (200, "b/e")

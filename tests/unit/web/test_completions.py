"""`POST /v1/completions`: legacy completions of providers that speak OpenAI's API."""

import json
from typing import Any

import pytest

from forebay.errors import UpstreamCut
from forebay.model import Outcome, Usage
from forebay.ports import Provider
from forebay.service.target_dialects import (
    ANTHROPIC,
    BEDROCK,
    GEMINI,
    LOCALAI,
    OLLAMA,
    OPENAI,
    VLLM,
    TargetDialect,
)
from tests.support.asgi import Reply
from tests.support.gateway import World
from tests.support.surfaces import post, surfaces
from tests.support.told_provider import DONE, JSON, ToldProvider, event


def text(said: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": finish}
    return event({"object": "text_completion", "choices": [choice]})


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
STREAMED = (text("Hel"), text("lo"), text("", "stop"), event({"choices": [], "usage": USAGE}), DONE)
WHOLE = json.dumps(
    {"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}], "usage": USAGE}
).encode()


def ask(world: World, provider: Provider, dialect: TargetDialect = OPENAI, **request: Any) -> Reply:
    app = surfaces(world, world.gateway(provider, dialect=dialect))
    return post(world, app, "/v1/completions", **{"prompt": "Once", **request})


@pytest.mark.parametrize("dialect", [OPENAI, VLLM, OLLAMA, LOCALAI])
def test_a_whole_answer_arrives_byte_for_byte(dialect: TargetDialect) -> None:
    world, provider = World(), ToldProvider(WHOLE[:20], WHOLE[20:], headers=JSON)
    reply = ask(world, provider, dialect, echo=True)

    assert (reply.status, reply.body, reply.ended) == (200, WHOLE, True)
    assert provider.asked == {"model": "script-1", "prompt": "Once", "echo": True}
    assert provider.requests[0].path == "/completions"


def test_a_stream_arrives_event_by_event_as_the_provider_wrote_it() -> None:
    world = World()
    reply = ask(world, ToldProvider(*STREAMED), stream=True)

    assert reply.parts == [*STREAMED[:3], DONE]
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_usage_is_shown_with_its_cost_to_who_asked() -> None:
    world = World()
    reply = ask(world, ToldProvider(*STREAMED), stream=True, stream_options={"include_usage": True})

    assert reply.events()[-2]["usage"] == {**USAGE, "forebay": {"cost_usd": "0.000004750"}}


@pytest.mark.parametrize("stream", [True, False])
def test_inv2_the_row_has_what_the_provider_reported(*, stream: bool) -> None:
    world = World()
    provider = ToldProvider(*STREAMED) if stream else ToldProvider(WHOLE, headers=JSON)
    ask(world, provider, stream=stream)

    (row,) = world.rows()
    assert (row.outcome, row.usage, row.stream) == (Outcome.COMPLETE, Usage(3, 2), stream)


def test_inv3_a_stream_that_is_cut_ends_in_an_error() -> None:
    world = World()
    provider = ToldProvider(text("Hel"), UpstreamCut("it broke", target="p"))
    reply = ask(world, provider, stream=True)

    first, last = reply.events()
    assert first["choices"][0]["text"] == "Hel"
    assert last["error"]["code"] == "upstream_cut"
    assert b"[DONE]" not in reply.body
    assert [row.outcome for row in world.rows()] == [Outcome.CUT]


@pytest.mark.parametrize("early", [(text("Hel"),), (text("Hel"), DONE)])
def test_inv3_a_stream_without_a_finish_reason_ends_in_an_error(early: tuple[bytes, ...]) -> None:
    reply = ask(World(), ToldProvider(*early), stream=True)

    assert "error" in reply.events()[-1]
    assert b"[DONE]" not in reply.body


def test_inv3_a_whole_answer_without_a_finish_reason_is_refused() -> None:
    broken = b'{"choices":[{"index":0,"text":"Hel","finish_reason":null}]}'
    reply = ask(World(), ToldProvider(broken, headers=JSON))

    assert (reply.status, reply.json()["error"]["code"]) == (502, "upstream_garbled")


@pytest.mark.parametrize("dialect", [ANTHROPIC, GEMINI, BEDROCK])
@pytest.mark.parametrize("stream", [True, False])
def test_other_dialects_are_refused_with_what_to_use_instead(
    dialect: TargetDialect, *, stream: bool
) -> None:
    world, provider = World(), ToldProvider()
    reply = ask(world, provider, dialect, stream=stream)

    error = reply.json()["error"]
    assert (reply.status, error["param"]) == (400, "model")
    assert "/v1/chat/completions" in error["message"]
    assert (provider.requests, world.rows()) == ([], [])


@pytest.mark.parametrize("request_", [{"prompt": []}, {"n": 0}, {"body": b"{"}, {"prompt": 1}])
def test_what_is_none_is_refused(request_: dict[str, Any]) -> None:
    world, provider = World(), ToldProvider()
    reply = ask(world, provider, **request_)

    assert (reply.status, provider.requests, world.rows()) == (400, [], [])

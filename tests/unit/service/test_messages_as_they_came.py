"""Anthropic's callers at Anthropic's targets: nothing is translated, so nothing is lost."""

import asyncio
import json
from typing import Any

import pytest

from forebay.service.target_dialects import ANTHROPIC, OPENAI
from tests.support.asgi import Reply, call
from tests.support.gateway import World
from tests.support.streams import FOLDER
from tests.support.told_provider import JSON, ToldProvider

ONLY_ANTHROPICS: dict[str, Any] = {
    "model": "m",
    "max_tokens": 99,
    "container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]},
    "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    "messages": [
        {
            "role": "user",
            "content": [
                {
                    "type": "document",
                    "source": {"type": "url", "url": "https://example.com/a.pdf"},
                    "citations": {"enabled": True},
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        }
    ],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hi", "citations": [{"type": "page_location"}]}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 2},
}


def ask(
    world: World, provider: ToldProvider, asked: object, headers: dict[str, str] | None = None
) -> Reply:
    app = world.app(provider, dialect=ANTHROPIC)
    fields = {"x-api-key": world.secret(), **(headers or {})}
    return asyncio.run(call(app, "POST", "/v1/messages", headers=fields, body=asked))


def told() -> ToldProvider:
    return ToldProvider(json.dumps(MESSAGE, indent=1).encode(), headers=JSON)


def test_what_only_anthropic_knows_reaches_it() -> None:
    provider = told()

    reply = ask(World(), provider, ONLY_ANTHROPICS)

    assert reply.status == 200
    assert provider.asked == {**ONLY_ANTHROPICS, "model": "script-1"}


def test_its_answer_comes_back_byte_for_byte() -> None:
    assert ask(World(), told(), ONLY_ANTHROPICS).body == json.dumps(MESSAGE, indent=1).encode()


def test_what_it_took_is_entered_with_what_came_from_the_cache() -> None:
    world = World()

    ask(world, told(), ONLY_ANTHROPICS)

    (row,) = world.rows()
    assert (row.usage.input_tokens, row.usage.cached_input_tokens) == (40, 30)
    assert row.usage.output_tokens == 2


def test_betas_and_the_version_reach_it_and_no_other_header() -> None:
    provider = told()
    headers = {"anthropic-beta": "a,b", "anthropic-version": "2024-02-02", "x-other": "c"}

    ask(World(), provider, ONLY_ANTHROPICS, headers)

    assert provider.requests[0].headers == {
        "content-type": "application/json",
        "anthropic-beta": "a,b",
        "anthropic-version": "2024-02-02",
    }


def test_a_stream_shows_what_only_the_gateway_knows_in_its_last_usage() -> None:
    provider = ToldProvider((FOLDER / "anthropic_text.sse").read_bytes())

    reply = ask(World(), provider, {**ONLY_ANTHROPICS, "stream": True})

    (last,) = (part for part in reply.body.split(b"\n\n") if b"message_delta" in part)
    usage = json.loads(last.partition(b"data: ")[2])["usage"]
    assert usage == {"output_tokens": 15, "forebay": {"cost_usd": "0.000036250"}}


def test_without_a_reported_usage_text_is_counted_also_of_what_cannot_be_translated() -> None:
    world = World()
    block = {"type": "tomorrow", "words": "w" * 40}
    asked = {**ONLY_ANTHROPICS, "messages": [{"role": "critic", "content": [block]}]}
    provider = ToldProvider(json.dumps({**MESSAGE, "usage": None}).encode(), headers=JSON)

    reply = ask(world, provider, asked)

    (row,) = world.rows()
    assert (reply.status, row.usage.source) == (200, "estimated")
    assert row.usage.input_tokens >= 10


@pytest.mark.parametrize("field", ["container", "tools", "messages"])
def test_a_target_of_another_dialect_refuses_it_by_name(field: str) -> None:
    world, provider = World(), ToldProvider()
    hello = [{"role": "user", "content": "hi"}]
    asked = {"model": "m", "max_tokens": 9, "messages": hello, field: ONLY_ANTHROPICS[field]}
    app = world.app(provider, dialect=OPENAI)

    headers = {"x-api-key": world.secret()}
    reply = asyncio.run(call(app, "POST", "/v1/messages", headers=headers, body=asked))

    assert reply.status == 400
    assert field in reply.json()["error"]["message"]
    assert (provider.requests, world.rows()) == ([], [])

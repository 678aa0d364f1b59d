"""What official SDKs make of a repeated request: they wait as they are told, and get the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from starlette.types import Receive, Scope, Send

from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.dialects.question import chat_question, messages_question
from forebay.model import KeyRecord, KeyStatus
from forebay.service.account import Call
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.web.errors import ErrorBoundary
from forebay.web.request import headers, read_body
from tests.support.gateway import GUARD_S, World
from tests.support.told_provider import JSON, ToldProvider

KEY = KeyRecord("k", "k", "", "t", None, (), KeyStatus.ACTIVE, 1, 0.0)
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "script-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
ONCE = {"Idempotency-Key": "order-17"}


@dataclass
class Door:
    """The least of an application around a gateway: no keys, two paths, answers in one piece."""

    world: World
    gateway: Gateway
    records: MemoryIdempotencyRecords = field(default_factory=MemoryIdempotencyRecords)
    calls: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        world, fields, body = self.world, headers(scope), await read_body(receive)
        is_chat = scope["path"].endswith("/chat/completions")
        asked = chat_question(body) if is_chat else messages_question(body, fields)
        idempotency = Idempotency(self.records, world.telemetry(), world.clock)
        self.calls += 1
        now, started = world.clock.now(), world.clock.monotonic()
        call = Call(f"id-{self.calls}", KEY, now, started, headers=fields)
        async with idempotency.answering(
            call, scope["path"], body, lambda: self.gateway.answer(asked, call)
        ) as answer:
            whole = answer.first + b"".join([part async for part in answer.rest])
            named = {"content-type": "application/json", **answer.headers}
            pairs = [(name.encode(), value.encode()) for name, value in named.items()]
            await send({"type": "http.response.start", "status": 200, "headers": pairs})
            await send({"type": "http.response.body", "body": whole})

    def http(self) -> httpx2.AsyncClient:
        app = ErrorBoundary(self, self.world.telemetry())
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app))


@dataclass
class Naps:
    """Stands in for an SDK's waiting: what it was told, and what happens meanwhile."""

    meanwhile: asyncio.Event
    first: list[asyncio.Task[Any]] = field(default_factory=list)
    told: list[Mapping[str, str]] = field(default_factory=list)

    async def nap(self, response: httpx2.Response | None) -> None:
        assert response is not None
        assert response.status_code == 409
        self.told.append(dict(response.headers))
        self.meanwhile.set()
        await asyncio.wait(self.first)


@dataclass(frozen=True)
class Sdk:
    """An official SDK, and how it asks."""

    client: type[Any]
    url: str
    ask: Callable[..., Awaitable[Any]]


async def chat(client: openai.AsyncOpenAI, content: str = "hi") -> Any:
    return await client.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": content}], extra_headers=ONCE
    )


async def message(client: anthropic.AsyncAnthropic, content: str = "hi") -> Any:
    return await client.messages.with_raw_response.create(
        model="m",
        messages=[{"role": "user", "content": content}],
        max_tokens=9,
        extra_headers=ONCE,
    )


OPENAI = Sdk(openai.AsyncOpenAI, "http://forebay/v1", chat)
ANTHROPIC = Sdk(anthropic.AsyncAnthropic, "http://forebay", message)
each_sdk = pytest.mark.parametrize("sdk", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])


def asked_twice(sdk: Sdk, *, retries: int = 1) -> tuple[Any, Any, Naps, ToldProvider]:
    """Ask a second time while the first request runs, 3 s after it began."""

    async def main() -> tuple[Any, Any, Naps, ToldProvider]:
        world, may_answer = World(), asyncio.Event()
        provider = ToldProvider(may_answer, REPLY, headers=JSON)
        naps = Naps(may_answer)

        class Napping(sdk.client):  # type: ignore[misc, name-defined]
            async def _sleep_for_retry(self, **told: Any) -> None:
                await naps.nap(told["response"])

        async with Door(world, world.gateway(provider)).http() as http:
            client = Napping(api_key="k", base_url=sdk.url, http_client=http, max_retries=retries)
            naps.first.append(asyncio.ensure_future(sdk.ask(client)))
            await provider.waiting.wait()
            world.clock.advance(3)
            try:
                again = await sdk.ask(client)
            finally:
                may_answer.set()
                first = await naps.first[0]
            return first, again, naps, provider

    return asyncio.run(asyncio.wait_for(main(), GUARD_S))


def asked_two_things(sdk: Sdk) -> Any:
    """Ask something else under the same key, after the first answer."""

    async def main() -> Any:
        world = World()
        provider = ToldProvider(REPLY, headers=JSON)
        async with Door(world, world.gateway(provider)).http() as http:
            client = sdk.client(api_key="k", base_url=sdk.url, http_client=http)
            await sdk.ask(client)
            return await sdk.ask(client, content="ho")

    return asyncio.run(asyncio.wait_for(main(), GUARD_S))


@each_sdk
def test_an_sdk_waits_for_the_first_request_and_gets_its_answer(sdk: Sdk) -> None:
    first, again, naps, provider = asked_twice(sdk)

    assert [(told["retry-after"], told["x-should-retry"]) for told in naps.told] == [("3", "true")]
    assert again.http_response.content == first.http_response.content
    assert again.headers["x-forebay-idempotent-replay"] == "true"
    assert "x-forebay-idempotent-replay" not in first.headers
    assert len(provider.requests) == 1


def test_a_repeated_answer_is_as_good_as_the_first() -> None:
    again = asked_twice(OPENAI)[1].parse()

    assert isinstance(again, ChatCompletion)
    assert again.choices[0].message.content == "Hello"


def told_by(error: Any) -> dict[str, Any]:
    """What the error's body says, but for its wording."""
    said: dict[str, Any] = error.response.json()["error"]
    assert "Idempotency-Key" in said.pop("message")
    return said


def test_an_sdk_that_does_not_wait_says_that_it_is_a_conflict() -> None:
    with pytest.raises(openai.ConflictError) as caught:
        asked_twice(OPENAI, retries=0)
    assert told_by(caught.value) == {
        "type": "invalid_request_error",
        "param": None,
        "code": "idempotency_key_in_use",
    }


def test_a_conflict_has_anthropic_s_own_type_where_that_is_spoken() -> None:
    with pytest.raises(anthropic.ConflictError) as caught:
        asked_twice(ANTHROPIC, retries=0)
    assert told_by(caught.value) == {"type": "conflict_error"}


def test_another_body_is_refused_and_not_tried_again() -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        asked_two_things(OPENAI)
    assert told_by(caught.value) == {
        "type": "invalid_request_error",
        "param": None,
        "code": "idempotency_key_reused",
    }


def test_another_body_is_refused_in_anthropic_s_words_where_they_are_spoken() -> None:
    with pytest.raises(anthropic.UnprocessableEntityError) as caught:
        asked_two_things(ANTHROPIC)
    assert told_by(caught.value) == {"type": "invalid_request_error"}

"""Azure OpenAI over real sockets, side by side with OpenAI's own client for it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import openai
import pytest

from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.authentication import ApiKey
from forebay.adapters.providers.azure import azure_paths
from forebay.adapters.providers.http import HttpAddress, HttpProvider
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.model import UpstreamRequest, Usage
from forebay.settings import KeyHeader, TimeoutSettings
from tests.contract.providers.line import GUARD_S, SIZED, body_of
from tests.support.upstream import Upstream

BODY = b'{"model":"gpt 5/mini","messages":[]}'
REQUEST = UpstreamRequest("/chat/completions", {"content-type": "application/json"}, BODY, False)
COMPLETION = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": []}
).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(COMPLETION),
    COMPLETION,
)


Ask = Callable[[str], Awaitable[object]]
"""Sends one request to an address."""


def request_of(ask: Ask, said: bytes) -> tuple[str, dict[str, str], Any]:
    """Return what a client sent: its target, its headers, its body."""

    async def main() -> bytes:
        async with asyncio.timeout(GUARD_S), Upstream() as upstream:
            asking = asyncio.ensure_future(ask(f"http://127.0.0.1:{upstream.port}"))
            peer = await upstream.accepted()
            request = await peer.request()
            peer.say(said)
            await asking
            return request

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    return first.split(" ")[1], headers, json.loads(body)


def ours(
    api_version: str, header: KeyHeader = KeyHeader.API_KEY, request: UpstreamRequest = REQUEST
) -> tuple[str, Any, Any]:
    async def ask(url: str) -> object:
        async def find_key() -> str | None:
            return "secret"

        pool = ConnectionPool(ManualClock())
        address = HttpAddress(url, azure_paths(api_version))
        provider = HttpProvider("azure", address, ApiKey(find_key, header), TimeoutSettings(), pool)
        body = await body_of(await provider.send(request))
        pool.close()
        return body

    return request_of(ask, SIZED)


def theirs(make: Callable[[str], openai.AsyncOpenAI]) -> tuple[str, Any, Any]:
    async def ask(url: str) -> object:
        async with make(url) as client:
            return await client.chat.completions.create(model="gpt 5/mini", messages=[])

    return request_of(ask, REPLY)


def test_a_dated_version_is_asked_as_openai_s_client_asks_it() -> None:
    def make(url: str) -> openai.AsyncOpenAI:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=url, api_key="secret", api_version="2024-10-21", max_retries=0
        )

    target, headers, body = theirs(make)
    our_target, our_headers, our_body = ours("2024-10-21")

    assert our_target == target
    assert our_target == (
        "/openai/deployments/gpt%205%2Fmini/chat/completions?api-version=2024-10-21"
    )
    assert our_headers["api-key"] == headers["api-key"] == "secret"
    assert "authorization" not in our_headers
    assert our_body == body  # `model` stays in it


def test_v1_is_asked_as_openai_s_client_asks_it() -> None:
    """Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle."""
    target, _, body = theirs(
        lambda url: openai.AsyncOpenAI(
            base_url=f"{url}/openai/v1/", api_key="secret", max_retries=0
        )
    )
    our_target, our_headers, our_body = ours("v1")
    assert our_target == target == "/openai/v1/chat/completions"
    assert our_headers["api-key"] == "secret"
    assert our_body == body


def test_a_token_of_entra_goes_where_openai_s_client_puts_it() -> None:
    def make(url: str) -> openai.AsyncOpenAI:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=url, azure_ad_token="secret", api_version="2024-10-21", max_retries=0
        )

    _, headers, _ = theirs(make)
    _, our_headers, _ = ours("2024-10-21", KeyHeader.BEARER)
    assert our_headers["authorization"] == headers["authorization"] == "Bearer secret"
    assert "api-key" not in our_headers


@pytest.mark.parametrize("header", [KeyHeader.X_API_KEY, KeyHeader.X_GOOG_API_KEY])
def test_other_providers_have_fields_of_their_own_for_the_key(header: KeyHeader) -> None:
    _, headers, _ = ours("v1", header)
    assert headers[header.value] == "secret"
    assert "authorization" not in headers


# --- beside chat
# Source: https://learn.microsoft.com/azure/ai-foundry/openai/reference (Completions, Embeddings)

EMBEDDINGS = (
    "/embeddings",
    b'{"model":"gpt 5/mini","input":["a"],"encoding_format":"float"}',
    b'{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}',
    lambda client: client.embeddings.create(
        model="gpt 5/mini", input=["a"], encoding_format="float"
    ),
)
COMPLETIONS = (
    "/completions",
    b'{"model":"gpt 5/mini","prompt":"a"}',
    b'{"id":"1","object":"text_completion","created":0,"model":"m","choices":[]}',
    lambda client: client.completions.create(model="gpt 5/mini", prompt="a"),
)


@pytest.mark.parametrize(
    ("path", "body", "reply", "create"), [EMBEDDINGS, COMPLETIONS], ids=lambda each: str(each)[:12]
)
@pytest.mark.parametrize("api_version", ["v1", "2024-10-21"])
def test_other_surfaces_are_asked_as_openai_s_client_asks_them(
    path: str, body: bytes, reply: bytes, create: Callable[[Any], Any], api_version: str
) -> None:
    def client(url: str) -> openai.AsyncOpenAI:
        if api_version == "v1":
            url = f"{url}/openai/v1/"
            return openai.AsyncOpenAI(base_url=url, api_key="secret", max_retries=0)
        return openai.AsyncAzureOpenAI(
            azure_endpoint=url, api_key="secret", api_version=api_version, max_retries=0
        )

    async def ask(url: str) -> object:
        async with client(url) as asking:
            return await create(asking)

    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    target, _, their_body = request_of(ask, head % len(reply) + reply)
    request = UpstreamRequest(path, {"content-type": "application/json"}, body, False)
    our_target, _, our_body = ours(api_version, request=request)

    assert (our_target, our_body) == (target, their_body)


# --- what Azure's filter adds to a stream
# Source: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming

SAFE = {"hate": {"filtered": False, "severity": "safe"}}
CHUNKS: list[dict[str, Any]] = [
    {
        "choices": [],
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
    },
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}],
    },
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "Hé"}, "content_filter_results": SAFE}],
    },
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    },
    {
        "id": "",
        "object": "",
        "choices": [
            {
                "index": 0,
                "finish_reason": None,
                "content_filter_offsets": {"check_offset": 0, "start_offset": 0, "end_offset": 2},
                "content_filter_results": SAFE,
            }
        ],
    },
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    },
]
STREAM = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in CHUNKS)


@pytest.mark.parametrize("show_usage", [True, False])
def test_what_the_filter_adds_is_passed_on_and_breaks_nothing(show_usage: bool) -> None:  # noqa: FBT001 - a case
    stream = ChatStream(show_usage=show_usage)
    passed_on = stream.feed(STREAM + b"data: [DONE]\n\n") + stream.end()
    assert "".join(stream.text) == "Hé"
    assert stream.usage == Usage(5, 2)
    assert b"prompt_filter_results" in passed_on
    assert passed_on.endswith(b"data: [DONE]\n\n")


def test_openai_s_client_reads_an_azure_stream_that_was_passed_on() -> None:
    stream = ChatStream(show_usage=True)
    passed_on = stream.feed(STREAM + b"data: [DONE]\n\n") + stream.end()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
    texts: list[str] = []

    async def ask(url: str) -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            chunks = await client.chat.completions.create(model="m", messages=[], stream=True)
            async for chunk in cast("Any", chunks):
                texts.extend(each.delta.content or "" for each in chunk.choices if each.delta)

    request_of(ask, head % len(passed_on) + passed_on)
    assert "".join(texts) == "Hé"

"""Embeddings and legacy completions, in process: the routes, and a provider that has both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp

from forebay.adapters.providers.scripted import ScriptedReply
from forebay.adapters.providers.scripted_surfaces import writer_for
from forebay.dialects.question import completions_question
from forebay.model import UpstreamRequest
from forebay.service.authentication import Authenticator
from forebay.service.embedding import Embedder
from forebay.service.embedding_targets import EmbeddingTargets
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.settings import ScriptedSettings
from forebay.web.answers import Answers
from forebay.web.app import RequestIds
from forebay.web.embeddings import Embeddings
from forebay.web.errors import ErrorBoundary
from tests.support.asgi import Reply, call
from tests.support.gateway import GUARD_S, World


class WordCounter:
    """Port `TokenCounter`: a word is a token."""

    async def count(self, text: str, *, model: str) -> int:  # noqa: ARG002 - the port's
        return len(text.split())


def surfaces(world: World, gateway: Gateway) -> ASGIApp:
    """Build an application with the two routes alone."""
    authenticator = Authenticator(world.keys, world.clock)
    embedder = Embedder(gateway, EmbeddingTargets(WordCounter()))
    idempotency = Idempotency(world.records, world.telemetry(), world.clock)
    embeddings = Embeddings(embedder, authenticator, idempotency, world.clock)
    completions = Answers(
        lambda body, _: completions_question(body),
        gateway,
        authenticator,
        idempotency,
        world.clock,
    )
    return Starlette(
        routes=[
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/completions", completions, methods=["POST"]),
        ],
        middleware=[
            Middleware(RequestIds, world.clock, world.entropy),
            Middleware(ErrorBoundary, world.telemetry()),
        ],
    )


def post(world: World, app: ASGIApp, path: str, **request: Any) -> Reply:
    """Post a request with a good key, and wait for its end."""

    async def main() -> Reply:
        async with asyncio.timeout(GUARD_S):
            return await posted(world, app, path, **request)

    return asyncio.run(main())


async def posted(
    world: World,
    app: ASGIApp,
    path: str,
    *,
    secret: str = "",
    headers: dict[str, str] | None = None,
    break_after: int | None = None,
    body: bytes = b"",
    **request: Any,
) -> Reply:
    """Post a request with a good key."""
    return await call(
        app,
        "POST",
        path,
        headers={"authorization": f"Bearer {secret or world.secret()}", **(headers or {})},
        body=body or {"model": "m", **request},
        break_after=break_after,
    )


def sdk(app: ASGIApp, secret: str) -> openai.AsyncOpenAI:
    """OpenAI's own client, talking to an application in process."""
    line = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
    return openai.AsyncOpenAI(
        base_url="http://forebay/v1", api_key=secret, http_client=line, max_retries=0
    )


@dataclass
class SurfaceProvider:
    """Port `Provider`: answers embeddings and completions as the scripted provider does."""

    requests: list[UpstreamRequest] = field(default_factory=list)
    script: ScriptedSettings = field(default_factory=lambda: ScriptedSettings(tokens=3))
    takes_s: float = 0.0
    """Until it answers."""

    async def send(self, request: UpstreamRequest) -> ScriptedReply:
        self.requests.append(request)
        await asyncio.sleep(self.takes_s)
        content_type = "text/event-stream" if request.stream else "application/json"
        return ScriptedReply(200, {"content-type": content_type}, self._play(request))

    async def _play(self, request: UpstreamRequest) -> AsyncGenerator[bytes]:
        writer = writer_for(request, self.script)
        if not request.stream:
            yield writer.whole()
            return
        yield writer.opening()
        for part in (*writer.pieces(), *writer.closing()):
            yield part

"""The public API as one ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forebay.admission.hold import held_id
from forebay.dialects.question import (
    Question,
    chat_question,
    completions_question,
    messages_question,
    responses_question,
)
from forebay.ports import Clock, Entropy, Telemetry, TokenCounter
from forebay.service.authentication import Authenticator
from forebay.service.embedding import Embedder
from forebay.service.embedding_targets import EmbeddingTargets
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.service.ids import new_ulid
from forebay.web.answers import Answers
from forebay.web.count_tokens import CountTokens
from forebay.web.embeddings import Embeddings
from forebay.web.errors import ErrorBoundary, refuse_unrouted, send_json
from forebay.web.models import Models

EXPOSED_HEADERS = (
    "x-forebay-request-id",
    "x-forebay-target",
    "x-forebay-attempts",
    "x-forebay-cost-usd",
    "x-forebay-idempotent-replay",
    "x-forebay-output-limit",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-should-retry",
    "retry-after",
)
"""What a browser's script may read of a reply."""


class RequestIds:
    """Gives each request an id and says it in `x-forebay-request-id`, whatever the outcome.

    `x-request-id` has it too: OpenAI's SDKs show that one in their errors.
    """

    def __init__(self, app: ASGIApp, clock: Clock, entropy: Entropy) -> None:
        self._app = app
        self._clock = clock
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = held_id(new_ulid(self._clock.now(), self._entropy.token_bytes(10)))
        scope.setdefault("state", {})["request_id"] = request_id
        fields = [(b"x-forebay-request-id", request_id.encode())]
        fields.append((b"x-request-id", request_id.encode()))

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *fields]
            await send(message)

        await self._app(scope, receive, labelled)


class Health:
    """`GET /v1/healthz`: this process is up. It asks neither store nor provider."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        await send_json(send, {"status": "ok"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; `forebay.wiring` makes it."""

    gateway: Gateway
    authenticator: Authenticator
    idempotency: Idempotency
    telemetry: Telemetry
    clock: Clock
    entropy: Entropy
    counter: TokenCounter


def build_app(parts: Parts) -> ASGIApp:
    """Build the application."""
    answering = (parts.gateway, parts.authenticator, parts.idempotency, parts.clock)

    def answers(parse: Callable[[bytes], Question]) -> Answers:
        return Answers(lambda body, _headers: parse(body), *answering)

    catalog = parts.gateway.catalog
    embeddings = Embeddings(
        Embedder(parts.gateway, EmbeddingTargets(parts.counter)),
        parts.authenticator,
        parts.idempotency,
        parts.clock,
    )
    models = Models(catalog, parts.authenticator)
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", answers(chat_question), methods=["POST"]),
            Route("/v1/completions", answers(completions_question), methods=["POST"]),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/responses", answers(responses_question), methods=["POST"]),
            Route("/v1/messages", Answers(messages_question, *answering), methods=["POST"]),
            Route(
                "/v1/messages/count_tokens",
                CountTokens(parts.counter, catalog, parts.authenticator),
                methods=["POST"],
            ),
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/models/{model:path}", models, methods=["GET"]),
            Route("/v1/healthz", Health(), methods=["GET"]),
        ],
        middleware=[
            Middleware(RequestIds, parts.clock, parts.entropy),
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=list(EXPOSED_HEADERS),
            ),
            Middleware(ErrorBoundary, parts.telemetry),
        ],
        exception_handlers={HTTPException: refuse_unrouted},
    )
    # A redirect would name the host and the path as the app sees them, not as its caller does.
    app.router.redirect_slashes = False
    return app

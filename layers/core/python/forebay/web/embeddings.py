"""`POST /v1/embeddings`."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from forebay.dialects.embeddings import parse_request
from forebay.ports import Clock
from forebay.service.account import Call
from forebay.service.authentication import Authenticator
from forebay.service.embedding import Embedder
from forebay.service.gateway import Answer
from forebay.service.idempotency import Idempotency
from forebay.web.request import headers, invocation_end, presented_key, read_body, source_ip


class Embeddings:
    """Answers requests for embeddings.

    Args:
        embedder: Answers.
        authenticator: Knows the callers.
        idempotency: Gives repeated requests the answer that they had.
        clock: Dates the requests.
    """

    def __init__(
        self,
        embedder: Embedder,
        authenticator: Authenticator,
        idempotency: Idempotency,
        clock: Clock,
    ) -> None:
        self._embedder = embedder
        self._authenticator = authenticator
        self._idempotency = idempotency
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        arrived_at, started = self._clock.now(), self._clock.monotonic()
        self._embedder.gateway.dispatch.fleet.begin()
        key = await self._authenticator.authenticate(
            presented_key(scope), source_ip=source_ip(scope)
        )
        body = await read_body(receive)
        asked = parse_request(body)
        call = Call(
            scope["state"]["request_id"],
            key,
            arrived_at=arrived_at,
            started=started,
            headers=headers(scope),
            ends_at=invocation_end(scope),
        )
        answering = self._idempotency.answering(
            call, str(scope["path"]), body, lambda: self._embedder.answer(asked, call)
        )
        async with answering as answer:
            await _send_answer(answer, send)


async def _send_answer(answer: Answer, send: Send) -> None:
    fields = {"content-type": "application/json", "cache-control": "no-cache", **answer.headers}
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": answer.first, "more_body": True})
    async for part in answer.rest:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})

"""`POST /v1/chat/completions`, `/v1/messages`, `/v1/responses`: one way for every dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from forebay.dialects.question import Question
from forebay.errors import ForebayError, UpstreamUnavailable
from forebay.ports import Clock
from forebay.routing.equal_requests import flight_key
from forebay.service.account import Call
from forebay.service.authentication import Authenticator
from forebay.service.gateway import Answer, Gateway
from forebay.service.idempotency import Idempotency
from forebay.web.errors import error_event
from forebay.web.request import headers, invocation_end, presented_key, read_body, source_ip

_NAMED_EVENT = b"\ndata: "
"""In each event that has a name, once: the data that our writers write is one line."""


class Answers:
    """Answers the requests of one dialect, streamed or whole.

    Args:
        parse: Reads a request: its body and its headers, names in lower case.
        gateway: Answers.
        authenticator: Knows the callers.
        idempotency: Gives repeated requests the answer that they had.
        clock: Dates the requests.
    """

    def __init__(
        self,
        parse: Callable[[bytes, Mapping[str, str]], Question],
        gateway: Gateway,
        authenticator: Authenticator,
        idempotency: Idempotency,
        clock: Clock,
    ) -> None:
        self._parse = parse
        self._gateway = gateway
        self._authenticator = authenticator
        self._idempotency = idempotency
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        arrived_at, started = self._clock.now(), self._clock.monotonic()
        self._gateway.dispatch.fleet.begin()
        key = await self._authenticator.authenticate(
            presented_key(scope), source_ip=source_ip(scope)
        )
        fields = headers(scope)
        body = await read_body(receive)
        asked = self._parse(body, fields)
        path = str(scope["path"])
        call = Call(
            scope["state"]["request_id"],
            key,
            arrived_at=arrived_at,
            started=started,
            headers=fields,
            flight=flight_key(tenant=key.tenant, path=path, headers=fields, body=body),
            ends_at=invocation_end(scope),
        )
        answering = self._idempotency.answering(
            call, path, body, lambda: self._gateway.answer(asked, call)
        )
        async with answering as answer:
            await _send_answer(answer, scope, send)


async def _send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    content_type = "text/event-stream; charset=utf-8" if answer.stream else "application/json"
    fields = {"content-type": content_type, "cache-control": "no-cache", **answer.headers}
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }
    )
    events = answer.first.count(_NAMED_EVENT)
    try:
        await _send_part(send, answer.first)
        async for part in answer.rest:
            events += part.count(_NAMED_EVENT)
            await _send_part(send, part)
    except ForebayError as error:
        with suppress(OSError):  # what happened first is what is told
            await _send_part(send, error_event(error, scope, events=events))
        raise
    except asyncio.CancelledError:
        # Time is up, or the way to the caller broke. If it still stands, it gets the truth.
        with suppress(OSError):
            await _send_part(send, error_event(_out_of_time(answer), scope, events=events))
        raise
    await send({"type": "http.response.body"})


async def _send_part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})


def _out_of_time(answer: Answer) -> UpstreamUnavailable:
    target = answer.headers["x-forebay-target"]
    return UpstreamUnavailable("The answer was not whole when its time was up.", target=target)

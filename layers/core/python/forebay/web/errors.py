"""The one place where errors become HTTP: status, headers and body in the caller's dialect.

Source: https://platform.openai.com/docs/guides/error-codes. After the first byte of a stream
there is no status left: then the same body goes out as an error event (`error_event`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forebay import errors
from forebay.dialects import anthropic_messages_errors as anthropic
from forebay.dialects import openai_responses_errors as responses
from forebay.dialects import sse
from forebay.ports import Telemetry

STATUS: dict[type[errors.ForebayError], int] = {
    errors.InvalidRequest: 400,
    errors.CallerError: 400,
    errors.AuthenticationFailed: 401,
    errors.PermissionDenied: 403,
    errors.ModelNotFound: 404,
    errors.NotFound: 404,
    errors.IdempotencyKeyInUse: 409,
    errors.PayloadTooLarge: 413,
    errors.IdempotencyKeyReused: 422,
    errors.LimitExceeded: 429,
    errors.BudgetSpent: 429,
    errors.UpstreamError: 502,
    errors.UpstreamUnavailable: 503,
    errors.UpstreamGarbled: 502,
    errors.UpstreamCut: 502,
    errors.StoreError: 503,
    errors.ConfigurationError: 500,
    errors.ForebayError: 500,
}
"""Status by class; the most specific class wins. `UpstreamRefused` depends on what was said."""

PASSED_ON = frozenset({400, 404, 408, 409, 413, 415, 422, 429})
"""Statuses of a provider that speak of the request or of patience, so they are the caller's too.

401 and 403 are not: they speak of the gateway's own credentials.
"""

ANTHROPIC_PATHS = ("/v1/messages",)
"""Where callers speak Anthropic's dialect; everywhere else it is OpenAI's."""

RESPONSES_PATHS = ("/v1/responses",)
"""Where streams are those of OpenAI's Responses API."""

RETRY_AFTER_STORE_S = 1
"""Advice when our own store is out of reach or throttled; it recovers in about a second."""


def http_error(error: errors.ForebayError) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and body for an error."""
    status = _status(error)
    return status, _headers(error), {"error": _body(error, status)}


def error_event(error: errors.ForebayError, scope: Scope, *, events: int = 0) -> bytes:
    """Write an error into a stream that has begun, in the caller's dialect.

    Args:
        error: What happened.
        scope: Of the request.
        events: How many named events went before it.
    """
    status, _, body = http_error(error)
    if _speaks_anthropic(scope):
        return anthropic.error_event(status, body["error"]["message"], request_id=_id(scope))
    if _speaks_responses(scope):
        return responses.error_event(body["error"], sequence_number=events)
    return sse.event(msgspec.json.encode(body))


def _speaks_anthropic(scope: Scope) -> bool:
    return str(scope["path"]).startswith(ANTHROPIC_PATHS)


def _speaks_responses(scope: Scope) -> bool:
    return str(scope["path"]).startswith(RESPONSES_PATHS)


def _id(scope: Scope) -> str | None:
    request_id: str | None = scope.get("state", {}).get("request_id")
    return request_id


def _status(error: errors.ForebayError) -> int:
    if isinstance(error, errors.UpstreamRefused):
        if error.status in PASSED_ON:
            return error.status
        return 503 if error.status == 503 else 502
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _headers(error: errors.ForebayError) -> dict[str, str]:
    match error:
        case errors.LimitExceeded() | errors.IdempotencyKeyInUse():
            headers = {"retry-after": str(math.ceil(error.retry_after_s))}
            if isinstance(error, errors.IdempotencyKeyInUse):
                # Said aloud: not every SDK takes a 409 as a reason to wait and ask again.
                headers["x-should-retry"] = "true"
            return headers
        case errors.BudgetSpent():
            # Else each SDK would try a 429 twice more; time alone will not help.
            return {"x-should-retry": "false"}
        case errors.UpstreamError():
            said = error.headers if isinstance(error, errors.UpstreamRefused) else {}
            return {"x-forebay-target": error.target, **said}
        case errors.StoreError():
            return {"retry-after": str(RETRY_AFTER_STORE_S)}
        case errors.AuthenticationFailed():
            return {"www-authenticate": "Bearer"}
        case _:
            return {}


def _body(error: errors.ForebayError, status: int) -> dict[str, Any]:
    given: Mapping[str, Any] = {}
    if isinstance(error, errors.UpstreamRefused) and (status in PASSED_ON or error.status < 300):
        # The provider speaks of the caller's request: in its own words, less its account's.
        given = error.error or {}
    kind = error.code if isinstance(error, errors.BudgetSpent) else _type(status)  # as OpenAI does
    return {
        "message": str(given.get("message") or error.message),
        "type": str(given.get("type") or kind),
        "param": given.get("param", getattr(error, "param", None)),
        "code": given.get("code", error.code),
    }


def _type(status: int) -> str:
    """OpenAI's `type` for a status."""
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _ if status < 500:
            return "invalid_request_error"
        case _:
            return "server_error"


async def send_error(scope: Scope, send: Send, error: errors.ForebayError) -> None:
    """Answer with an error, in the caller's dialect."""
    status, headers, body = http_error(error)
    if _speaks_anthropic(scope):
        said = anthropic.error_body(status, body["error"]["message"], request_id=_id(scope))
        await send_json(send, msgspec.Raw(said), status=status, headers=headers)
    else:
        await send_json(send, body, status=status, headers=headers)


async def send_json(
    send: Send, body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with a JSON document."""
    encoded = msgspec.json.encode(body)
    fields = {
        "content-type": "application/json",
        "content-length": str(len(encoded)),
        **(headers or {}),
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": encoded})


async def refuse_unrouted(request: Request, error: Exception) -> Response:
    """The router's own refusals: no such path, no such method (a Starlette exception handler)."""
    refusal = cast("HTTPException", error)
    code = "method_not_allowed" if refusal.status_code == 405 else "unknown_url"
    body = {
        "message": f"{refusal.detail}: {request.method} {request.scope['path'][:200]}",
        "type": _type(refusal.status_code),
        "param": None,
        "code": code,
    }
    return Response(
        msgspec.json.encode({"error": body}),
        refusal.status_code,
        refusal.headers,
        media_type="application/json",
    )


class ErrorBoundary:
    """Turns what is raised inside into a reply, as long as none has begun.

    Once one has begun, the error goes on to the runtime, which marks the answer as broken.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except errors.ForebayError as error:
            if started:
                raise
            await send_error(scope, send, error)
        except ConnectionError:
            raise  # the way to the caller broke; there is nobody to answer
        except Exception as error:  # noqa: BLE001 - the one map of errors to HTTP
            # The fault is ours. Its text may quote a prompt, so only its class and place are told.
            fault = errors.ForebayError(f"internal error ({type(error).__qualname__})")
            self._telemetry.incident(fault.code, fault.message)
            if not started:
                await send_error(scope, send, fault)
            raise fault.with_traceback(error.__traceback__) from None

"""Every error has its HTTP reply, in OpenAI's shape; after the first byte it is an event."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from forebay import errors
from forebay.dialects.canonical import Conversation, Unsupported
from forebay.errors import ForebayError
from forebay.web.errors import STATUS, ErrorBoundary, error_event, http_error
from tests.support.asgi import Reply, call
from tests.support.gateway import World


def refused(status: int, error: dict[str, Any] | None = None) -> errors.UpstreamRefused:
    return errors.UpstreamRefused(
        "refused", target="p/m", status=status, headers={"retry-after": "3"}, error=error
    )


INSTANCES: dict[type[ForebayError], ForebayError] = {
    errors.ForebayError: ForebayError("m"),
    errors.CallerError: errors.CallerError("m"),
    errors.InvalidRequest: errors.InvalidRequest("m", param="n"),
    errors.CostNotBounded: errors.CostNotBounded("m", param="audio"),
    errors.PayloadTooLarge: errors.PayloadTooLarge("m"),
    errors.AuthenticationFailed: errors.AuthenticationFailed("m"),
    errors.PermissionDenied: errors.PermissionDenied("m"),
    errors.ModelNotFound: errors.ModelNotFound("m", param="model"),
    errors.NotFound: errors.NotFound("m"),
    errors.RequestExceedsLimit: errors.RequestExceedsLimit("m"),
    errors.IdempotencyKeyReused: errors.IdempotencyKeyReused("m"),
    errors.IdempotencyKeyInUse: errors.IdempotencyKeyInUse("m", retry_after_s=1.2),
    errors.LimitExceeded: errors.LimitExceeded("m", retry_after_s=1.2),
    errors.BudgetSpent: errors.BudgetSpent("m", left_nano_usd=5, renews_at=None),
    errors.UpstreamError: errors.UpstreamError("m", target="p/m"),
    errors.UpstreamUnavailable: errors.UpstreamUnavailable("m", target="p/m"),
    errors.UpstreamRefused: refused(500),
    errors.UpstreamGarbled: errors.UpstreamGarbled("m", target="p/m"),
    errors.UpstreamCut: errors.UpstreamCut("m", target="p/m"),
    errors.StoreError: errors.StoreError("m"),
    errors.StoreUnavailable: errors.StoreUnavailable("m"),
    errors.ConditionFailed: errors.ConditionFailed("m", item={"secret": "CANARY"}),
    errors.ConfigurationError: errors.ConfigurationError(["m"]),
}
REPLIES: dict[type[ForebayError], tuple[int, str, dict[str, str]]] = {
    errors.ForebayError: (500, "server_error", {}),
    errors.CallerError: (400, "invalid_request_error", {}),
    errors.InvalidRequest: (400, "invalid_request_error", {}),
    errors.CostNotBounded: (400, "invalid_request_error", {}),
    errors.PayloadTooLarge: (413, "invalid_request_error", {}),
    errors.AuthenticationFailed: (401, "authentication_error", {"www-authenticate": "Bearer"}),
    errors.PermissionDenied: (403, "permission_error", {}),
    errors.ModelNotFound: (404, "invalid_request_error", {}),
    errors.NotFound: (404, "invalid_request_error", {}),
    errors.RequestExceedsLimit: (400, "invalid_request_error", {}),
    errors.IdempotencyKeyReused: (422, "invalid_request_error", {}),
    errors.IdempotencyKeyInUse: (
        409,
        "invalid_request_error",
        {"retry-after": "2", "x-should-retry": "true"},
    ),
    errors.LimitExceeded: (429, "rate_limit_error", {"retry-after": "2"}),
    errors.BudgetSpent: (429, "insufficient_quota", {"x-should-retry": "false"}),
    errors.UpstreamError: (502, "server_error", {"x-forebay-target": "p/m"}),
    errors.UpstreamUnavailable: (503, "server_error", {"x-forebay-target": "p/m"}),
    errors.UpstreamRefused: (
        502,
        "server_error",
        {"x-forebay-target": "p/m", "retry-after": "3"},
    ),
    errors.UpstreamGarbled: (502, "server_error", {"x-forebay-target": "p/m"}),
    errors.UpstreamCut: (502, "server_error", {"x-forebay-target": "p/m"}),
    errors.StoreError: (503, "server_error", {"retry-after": "1"}),
    errors.StoreUnavailable: (503, "server_error", {"retry-after": "1"}),
    errors.ConditionFailed: (503, "server_error", {"retry-after": "1"}),
    errors.ConfigurationError: (500, "server_error", {}),
}


def kinds(of: type[ForebayError] = ForebayError) -> Iterator[type[ForebayError]]:
    yield of
    for child in of.__subclasses__():
        if child.__module__ == of.__module__:
            yield from kinds(child)


each_kind = pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)


@each_kind
def test_every_error_has_its_status_type_and_headers(kind: type[ForebayError]) -> None:
    error = INSTANCES[kind]
    assert type(error) is kind

    status, headers, body = http_error(error)

    assert (status, body["error"]["type"], headers) == REPLIES[kind]


@each_kind
def test_every_error_has_openai_s_body(kind: type[ForebayError]) -> None:
    error = INSTANCES[kind]

    assert http_error(error)[2]["error"] == {
        "message": error.message,
        "type": REPLIES[kind][1],
        "param": getattr(error, "param", None),
        "code": kind.code,
    }


@each_kind
def test_every_error_is_the_same_in_mid_stream(kind: type[ForebayError]) -> None:
    event = error_event(INSTANCES[kind], {"path": "/v1/chat/completions"})

    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert json.loads(event[6:]) == http_error(INSTANCES[kind])[2]


def test_a_dialects_own_kind_of_error_is_what_it_derives_from() -> None:
    conversation = Conversation("m", (), field_names={"sampling.seed": "seed"})
    error = Unsupported(conversation, "sampling.seed", "Anthropic")

    status, _, body = http_error(error)

    assert (status, body["error"]["param"]) == (400, "seed")
    assert body["error"]["type"] == "invalid_request_error"


def test_no_status_is_kept_for_an_error_that_is_gone() -> None:
    assert set(STATUS) <= set(kinds())


REFUSALS = {
    "of the request, in its words": (400, {"message": "w", "code": "c"}, 400, "w", "c"),
    "of the request, without words": (400, None, 400, "refused", "upstream_refused"),
    "of the request, with an empty object": (422, {}, 422, "refused", "upstream_refused"),
    "of the request, with a null code": (404, {"message": "w", "code": None}, 404, "w", None),
    "of the request, with a message that is none": (
        400,
        {"message": 7},
        400,
        "7",
        "upstream_refused",
    ),
    "of our key": (401, {"message": "key sk-CANARY"}, 502, "refused", "upstream_refused"),
    "of our account": (402, {"message": "pay"}, 502, "refused", "upstream_refused"),
    "of our rights": (403, {"message": "org-CANARY"}, 502, "refused", "upstream_refused"),
    "of patience": (429, {"message": "slow", "code": "rate"}, 429, "slow", "rate"),
    "its own fault": (500, {"message": "trace"}, 502, "refused", "upstream_refused"),
    "its overload": (503, {"message": "busy"}, 503, "refused", "upstream_refused"),
    "a redirect": (301, None, 502, "refused", "upstream_refused"),
    "within a 200": (200, {"message": "w", "code": 7}, 502, "w", 7),
}


@pytest.mark.parametrize(
    ("upstream", "said", "status", "message", "code"), REFUSALS.values(), ids=REFUSALS
)
def test_a_provider_s_refusal_is(
    upstream: int, said: dict[str, Any] | None, status: int, message: str, code: object
) -> None:
    told, _, body = http_error(refused(upstream, said))

    assert (told, body["error"]["message"], body["error"]["code"]) == (status, message, code)


# --- the boundary


def boundary(world: World, error: Exception, *, started: bool = False) -> Reply:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if started:
            start: Message = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise error

    return asyncio.run(call(ErrorBoundary(app, world.telemetry()), "GET", "/"))


def test_an_error_before_the_answer_becomes_one() -> None:
    reply = boundary(World(), errors.NotFound("gone"))

    assert (reply.status, reply.ended, reply.raised) == (404, True, None)
    assert reply.headers["content-length"] == str(len(reply.body))


def test_an_error_in_mid_answer_goes_on_to_the_runtime() -> None:
    error = errors.UpstreamCut("broke", target="p")

    reply = boundary(World(), error, started=True)

    assert (reply.parts, reply.ended, reply.raised) == ([b"a"], False, error)


def test_a_fault_of_ours_tells_its_class_and_nothing_else() -> None:
    world = World()

    reply = boundary(world, ValueError("CANARY"))

    assert reply.status == 500
    assert reply.json()["error"]["code"] == "internal_error"
    assert world.incidents() == ["internal_error"]
    assert "ValueError" in json.dumps(world.lines)
    assert "CANARY" not in json.dumps(world.lines) + repr(reply.raised) + reply.body.decode()


def test_a_fault_of_ours_is_the_runtime_s_to_know_too() -> None:
    assert isinstance(boundary(World(), ValueError("x")).raised, ForebayError)
    assert isinstance(boundary(World(), ValueError("x"), started=True).raised, ForebayError)


def test_a_way_to_the_caller_that_breaks_in_mid_answer_is_no_fault() -> None:
    world = World()

    reply = boundary(world, ConnectionResetError("gone"), started=True)

    assert (type(reply.raised), world.lines) == (ConnectionResetError, [])


def test_what_is_no_request_passes_through() -> None:
    """The runtime runs the lifespan once, through the whole application."""
    coming: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(World().app()({"type": "lifespan", "state": {}}, receive, send))  # type: ignore[arg-type]

    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]

"""A browser's page may call the gateway."""

import asyncio

import pytest

from forebay.web.app import EXPOSED_HEADERS
from tests.support.asgi import Reply, call
from tests.support.gateway import World, ask

ORIGIN = {"origin": "https://app.example"}


def preflight(path: str, method: str, *headers: str) -> Reply:
    asks = {
        **ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": ",".join(headers),
    }
    return asyncio.run(call(World().app(), "OPTIONS", path, headers=asks))


def test_a_preflight_allows_authorization_by_name() -> None:
    """A star does not stand for it. Source: Fetch standard, 3.2.5."""
    reply = preflight("/v1/chat/completions", "POST", "authorization", "content-type")

    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == "authorization,content-type"


@pytest.mark.parametrize("header", ["x-stainless-lang", "openai-beta", "x-api-key"])
def test_a_preflight_allows_what_the_sdks_send(header: str) -> None:
    reply = preflight("/v1/models", "GET", "authorization", header)

    assert header in reply.headers["access-control-allow-headers"]


def test_a_preflight_needs_no_key() -> None:
    assert preflight("/v1/models", "GET", "authorization").status == 200


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_preflight_refuses_a_method_that_there_is_not(method: str) -> None:
    assert preflight("/v1/models", method, "authorization").status == 400


@pytest.mark.parametrize("path", ["/v1/healthz", "/v1/models", "/nope"])
def test_a_page_may_read_every_reply_and_its_headers(path: str) -> None:
    reply = asyncio.run(call(World().app(), "GET", path, headers=ORIGIN))

    exposed = reply.headers["access-control-expose-headers"].split(", ")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert exposed == list(EXPOSED_HEADERS)


def test_what_an_answer_tells_in_headers_is_readable_for_a_page() -> None:
    world = World()

    reply = asyncio.run(ask(world, world.app()))

    own = {name for name in reply.headers if name.startswith("x-forebay-")}
    assert own <= set(EXPOSED_HEADERS)


def test_without_an_origin_nothing_is_said_of_origins() -> None:
    reply = asyncio.run(call(World().app(), "GET", "/v1/healthz"))

    assert "access-control-allow-origin" not in reply.headers

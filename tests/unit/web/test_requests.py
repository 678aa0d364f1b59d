"""What is refused before a provider is asked: bodies, keys, paths, methods, models."""

import asyncio
import json
from typing import Any

import pytest

from forebay.adapters.memory import MemoryKeys
from forebay.errors import StoreUnavailable
from forebay.model import KeyRecord
from forebay.settings import MAX_REQUEST_BODY_BYTES
from tests.support.asgi import Reply, call
from tests.support.gateway import World, ask, chat
from tests.support.told_provider import ToldProvider

CHAT = "/v1/chat/completions"
GOOD = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class CountedKeys:
    """The store's edge: counts reads."""

    def __init__(self, keys: MemoryKeys, *, is_down: bool = False) -> None:
        self._keys = keys
        self._is_down = is_down
        self.reads = 0

    async def find(self, key_id: str) -> KeyRecord | None:
        self.reads += 1
        if self._is_down:
            raise StoreUnavailable("The keys table did not answer.")
        return await self._keys.find(key_id)


def error_of(reply: Reply) -> dict[str, Any]:
    """The error of a reply in OpenAI's shape, and nothing else."""
    assert reply.headers["content-type"] == "application/json"
    error: dict[str, Any] = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (reply.ended, reply.raised) == (True, None)
    return error


# --- bodies

BODIES = {
    "no JSON": (b"hello", None, "not JSON"),
    "nothing": (b" ", None, "not JSON"),
    "not UTF-8": (b'{"model":"\xff"}', None, "not UTF-8"),
    "a list": (b"[]", None, "Expected `object`"),
    "no model": (b'{"messages":[{"role":"user"}]}', "model", "Missing required parameter"),
    "no messages": (b'{"model":"m"}', "messages", "Missing required parameter"),
    "a wrong type": (b'{"model":"m","messages":[{"role":1}]}', "messages[0].role", "`str`"),
    "nested beyond reason": (b'{"a":' + b"[" * 100_000, None, "nested too deeply"),
}


@pytest.mark.parametrize(("body", "param", "complaint"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_400_with_the_field_at_fault(
    body: bytes, param: str | None, complaint: str
) -> None:
    world, provider = World(), ToldProvider()

    reply = chat(world, world.app(provider), body=body)

    error = error_of(reply)
    assert (reply.status, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == ("invalid_request", param)
    assert complaint in error["message"]
    assert (world.rows(), provider.requests, world.lines) == ([], [], [])


def test_a_body_over_the_limit_is_413() -> None:
    world = World()

    reply = chat(world, world.app(), body=b" " * (MAX_REQUEST_BODY_BYTES + 1))

    assert (reply.status, error_of(reply)["code"]) == (413, "request_too_large")


def test_a_body_of_the_limit_is_read() -> None:
    world = World()
    body = json.dumps(GOOD).encode()

    reply = chat(world, world.app(), body=body + b" " * (MAX_REQUEST_BODY_BYTES - len(body)))

    assert reply.status == 200


# --- keys

PRESENTED = {
    "no key": ({}, "No API key was given"),
    "an empty key": ({"authorization": "Bearer "}, "No API key was given"),
    "another scheme": ({"authorization": "Basic Zm9v"}, "No API key was given"),
    "an OpenAI key": ({"authorization": "Bearer sk-CANARY"}, "malformed"),
    "a mistyped key": ({"authorization": "Bearer fb-" + "0" * 48}, "malformed"),
    "letters beyond ASCII": ({"authorization": "Bearer fb-é"}, "malformed"),
    "an empty x-api-key": ({"x-api-key": ""}, "No API key was given"),
}


@pytest.mark.parametrize(("headers", "complaint"), PRESENTED.values(), ids=PRESENTED)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/v1/models/m")]
)
def test_without_a_well_formed_key_it_is_401_and_no_store_is_asked(
    method: str, path: str, headers: dict[str, str], complaint: str
) -> None:
    world = World()
    keys = CountedKeys(world.keys)

    reply = asyncio.run(call(world.app(keys=keys), method, path, headers=headers, body=GOOD))

    error = error_of(reply)
    assert (reply.status, error["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert complaint in error["message"]
    assert keys.reads == 0
    assert "CANARY" not in json.dumps(world.lines) + error["message"]


def test_an_unknown_key_is_401() -> None:
    stranger = World().secret()
    world = World()

    reply = chat(world, world.app(), secret=stranger)

    assert (reply.status, error_of(reply)["code"]) == (401, "invalid_api_key")
    assert stranger not in reply.body.decode()


def test_a_revoked_key_is_401_within_two_seconds() -> None:
    world = World()
    app, secret = world.app(), world.secret()
    statuses = [chat(world, app, secret=secret).status]

    world.keys.revoke(secret[3:13], at=world.clock.now())
    world.clock.advance(2.0)
    statuses.append(chat(world, app, secret=secret).status)

    assert statuses == [200, 401]


@pytest.mark.parametrize("name", ["authorization", "Authorization", "x-api-key"])
def test_a_key_is_taken_where_the_sdks_send_it(name: str) -> None:
    world = World()
    secret = world.secret() if name == "x-api-key" else f"bEaReR  {world.secret()} "

    reply = asyncio.run(call(world.app(), "POST", CHAT, headers={name: secret}, body=GOOD))

    assert reply.status == 200


def test_a_store_of_keys_that_is_away_is_503_with_advice() -> None:
    world = World()
    keys = CountedKeys(world.keys, is_down=True)

    reply = chat(world, world.app(keys=keys))

    assert (reply.status, error_of(reply)["code"]) == (503, "store_unavailable")
    assert reply.headers["retry-after"] == "1"


def test_the_key_is_checked_before_the_body_is_read() -> None:
    world = World()

    reply = asyncio.run(call(world.app(), "POST", CHAT, body=b" " * (MAX_REQUEST_BODY_BYTES + 1)))

    assert reply.status == 401


# --- models


def test_an_unknown_model_is_404_with_the_names() -> None:
    world = World()

    reply = chat(world, world.app(), model="gpt-huge")

    error = error_of(reply)
    assert (reply.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "Available to it: m, org/m." in error["message"]
    assert world.rows() == []


def test_a_model_that_the_key_may_not_call_is_404_with_those_it_may() -> None:
    world = World()

    reply = chat(world, world.app(), secret=world.secret(models=("org/m",)))

    assert reply.status == 404
    assert error_of(reply)["message"].endswith("Available to it: org/m.")


def test_a_model_that_cannot_be_served_is_404_with_the_reason() -> None:
    world = World()
    app = world.app(unavailable={"later": "openai: OPENAI_API_KEY not set"})

    reply = chat(world, app, model="later")

    assert reply.status == 404
    assert "OPENAI_API_KEY not set" in error_of(reply)["message"]


# --- paths, methods, ids

UNROUTED = {
    "an unknown path": ("GET", "/v1/nope", 404, "unknown_url"),
    "the root": ("GET", "/", 404, "unknown_url"),
    "without the version": ("POST", "/chat/completions", 404, "unknown_url"),
    "a slash too many": ("POST", CHAT + "/", 404, "unknown_url"),
    "a path that climbs": ("GET", "/v1/../healthz", 404, "unknown_url"),
    "a long path": ("GET", "/" + "x" * 5000, 404, "unknown_url"),
    "letters beyond ASCII": ("GET", "/v1/é", 404, "unknown_url"),
    "reading the chat": ("GET", CHAT, 405, "method_not_allowed"),
    "deleting a model": ("DELETE", "/v1/models/m", 405, "method_not_allowed"),
    "posting to health": ("POST", "/v1/healthz", 405, "method_not_allowed"),
    "options without an origin": ("OPTIONS", CHAT, 405, "method_not_allowed"),
}


@pytest.mark.parametrize(("method", "path", "status", "code"), UNROUTED.values(), ids=UNROUTED)
def test_what_there_is_not_is_said_in_openai_s_shape(
    method: str, path: str, status: int, code: str
) -> None:
    reply = asyncio.run(call(World().app(), method, path))

    assert (reply.status, error_of(reply)["code"]) == (status, code)
    assert f"{method} /" in error_of(reply)["message"]
    assert len(reply.body) < 500
    assert ("allow" in reply.headers) is (status == 405)


def test_health_needs_no_key_and_asks_no_store() -> None:
    world = World()
    keys = CountedKeys(world.keys, is_down=True)

    reply = asyncio.run(call(world.app(keys=keys), "GET", "/v1/healthz"))

    assert (reply.status, reply.json(), keys.reads) == (200, {"status": "ok"}, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/healthz"),
        ("GET", "/nope"),
        ("GET", CHAT),
        ("POST", CHAT),
        ("HEAD", "/v1/models"),
    ],
)
def test_every_reply_has_its_id_twice(method: str, path: str) -> None:
    reply = asyncio.run(call(World().app(), method, path))

    assert len(reply.headers["x-forebay-request-id"]) == 26
    assert reply.headers["x-request-id"] == reply.headers["x-forebay-request-id"]


def test_two_requests_have_two_ids() -> None:
    world = World()
    app = world.app()

    async def main() -> tuple[Reply, Reply]:
        return await asyncio.gather(ask(world, app), ask(world, app))

    one, other = asyncio.run(main())
    assert one.headers["x-request-id"] != other.headers["x-request-id"]

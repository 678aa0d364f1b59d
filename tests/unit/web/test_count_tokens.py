"""`POST /v1/messages/count_tokens`: an estimate, for callers who are known, for nothing."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.asgi import Reply, call
from tests.support.gateway import World

PATH = "/v1/messages/count_tokens"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}


def count(world: World, sent: object = HELLO, *, key: str | None = None, **policy: Any) -> Reply:
    headers = {"x-api-key": key or world.secret(**policy)}
    return asyncio.run(call(world.app(), "POST", PATH, headers=headers, body=sent))


def test_text_and_framing_are_counted() -> None:
    reply = count(World())

    # Without a vocabulary a token is 4 bytes; 3 frame the message, 3 begin the answer.
    assert (reply.status, reply.json()) == (200, {"input_tokens": 106})


def test_what_will_be_asked_with_it_counts_too() -> None:
    tool = {"name": "f" * 40, "input_schema": {"type": "object"}}  # 91 bytes of JSON

    reply = count(World(), {**HELLO, "tools": [tool]})

    assert reply.json() == {"input_tokens": 129}


def test_nothing_is_bought() -> None:
    world = World()

    reply = count(world)

    assert reply.status == 200
    assert world.rows() == []
    assert world.request_lines() == []


@pytest.mark.parametrize(
    ("sent", "status", "kind", "word"),
    [
        (b"{", 400, "invalid_request_error", "JSON"),
        (b"", 400, "invalid_request_error", "JSON"),
        ({"model": "m"}, 400, "invalid_request_error", "messages"),
        ({"messages": HELLO["messages"]}, 400, "invalid_request_error", "model"),
        ({**HELLO, "model": "gone"}, 404, "not_found_error", "gone"),
        (b" " * (11 * 1024 * 1024), 413, "request_too_large", "bytes"),
    ],
    ids=["cut", "empty", "no messages", "no model", "unknown model", "huge"],
)
def test_what_cannot_be_counted_is_refused_in_anthropics_shape(
    sent: object, status: int, kind: str, word: str
) -> None:
    reply = count(World(), sent)

    error = reply.json()
    assert (reply.status, error["type"], error["error"]["type"]) == (status, "error", kind)
    assert word in error["error"]["message"]
    assert error["request_id"] == reply.headers["x-forebay-request-id"]


def test_only_callers_who_are_known_may_count() -> None:
    reply = count(World(), key="fb-wrong")

    assert reply.status == 401
    assert json.loads(reply.body)["error"]["type"] == "authentication_error"


def test_only_models_that_the_key_may_call_are_counted_for() -> None:
    assert count(World(), models=("org/m",)).status == 404

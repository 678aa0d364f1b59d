"""`POST /v1/responses` over HTTP: what the tests of all dialects together do not look at."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from forebay.service import target_dialects
from tests.support.asgi import Reply, call
from tests.support.gateway import World
from tests.support.streams import FOLDER
from tests.support.told_provider import ToldProvider

WHOLE = (FOLDER / "openai_plain.sse").read_bytes()


def ask(sent: bytes, **asked: Any) -> tuple[Reply, World]:
    world = World()
    app = world.app(ToldProvider(sent), dialect=target_dialects.OPENAI)
    headers = {"authorization": f"Bearer {world.secret()}"}
    body = {"model": "m", "input": "hello", **asked}
    return asyncio.run(call(app, "POST", "/v1/responses", headers=headers, body=body)), world


def test_an_error_in_a_stream_is_numbered_like_its_other_events() -> None:
    reply, _ = ask(WHOLE[: WHOLE.rindex(b'"finish_reason":"')], stream=True)

    blocks = reply.body.decode().split("\n\n")[:-1]
    events = [json.loads(block.split("\ndata: ")[1]) for block in blocks]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == "upstream_cut"


@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
def test_what_leads_back_to_something_stored_is_refused(name: str) -> None:
    reply, world = ask(WHOLE, **{name: "x"})

    assert reply.status == 400
    assert json.loads(reply.body)["error"]["param"] == name
    assert world.rows() == []

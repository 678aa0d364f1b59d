"""Every caller's dialect with every target's: whole answers are whole, broken ones are not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from forebay.service import target_dialects
from forebay.service.target_dialects import TargetDialect
from tests.support.asgi import Reply, call
from tests.support.gateway import World
from tests.support.streams import FOLDER
from tests.support.told_provider import ToldProvider


@dataclass(frozen=True)
class Caller:
    """A dialect that comes in."""

    path: str
    request: dict[str, Any]
    terminal: bytes
    """What stands at the end of a whole stream, and nowhere else."""
    error: bytes


HELLO = [{"role": "user", "content": "hello"}]
CALLERS = {
    "chat": Caller(
        "/v1/chat/completions",
        {"model": "m", "stream": True, "messages": HELLO},
        b"data: [DONE]",
        b'data: {"error"',
    ),
    "messages": Caller(
        "/v1/messages",
        {"model": "m", "stream": True, "max_tokens": 99, "messages": HELLO},
        b"event: message_stop",
        b"event: error",
    ),
    "responses": Caller(
        "/v1/responses",
        {"model": "m", "stream": True, "input": "hello"},
        b"event: response.completed",
        b"event: error",
    ),
}


@dataclass(frozen=True)
class Target:
    """A dialect that goes out, and one of its whole streams."""

    dialect: TargetDialect
    stream: str
    whole_from: bytes
    """With the first event that has this the answer is whole."""


TARGETS = {
    "openai": Target(target_dialects.OPENAI, "openai_plain", b'"finish_reason":"'),
    "openai tools": Target(target_dialects.OPENAI, "openai_tools", b'"finish_reason":"'),
    "anthropic": Target(target_dialects.ANTHROPIC, "anthropic_text", b"event: message_stop"),
    "anthropic tools": Target(target_dialects.ANTHROPIC, "anthropic_tools", b"event: message_stop"),
    "gemini": Target(target_dialects.GEMINI, "gemini_plain", b'"finishReason"'),
    "gemini tools": Target(target_dialects.GEMINI, "gemini_tools", b'"finishReason"'),
}

each_caller = pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def ask(caller: Caller, target: Target, sent: bytes) -> tuple[Reply, World]:
    world = World()
    app = world.app(ToldProvider(sent), dialect=target.dialect)
    headers = {"authorization": f"Bearer {world.secret()}"}
    return asyncio.run(call(app, "POST", caller.path, headers=headers, body=caller.request)), world


@each_caller
@each_target
def test_a_whole_answer_ends_as_the_caller_expects(caller: Caller, target: Target) -> None:
    reply, world = ask(caller, target, (FOLDER / f"{target.stream}.sse").read_bytes())

    assert reply.status == 200
    assert reply.body.count(caller.terminal) == 1
    assert reply.body.rstrip().split(b"\n\n")[-1].startswith(caller.terminal)
    assert caller.error not in reply.body
    assert [row.outcome for row in world.rows()] == ["complete"]


@each_caller
@each_target
def test_inv3_a_stream_that_is_cut_never_looks_whole(caller: Caller, target: Target) -> None:
    whole = (FOLDER / f"{target.stream}.sse").read_bytes()
    incomplete_until = whole.rindex(target.whole_from)

    for at in range(0, incomplete_until, 7):
        reply, world = ask(caller, target, whole[:at])
        assert caller.terminal not in reply.body
        assert reply.status == 502 or caller.error in reply.body
        assert [row.outcome for row in world.rows()] in (["cut"], ["failed"])


@each_caller
@each_target
def test_an_error_in_the_answer_reaches_the_caller_in_its_dialect(
    caller: Caller, target: Target
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}

    reply, _ = ask(caller, target, b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n")

    assert reply.status == 502
    assert isinstance(json.loads(reply.body)["error"]["message"], str)
    assert (json.loads(reply.body).get("type") == "error") is (caller.path == "/v1/messages")


@each_caller
def test_what_a_target_cannot_do_is_a_400_that_names_the_field(caller: Caller) -> None:
    unknown = Caller(
        caller.path, {**caller.request, "frobnicate": 1}, caller.terminal, caller.error
    )

    reply, world = ask(unknown, TARGETS["gemini"], b"")

    assert reply.status == 400
    assert "frobnicate" in json.loads(reply.body)["error"]["message"]
    assert world.rows() == []


@each_caller
def test_an_answer_in_one_piece_is_translated_whole(caller: Caller) -> None:
    asked = Caller(caller.path, {**caller.request, "stream": False}, b"", b"")
    candidate = {"content": {"parts": [{"text": "Hi there"}]}, "finishReason": "STOP"}

    reply, world = ask(asked, TARGETS["gemini"], json.dumps({"candidates": [candidate]}).encode())

    assert reply.status == 200
    assert "Hi there" in json.dumps(reply.json())
    assert [row.outcome for row in world.rows()] == ["complete"]

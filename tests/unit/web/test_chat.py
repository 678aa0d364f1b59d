"""`POST /v1/chat/completions`, answered: what the caller gets, and what the ledger has of it."""

import asyncio
from typing import Any

import pytest

from forebay.model import Outcome, Usage, UsageSource
from tests.support.asgi import Reply
from tests.support.gateway import World, ask, chat
from tests.support.told_provider import DONE, JSON, ToldProvider, chunk, event, usage

STREAMED = (chunk("Hel"), chunk("lo"), chunk(finish="stop"), usage(3, 2), DONE)
WHOLE = (
    b'{"choices": [{"index":0, "message":{"role":"assistant","content":"Hello"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2},"new":1.10}'
)
ASK_USAGE = {"include_usage": True}


def test_a_stream_arrives_event_by_event_as_the_provider_wrote_it() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*STREAMED)), stream=True)

    assert reply.status == 200
    assert reply.parts == [*STREAMED[:3], DONE]
    assert reply.ended
    assert reply.raised is None


def test_a_whole_answer_arrives_byte_for_byte() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(WHOLE[:50], WHOLE[50:], headers=JSON)))

    assert (reply.status, reply.body, reply.ended) == (200, WHOLE, True)


def headers_of(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if not name.endswith("-id")}


def test_headers_of_a_stream_say_where_it_comes_from() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*STREAMED)), stream=True)

    assert headers_of(reply) == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-forebay-target": "scripted/script-1",
        "x-forebay-attempts": "1",
        "vary": "Origin",
    }


def test_headers_of_a_whole_answer_say_what_it_cost() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(WHOLE, headers=JSON)))

    assert headers_of(reply) == {
        "content-type": "application/json",
        "cache-control": "no-cache",
        "x-forebay-target": "scripted/script-1",
        "x-forebay-attempts": "1",
        "x-forebay-cost-usd": "0.000004750",
        "vary": "Origin",
    }


def test_without_reported_usage_no_cost_is_promised() -> None:
    world = World()
    reply = chat(world, world.app(ToldProvider(b'{"choices":[{"index":0}]}', headers=JSON)))

    assert "x-forebay-cost-usd" not in reply.headers


def test_usage_is_shown_with_its_cost_to_who_asked() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*STREAMED)), stream=True, stream_options=ASK_USAGE)

    *_, last, done = reply.events()
    assert last["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "forebay": {"cost_usd": "0.000004750"},
    }
    assert done == "[DONE]"


def test_usage_is_hidden_from_who_did_not_ask() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*STREAMED)), stream=True)

    assert b"usage" not in reply.body


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, ASK_USAGE])
def test_the_provider_of_a_stream_is_always_asked_for_usage(options: Any) -> None:
    world, provider = World(), ToldProvider(*STREAMED)

    chat(world, world.app(provider), stream=True, stream_options=options)

    assert provider.asked["stream_options"]["include_usage"] is True


def test_the_provider_is_asked_for_its_own_model_and_for_all_else_as_it_came() -> None:
    world, provider = World(), ToldProvider(WHOLE, headers=JSON)
    further: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "n": 1,
        "new": {"a": 1},
    }

    chat(world, world.app(provider), **further)

    assert provider.asked == {
        "model": "script-1",
        "messages": [{"role": "user", "content": "hi"}],
        **further,
    }
    assert provider.requests[0].path == "/chat/completions"
    assert provider.requests[0].headers == {"content-type": "application/json"}
    assert provider.requests[0].stream is False


def test_the_row_has_what_the_provider_reported() -> None:
    world = World()

    reply = chat(world, world.app(ToldProvider(*STREAMED)), model="org/m", stream=True)

    (row,) = world.rows()
    assert row.request_id == reply.headers["x-forebay-request-id"]
    assert (row.request_model, row.provider, row.response_model) == (
        "org/m",
        "scripted",
        "script-1",
    )
    assert (row.stream, row.outcome, row.status, row.error_code) == (
        True,
        Outcome.COMPLETE,
        200,
        None,
    )
    assert row.usage == Usage(3, 2, source=UsageSource.REPORTED)
    assert row.cost_nano_usd == 3 * 250 + 2 * 2000


def test_the_row_of_a_whole_answer_is_like_that_of_a_stream() -> None:
    world = World()

    chat(world, world.app(ToldProvider(WHOLE, headers=JSON)))

    (row,) = world.rows()
    assert (row.stream, row.outcome, row.usage) == (False, Outcome.COMPLETE, Usage(3, 2))


@pytest.mark.parametrize("stream", [True, False])
def test_tokens_are_estimated_where_the_provider_does_not_report_them(stream: bool) -> None:  # noqa: FBT001 - a case
    world = World()
    steps = (
        (chunk("12345678"), chunk(finish="stop"))
        if stream
        else (b'{"choices":[{"message":{"content":"12345678"}}]}',)
    )
    provider = ToldProvider(*steps, headers={"content-type": "text/event-stream"})

    chat(world, world.app(provider), stream=stream)

    (row,) = world.rows()
    assert row.usage == Usage(1, 2, source=UsageSource.ESTIMATED)  # 4 bytes a token, "hi" is one
    assert row.cost_nano_usd == 250 + 2 * 2000


def test_a_number_out_of_range_in_the_prompt_does_not_lose_the_row() -> None:
    world = World()
    body = b'{"model":"m","messages":[{"role":"user","content":1e999}]}'
    provider = ToldProvider(b'{"choices":[{"index":0}]}', headers=JSON)

    reply = chat(world, world.app(provider), body=body)

    assert (reply.status, reply.raised, len(world.rows())) == (200, None, 1)


def test_times_are_measured_from_the_request_s_arrival() -> None:
    world = World()
    provider = world.scripted(first_token_ms=200, token_gap_ms=10, tokens=4)

    chat(world, world.app(provider), stream=True)

    (row,) = world.rows()
    assert (row.time_to_first_token_ms, row.duration_ms) == (200, 230)
    assert row.created_at == world.clock.now() - 0.23


def test_a_chunk_without_text_is_no_first_token() -> None:
    world = World()
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    chat(world, world.app(ToldProvider(role, chunk(finish="stop"))), stream=True)

    (row,) = world.rows()
    assert (row.outcome, row.time_to_first_token_ms) == (Outcome.COMPLETE, None)


def test_nothing_is_sent_before_the_provider_has_sent_something() -> None:
    async def main() -> tuple[int, int]:
        world, gate, reply = World(), asyncio.Event(), Reply()
        provider = ToldProvider(b": thinking\n\n", gate, *STREAMED)
        answer = asyncio.create_task(ask(world, world.app(provider), stream=True, reply=reply))
        await provider.waiting.wait()
        before = reply.status
        gate.set()
        await answer
        return before, reply.status

    assert asyncio.run(main()) == (0, 200)


def test_an_event_reaches_the_caller_before_the_next_is_there() -> None:
    async def main() -> list[bytes]:
        world, gate, reply = World(), asyncio.Event(), Reply()
        provider = ToldProvider(chunk("a"), chunk("b"), gate, *STREAMED)
        answer = asyncio.create_task(ask(world, world.app(provider), stream=True, reply=reply))
        await provider.waiting.wait()
        so_far = list(reply.parts)
        gate.set()
        await answer
        return so_far

    assert asyncio.run(main()) == [chunk("a"), chunk("b")]


def test_two_answers_are_whole_when_both_are() -> None:
    world = World()

    reply = chat(world, world.app(world.scripted(tokens=2)), stream=True, n=2)

    assert reply.events()[-1] == "[DONE]"
    (row,) = world.rows()
    assert row.usage.output_tokens == 4


def test_a_stream_is_left_at_done_without_waiting_for_its_end() -> None:
    world, never = World(), asyncio.Event()
    provider = ToldProvider(*STREAMED, never)

    reply = chat(world, world.app(provider), stream=True)

    assert (reply.ended, provider.left, provider.waiting.is_set()) == (True, 1, False)


def test_every_request_has_a_row_of_its_own() -> None:
    world = World()
    app = world.app()

    for _ in range(3):
        chat(world, app)

    assert len({row.request_id for row in world.rows()}) == 3
    assert len(world.request_lines()) == 3

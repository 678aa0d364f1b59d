"""The provider that needs no network: an OpenAI-compatible server in small."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.scripted import STALL_S, TEXT, ScriptedProvider
from forebay.dialects import openai_chat
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.errors import UpstreamCut, UpstreamError, UpstreamUnavailable
from forebay.model import UpstreamRequest, Usage
from forebay.settings import ScriptedFailure, ScriptedSettings
from tests.support.gateway import HastyClock


def request(*, stream: bool = False, **fields: Any) -> UpstreamRequest:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return UpstreamRequest("/chat/completions", {}, json.dumps(body).encode(), stream)


STREAMED = request(stream=True, stream_options={"include_usage": True})


def play(
    asked: UpstreamRequest, settings: ScriptedSettings, clock: HastyClock | None = None
) -> list[bytes]:
    async def main() -> list[bytes]:
        reply = await ScriptedProvider("p", settings, clock or HastyClock()).send(asked)
        async with reply:
            return [part async for part in reply.chunks()]

    return asyncio.run(main())


def words(count: int) -> str:
    return " ".join(TEXT.split()[:count])


def test_a_stream_is_a_whole_answer_in_openai_s_dialect() -> None:
    stream = ChatStream(show_usage=True)

    for part in play(STREAMED, ScriptedSettings(tokens=5)):
        stream.feed(part)

    stream.end()
    assert ("".join(stream.text), stream.ended) == (words(5), True)
    assert stream.usage == Usage(1, 5)


def test_an_unstreamed_answer_is_the_same() -> None:
    (body,) = play(request(), ScriptedSettings(tokens=5))

    assert openai_chat.parse_completion(body) == openai_chat.Completion(words(5), Usage(1, 5))


def test_a_stream_has_no_usage_unless_it_was_asked_for() -> None:
    assert b"usage" not in b"".join(play(request(stream=True), ScriptedSettings()))


def test_equal_requests_get_equal_answers() -> None:
    assert play(STREAMED, ScriptedSettings()) == play(STREAMED, ScriptedSettings())


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens_ends_the_answer(field: str) -> None:
    limit: dict[str, Any] = {field: 3}
    (body,) = play(request(**limit), ScriptedSettings(tokens=5))

    (choice,) = json.loads(body)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (words(3), "length")


@pytest.mark.parametrize("limit", [5, 9, None])
def test_a_limit_that_is_not_reached_changes_nothing(limit: int | None) -> None:
    (body,) = play(request(max_tokens=limit), ScriptedSettings(tokens=5))

    (choice,) = json.loads(body)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (words(5), "stop")


def test_several_answers_are_given_if_asked_for() -> None:
    stream = ChatStream(choices=2)

    for part in play(request(stream=True, n=2), ScriptedSettings(tokens=2)):
        stream.feed(part)

    assert stream.end().endswith(b"[DONE]\n\n")


def test_no_tokens_are_an_empty_answer() -> None:
    (body,) = play(request(), ScriptedSettings(tokens=0))

    assert openai_chat.parse_completion(body).text == ""


def test_a_stream_takes_its_time_token_by_token() -> None:
    clock = HastyClock()

    play(STREAMED, ScriptedSettings(first_token_ms=200, token_gap_ms=20, tokens=4), clock)

    assert round(clock.monotonic(), 6) == 0.26


def test_an_unstreamed_answer_takes_as_long_as_its_tokens() -> None:
    clock = HastyClock()

    play(request(), ScriptedSettings(first_token_ms=200, token_gap_ms=20, tokens=4), clock)

    assert round(clock.monotonic(), 6) == 0.28


HEADS = {
    ScriptedFailure.STATUS_500: (500, "application/json"),
    ScriptedFailure.STATUS_429: (429, "application/json"),
    ScriptedFailure.HTML: (200, "text/html"),
    ScriptedFailure.GARBAGE: (200, "text/event-stream"),
    ScriptedFailure.EMPTY: (200, "text/event-stream"),
    ScriptedFailure.CUT: (200, "text/event-stream"),
    ScriptedFailure.STALL: (200, "text/event-stream"),
}


@pytest.mark.parametrize(("fail", "head"), HEADS.items())
def test_a_failure_begins_with_its_head(fail: ScriptedFailure, head: tuple[int, str]) -> None:
    async def main() -> tuple[int, str]:
        provider = ScriptedProvider("p", ScriptedSettings(fail=fail), HastyClock())
        async with await provider.send(STREAMED) as reply:
            return reply.status, reply.headers["content-type"]

    assert asyncio.run(main()) == head


def test_a_refused_connection_is_no_reply_at_all() -> None:
    with pytest.raises(UpstreamUnavailable, match="p refuses"):
        play(STREAMED, ScriptedSettings(fail=ScriptedFailure.REFUSE))


def broken_at(settings: ScriptedSettings) -> tuple[int, type[UpstreamError], float]:
    """Count the tokens before a stream breaks; say how, and when."""

    async def main() -> tuple[int, type[UpstreamError], float]:
        clock, stream = HastyClock(), ChatStream()
        async with await ScriptedProvider("p", settings, clock).send(STREAMED) as reply:
            with pytest.raises(UpstreamError) as caught:
                await feed(stream, reply.chunks())
        return len(stream.text), caught.type, clock.monotonic()

    return asyncio.run(main())


async def feed(stream: ChatStream, parts: AsyncIterator[bytes]) -> None:
    async for part in parts:
        stream.feed(part)


def failing(fail: ScriptedFailure, after: int, tokens: int = 8) -> ScriptedSettings:
    return ScriptedSettings(0, 0, tokens, fail, after)


@pytest.mark.parametrize(("after", "seen"), [(0, 0), (3, 3), (8, 8), (99, 8)])
def test_a_cut_comes_after_its_tokens_or_at_the_end(after: int, seen: int) -> None:
    assert broken_at(failing(ScriptedFailure.CUT, after)) == (seen, UpstreamCut, 0.0)


def test_a_stall_is_silence_until_the_idle_time_out() -> None:
    assert broken_at(failing(ScriptedFailure.STALL, 3)) == (3, UpstreamUnavailable, STALL_S)


def test_a_reply_that_is_left_early_plays_no_further() -> None:
    async def main() -> list[bytes]:
        clock = ManualClock()
        provider = ScriptedProvider("p", ScriptedSettings(first_token_ms=0), clock)
        async with await provider.send(STREAMED) as reply:
            body = reply.chunks()
            await anext(body)
        return [part async for part in body]

    assert asyncio.run(main()) == []

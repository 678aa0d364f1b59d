"""The provider that needs no network: an OpenAI-compatible server in small."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.providers.scripted_answers import text_of
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.model import UpstreamRequest, Usage
from forebay.settings import ScriptedSettings
from tests.support.gateway import HastyClock
from tests.support.scripted import no_dice, play, provider, request

STREAMED = request(stream=True, stream_options={"include_usage": True})


def whole(script: ScriptedSettings, **fields: Any) -> dict[str, Any]:
    """The one choice of an answer that is not streamed."""
    (body,) = play(request(**fields), script)
    (choice,) = json.loads(body)["choices"]
    return dict(choice)


def test_a_stream_is_a_whole_answer_in_openai_s_dialect() -> None:
    stream = ChatStream(show_usage=True)

    for part in play(STREAMED, ScriptedSettings(tokens=5)):
        stream.feed(part)

    stream.end()
    assert ("".join(stream.text), stream.ended) == (text_of(5), True)
    assert stream.usage == Usage(1, 5)


def test_an_unstreamed_answer_is_the_same() -> None:
    (body,) = play(request(), ScriptedSettings(tokens=5))

    answer = json.loads(body)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": text_of(5)}
    assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}


def test_a_stream_has_no_usage_unless_it_was_asked_for() -> None:
    assert b"usage" not in b"".join(play(request(stream=True), ScriptedSettings()))


def test_equal_requests_get_equal_answers() -> None:
    assert play(STREAMED, ScriptedSettings()) == play(STREAMED, ScriptedSettings())


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens_ends_the_answer(field: str) -> None:
    choice = whole(ScriptedSettings(tokens=5), **{field: 3})

    assert (choice["message"]["content"], choice["finish_reason"]) == (text_of(3), "length")


@pytest.mark.parametrize("limit", [5, 9, None])
def test_a_limit_that_is_not_reached_changes_nothing(limit: int | None) -> None:
    choice = whole(ScriptedSettings(tokens=5), max_tokens=limit)

    assert (choice["message"]["content"], choice["finish_reason"]) == (text_of(5), "stop")


def test_several_answers_are_given_if_asked_for() -> None:
    stream = ChatStream(choices=2)

    for part in play(request(stream=True, n=2), ScriptedSettings(tokens=2)):
        stream.feed(part)

    assert stream.end().endswith(b"[DONE]\n\n")


def test_no_tokens_are_an_empty_answer() -> None:
    assert whole(ScriptedSettings(tokens=0))["message"]["content"] == ""


def took(asked: UpstreamRequest, script: ScriptedSettings) -> float:
    clock = HastyClock()
    play(asked, script, clock)
    return round(clock.monotonic(), 6)


TIMED = ScriptedSettings(first_token_ms=200, token_gap_ms=20, tokens=4)


def test_a_stream_takes_its_time_token_by_token() -> None:
    assert took(STREAMED, TIMED) == 0.26


def test_an_unstreamed_answer_takes_as_long_as_its_tokens() -> None:
    assert took(request(), TIMED) == 0.28


@pytest.mark.parametrize(("rolled", "first_token_s"), [(0.0, 0.1), (0.5, 0.2), (0.75, 0.25)])
def test_the_first_token_varies_about_its_time(rolled: float, first_token_s: float) -> None:
    script = ScriptedSettings(first_token_ms=200, first_token_jitter=0.5, tokens=1)

    async def main() -> float:
        clock = HastyClock()
        varying = ScriptedProvider("p", script, clock, lambda: rolled)
        async with await varying.send(STREAMED) as reply:
            await anext(reply.chunks())
        return clock.monotonic()

    assert asyncio.run(main()) == pytest.approx(first_token_s)


def test_a_reply_that_is_left_early_plays_no_further() -> None:
    async def main() -> list[bytes]:
        async with await provider(ScriptedSettings(first_token_ms=0)).send(STREAMED) as reply:
            body = reply.chunks()
            await anext(body)
        return [part async for part in body]

    assert asyncio.run(main()) == []


def test_each_request_follows_the_script_that_it_finds() -> None:
    async def main() -> list[int]:
        scripted = provider(ScriptedSettings(tokens=1), HastyClock())
        first = await scripted.send(request())
        scripted.script = ScriptedSettings(tokens=2)
        bodies = [first, await scripted.send(request())]
        answers = [json.loads(b"".join([part async for part in each.chunks()])) for each in bodies]
        return [answer["usage"]["completion_tokens"] for answer in answers]

    assert asyncio.run(main()) == [1, 2]


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "say", "parameters": {}}}
CALLING = ScriptedSettings(tokens=3, tool_call=True)
ARGUMENTS = '{"text":"Water waits behind"}'


def test_a_tool_is_called_instead_of_talking() -> None:
    choice = whole(CALLING, tools=[TOOL])

    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "say", "arguments": ARGUMENTS}
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")


def test_a_streamed_call_comes_in_pieces() -> None:
    parts = play(request(stream=True, tools=[TOOL]), CALLING)

    chunks = [json.loads(part.removeprefix(b"data: ")) for part in parts[:-1]]
    calls = [
        call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("call_scripted", "say")
    assert [call["function"]["arguments"] for call in calls[1:]] == [
        '{"text":"', "Water", " waits", " behind", '"}',
    ]  # fmt: skip
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": []},
        {"tools": [{"type": "custom"}]},
        {"tools": [TOOL], "messages": [{"role": "tool", "content": "done"}]},
    ],
    ids=["no tools", "none", "another kind", "its result is here"],
)
def test_without_a_tool_to_call_it_talks(fields: dict[str, Any]) -> None:
    assert whole(CALLING, **fields)["message"]["content"] == text_of(3)


PROMPT = ScriptedSettings(first_token_ms=0, token_gap_ms=0)


def statuses(clock: ManualClock, script: ScriptedSettings, *pauses_s: float) -> list[str]:
    """Ask after each pause; give each status, with `Retry-After` where there is one."""

    async def main() -> list[str]:
        scripted = ScriptedProvider("p", script, clock, no_dice)
        given = []
        for pause_s in pauses_s:
            clock.advance(pause_s)
            async with await scripted.send(request()) as reply:
                given.append(f"{reply.status} {reply.headers.get('retry-after', '')}".strip())
        return given

    return asyncio.run(main())


def test_over_its_limit_it_says_when_there_is_room() -> None:
    limited = replace(PROMPT, requests_per_minute=2)

    assert statuses(ManualClock(), limited, 0, 10, 10.5, 39.5, 0) == [
        "200", "200", "429 40", "200", "429 10",
    ]  # fmt: skip


def test_a_limit_that_is_halved_counts_what_came_before() -> None:
    async def main() -> list[str]:
        clock = ManualClock()
        scripted = provider(replace(PROMPT, requests_per_minute=4), clock)
        given = []
        for _ in range(3):
            await scripted.send(request())
            clock.advance(1)
        scripted.script = replace(scripted.script, requests_per_minute=2)
        for pause_s in (0.0, 58.0):
            clock.advance(pause_s)
            reply = await scripted.send(request())
            given.append(reply.headers.get("retry-after", "in"))
        return given

    assert asyncio.run(main()) == ["58", "in"]

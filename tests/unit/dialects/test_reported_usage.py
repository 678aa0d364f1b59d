"""Usage as providers report it: beside, within, twice, never, as zeros, and as nonsense.

Each case is a way in which a gateway has been known to bill a wrong sum.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects import (
    anthropic_messages,
    bedrock_converse_reader,
    gemini_generate_replies,
    openai_chat,
)
from forebay.dialects.anthropic_messages import write_usage
from forebay.dialects.anthropic_messages_reader import MessageStreamReader
from forebay.dialects.completions import parse_piece
from forebay.dialects.exchange import usage_of
from forebay.dialects.openai_chat_reader import ChatStreamReader
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.dialects.reported import MAX_FIGURE, believed, read_tier
from forebay.model import Usage
from forebay.money import Price


def openai(reported: dict[str, Any]) -> Usage | None:
    return openai_chat.to_usage(msgspec.convert(reported, openai_chat.ReportedUsage))


def anthropic(reported: dict[str, Any]) -> Usage | None:
    kind = anthropic_messages.ReportedUsage
    return anthropic_messages.read_usage(msgspec.convert(reported, kind))


def bedrock(reported: dict[str, Any]) -> Usage | None:
    kind = bedrock_converse_reader.TokenUsage
    return bedrock_converse_reader.to_usage(msgspec.convert(reported, kind))


def gemini(reported: dict[str, Any]) -> Usage | None:
    kind = gemini_generate_replies.UsageMetadata
    return gemini_generate_replies.to_usage(msgspec.convert(reported, kind))


Read = Callable[[dict[str, Any]], Usage | None]

# --- cached tokens, within or beside; reasoning

SAME_CALL: dict[str, tuple[Read, dict[str, Any]]] = {
    "OpenAI: all within": (
        openai,
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 15},
        },
    ),
    "xAI: reasoning beside": (
        openai,
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 15},
        },
    ),
    "reasoning beside, and no total": (
        openai,
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 15},
        },
    ),
    "Anthropic: cache beside, reasoning within": (
        anthropic,
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 30,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 15},
        },
    ),
}


@pytest.mark.parametrize(("read", "reported"), SAME_CALL.values(), ids=SAME_CALL)
def test_one_call_is_one_usage_however_it_is_reported(read: Read, reported: dict[str, Any]) -> None:
    assert read(reported) == Usage(100, 20, 60, reasoning_tokens=15, cache_write_input_tokens=30)


def test_bedrock_s_cache_stands_beside_its_input() -> None:
    reported = {"inputTokens": 10, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 30}
    assert bedrock({**reported, "outputTokens": 20}) == Usage(
        100, 20, 60, cache_write_input_tokens=30
    )


def test_gemini_s_cache_is_within_its_prompt_and_its_thoughts_beside_its_candidates() -> None:
    reported = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5}
    assert gemini({**reported, "thoughtsTokenCount": 15}) == Usage(100, 20, 60, 15)


WRITTEN = {
    "not divided": ({"cache_creation_input_tokens": 9}, 9, 0),
    "for minutes": ({"cache_creation": {"ephemeral_5m_input_tokens": 9}}, 9, 0),
    "for an hour": ({"cache_creation": {"ephemeral_1h_input_tokens": 9}}, 0, 9),
    "for both": (
        {
            "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
        },
        4,
        5,
    ),
    "more than was divided is the dearer kind": (
        {
            "cache_creation_input_tokens": 12,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
        },
        4,
        8,
    ),
    "more than was divided, for minutes alone": (
        {"cache_creation_input_tokens": 12, "cache_creation": {"ephemeral_5m_input_tokens": 4}},
        12,
        0,
    ),
}


@pytest.mark.parametrize(("reported", "minutes", "hour"), WRITTEN.values(), ids=WRITTEN)
def test_what_anthropic_writes_to_its_cache_has_two_prices(
    reported: dict[str, Any], minutes: int, hour: int
) -> None:
    """Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching."""
    assert anthropic({"input_tokens": 1, "output_tokens": 2, **reported}) == Usage(
        1 + minutes + hour,
        2,
        cache_write_input_tokens=minutes,
        cache_write_1h_input_tokens=hour,
    )


def test_an_anthropic_caller_gets_the_cache_s_tokens_as_anthropic_writes_them() -> None:
    usage = Usage(10, 2, 4, cache_write_input_tokens=2, cache_write_1h_input_tokens=3)
    assert anthropic(write_usage(usage)) == usage
    assert write_usage(usage)["input_tokens"] == 1


# --- server tools


def test_searches_of_the_provider_s_own_tool_are_counted() -> None:
    reported = {
        "input_tokens": 1,
        "output_tokens": 2,
        "server_tool_use": {"web_search_requests": 3},
    }
    usage = anthropic(reported)
    assert usage == Usage(1, 2, web_searches=3)
    assert Price(0, 0, 0, web_search=10**13).cost(usage) == 3 * 10**7


def test_searches_that_a_stream_reports_last_are_counted() -> None:
    reader = MessageStreamReader()
    message = {"id": "m", "model": "c", "usage": {"input_tokens": 1, "service_tier": "priority"}}
    usage = {"output_tokens": 2, "server_tool_use": {"web_search_requests": 3}}
    events = [
        {"type": "message_start", "message": message},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
    ]
    sent = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)

    reported = usage_of(reader.feed(sent.encode()))

    assert reported == Usage(1, 2, web_searches=3, service_tier="priority")


# --- twice, never, zero, in a chunk with choices


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [], **fields}).encode()


def text(content: str, finish_reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}]


def used(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


STREAMS: dict[str, tuple[list[bytes], Usage | None]] = {
    "in a last chunk whose choices are not empty": (
        [chunk(choices=text("Hi")), chunk(choices=text("", "stop"), usage=used(7, 2))],
        Usage(7, 2),
    ),
    "twice: the last one counts, and not both": (
        [
            chunk(choices=text("Hi"), usage=used(7, 1)),
            chunk(choices=text("", "stop"), usage=used(7, 2)),
            chunk(usage=used(7, 2)),
        ],
        Usage(7, 2),
    ),
    "never": ([chunk(choices=text("Hi", "stop"))], None),
    "null": ([chunk(choices=text("Hi", "stop"), usage=None), chunk(usage=None)], None),
    "an explicit zero says nothing": (
        [chunk(choices=text("Hi", "stop")), chunk(usage=used(0, 0))],
        None,
    ),
    "an explicit zero after a report takes nothing back": (
        [chunk(choices=text("Hi", "stop"), usage=used(7, 2)), chunk(usage=used(0, 0))],
        Usage(7, 2),
    ),
    "absurd": ([chunk(choices=text("Hi", "stop")), chunk(usage=used(10**15, 2))], None),
}


@pytest.mark.parametrize(("sent", "usage"), STREAMS.values(), ids=STREAMS)
def test_a_stream_has_the_usage_that_it_says(sent: list[bytes], usage: Usage | None) -> None:
    body = b"\n\n".join([*sent, b"data: [DONE]", b""])
    as_it_came, translated = ChatStream(show_usage=True), ChatStreamReader()

    as_it_came.feed(body)

    assert as_it_came.usage == usage_of(translated.feed(body)) == usage


# --- tiers

TIERED = {
    "in the chunk of usage": [
        chunk(choices=text("Hi", "stop")),
        chunk(usage=used(7, 2), service_tier="flex"),
    ],
    "in an earlier chunk": [
        chunk(choices=text("Hi", "stop"), service_tier="flex"),
        chunk(usage=used(7, 2)),
    ],
}


@pytest.mark.parametrize("sent", TIERED.values(), ids=TIERED)
def test_a_stream_is_billed_at_the_tier_that_it_names(sent: list[bytes]) -> None:
    body = b"\n\n".join([*sent, b"data: [DONE]", b""])
    as_it_came, translated = ChatStream(show_usage=True), ChatStreamReader()

    as_it_came.feed(body)

    assert as_it_came.usage == Usage(7, 2, service_tier="flex")
    assert usage_of(translated.feed(body)) == as_it_came.usage


def test_a_whole_answer_is_billed_at_the_tier_that_it_names() -> None:
    reply = {
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": used(7, 2),
        "service_tier": "priority",
    }
    expected = Usage(7, 2, service_tier="priority")
    assert openai_chat.parse_completion(json.dumps(reply).encode()).usage == expected
    piece = {**reply, "choices": [{"text": "Hi", "finish_reason": "stop"}]}
    assert parse_piece(json.dumps(piece).encode()).usage == expected


def test_anthropic_s_fast_answers_are_a_tier_of_their_own() -> None:
    counts = {"input_tokens": 1, "output_tokens": 1}
    ordinary = anthropic({**counts, "service_tier": "standard", "speed": "standard"})
    fast = anthropic({**counts, "service_tier": "standard", "speed": "fast"})
    assert ordinary == Usage(1, 1, service_tier="standard")
    assert fast == Usage(1, 1, service_tier="fast")


@pytest.mark.parametrize("reported", [None, 7, ["flex"], {}, "", "a\nb", "ä"])
def test_a_tier_that_is_no_word_is_none(reported: object) -> None:
    assert read_tier(reported) is None


def test_a_tier_s_name_is_bounded() -> None:
    assert read_tier("x" * 1000) == "x" * 32


# --- nonsense


@pytest.mark.parametrize(
    ("most", "too_much"),
    [
        (Usage(MAX_FIGURE, 1), Usage(MAX_FIGURE + 1, 1)),
        (Usage(1, MAX_FIGURE), Usage(1, MAX_FIGURE + 1)),
        (Usage(1, 1, MAX_FIGURE), Usage(1, 1, MAX_FIGURE + 1)),
        (Usage(1, 1, web_searches=MAX_FIGURE), Usage(1, 1, web_searches=MAX_FIGURE + 1)),
    ],
    ids=["input", "output", "cached", "searches"],
)
def test_a_report_beyond_all_measure_is_none(most: Usage, too_much: Usage) -> None:
    assert believed(most) is not None
    assert believed(too_much) is None


ANY = st.integers(-(10**20), 10**20) | st.integers(-5, 50)
DEAR = Price(10**9, 10**8, 10**10, 10**9 + 1, 2 * 10**9, web_search=10**13)


@given(st.lists(ANY, min_size=7, max_size=7))
def test_whatever_is_reported_no_cost_is_negative_and_no_part_above_the_whole(
    figures: list[int],
) -> None:
    input_, output, read, reasoning, written, written_1h, searches = figures
    usage = believed(
        Usage(
            input_,
            output,
            read,
            reasoning,
            cache_write_input_tokens=written,
            cache_write_1h_input_tokens=written_1h,
            web_searches=searches,
        )
    )
    if usage is None:
        return
    parts = (
        usage.cached_input_tokens,
        usage.cache_write_input_tokens,
        usage.cache_write_1h_input_tokens,
    )
    assert min(*parts, usage.reasoning_tokens, usage.web_searches) >= 0
    assert 0 < usage.input_tokens <= MAX_FIGURE
    assert sum(parts) <= usage.input_tokens
    assert usage.reasoning_tokens <= usage.output_tokens <= MAX_FIGURE
    assert DEAR.cost(usage) >= usage.cached_input_tokens * 100

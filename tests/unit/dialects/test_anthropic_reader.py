"""Anthropic's answers as events; a broken one never looks complete (invariant 3).

Expected values after https://platform.claude.com/docs/en/build-with-claude/streaming and
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons.
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.anthropic_messages_reader import MessageReader, MessageStreamReader
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.model import Usage
from tests.support.anthropic_streams import ANTHROPIC_STREAMS, AnthropicStream
from tests.support.streams import FOLDER

each_stream = pytest.mark.parametrize("case", ANTHROPIC_STREAMS, ids=lambda case: case.name)

TEXT = {"type": "text", "text": ""}
TOOL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
STOP = {"type": "message_stop"}


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "m", "model": "c", "usage": usage}}


def block(content: Any, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def block_stop(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def sent(*events: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def read(data: bytes) -> list[Event]:
    reader = MessageStreamReader()
    return reader.feed(data) + reader.end()


def message(*content: Any, **fields: Any) -> bytes:
    known = {"id": "m", "model": "c", "content": content, "stop_reason": "end_turn"}
    return json.dumps({**known, **fields}).encode()


def read_whole(data: bytes) -> list[Event]:
    reader = MessageReader()
    return reader.feed(data) + reader.end()


# --- streams that are whole


@each_stream
def test_a_whole_stream_is_understood(case: AnthropicStream) -> None:
    assert tuple(read(case.sent)) == case.events


@each_stream
def test_byte_by_byte_it_means_the_same(case: AnthropicStream) -> None:
    reader = MessageStreamReader()

    events = [event for byte in case.sent for event in reader.feed(bytes([byte]))]

    assert tuple(events + reader.end()) == case.events


@each_stream
def test_a_whole_stream_needs_no_end_of_the_body(case: AnthropicStream) -> None:
    reader = MessageStreamReader()

    reader.feed(case.sent)

    assert reader.ended


def test_what_follows_the_end_is_passed_over() -> None:
    events = read(sent(start(), finish(), STOP, {"type": "error", "error": {}}))

    assert events == [Started("m", "c"), Finished(StopReason.END)]


def test_after_the_end_nothing_is_read() -> None:
    reader = MessageStreamReader()
    reader.feed(sent(start(), finish(), STOP))

    assert reader.feed(sent(start())) == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("tool_use", StopReason.TOOL_USE),
        ("pause_turn", StopReason.LENGTH),
        ("refusal", StopReason.REFUSAL),
        ("model_context_window_exceeded", StopReason.LENGTH),
        ("a_new_one", StopReason.LENGTH),
    ],
)
def test_stop_reasons(reason: str, expected: StopReason) -> None:
    assert read(sent(start(), finish(reason), STOP))[-1] == Finished(expected)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        pytest.param({"input_tokens": 3, "output_tokens": 2}, Usage(3, 2), id="plain"),
        pytest.param(
            {"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 2},
            Usage(13, 2, cached_input_tokens=10),
            id="read from the cache",
        ),
        pytest.param(
            {"input_tokens": 3, "cache_creation_input_tokens": 7, "output_tokens": 2},
            Usage(10, 2, cache_write_input_tokens=7),
            id="written to the cache",
        ),
        pytest.param(
            {
                "input_tokens": 3,
                "output_tokens": 9,
                "output_tokens_details": {"thinking_tokens": 4},
            },
            Usage(3, 9, reasoning_tokens=4),
            id="thinking",
        ),
        pytest.param(
            {"input_tokens": 3, "cache_read_input_tokens": -5, "output_tokens": -2},
            Usage(3, 0),
            id="below zero",
        ),
    ],
)
def test_usage(reported: dict[str, Any], expected: Usage) -> None:
    events = read(sent(start(), finish(**reported), STOP))

    assert UsageReported(expected) in events


def test_later_usage_is_laid_over_the_first() -> None:
    events = read(
        sent(
            start(input_tokens=4, output_tokens=1), finish(output_tokens=8, input_tokens=None), STOP
        )
    )

    assert UsageReported(Usage(4, 8)) in events


def test_zeros_are_no_usage() -> None:
    """Other servers send them where they do not know, and a cut answer would cost nothing."""
    events = read(sent(start(input_tokens=0), finish(input_tokens=0, output_tokens=0), STOP))

    assert events == [Started("m", "c"), Finished(StopReason.END)]


def test_the_first_usage_alone_is_not_reported() -> None:
    """A cut stream took more than the one token that `message_start` speaks of."""
    reader = MessageStreamReader()

    events = reader.feed(sent(start(input_tokens=25, output_tokens=1), block(TEXT)))

    assert events == [Started("m", "c")]


def test_an_answer_without_usage_is_whole() -> None:
    begin = {"type": "message_start", "message": {"id": "m", "model": "c"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}

    assert read(sent(begin, end, STOP)) == [Started("m", "c"), Finished(StopReason.END)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param({"type": "text", "text": "a"}, [TextDelta("a")], id="text"),
        pytest.param(
            {"type": "thinking", "thinking": "a", "signature": "s"},
            [ThinkingDelta("a", "s")],
            id="thinking",
        ),
        pytest.param(
            {**TOOL, "input": {"a": 1}},
            [ToolUseStarted(0, "t", "f"), ToolArgumentsDelta(0, '{"a":1}')],
            id="input",
        ),
    ],
)
def test_a_block_may_begin_with_something(content: Any, expected: list[Event]) -> None:
    events = read(sent(start(), block(content), block_stop(), finish(), STOP))

    assert events[1:-1] == expected


# --- streams that are not


@pytest.mark.parametrize("case", ANTHROPIC_STREAMS, ids=lambda case: case.name)
def test_inv3_a_stream_cut_anywhere_never_ends_whole(case: AnthropicStream) -> None:
    last = case.sent.rindex(b"\n\n") + 1  # with the last line break the answer is whole

    wholes = [at for at in range(last + 1) if _ends_whole(case.sent[:at])]

    assert wholes == []


def _ends_whole(data: bytes) -> bool:
    reader = MessageStreamReader()
    events = reader.feed(data)
    try:
        reader.end()
    except DialectError:
        return any(isinstance(event, Finished) for event in events)
    return True


def test_inv3_an_error_amid_the_stream_ends_it() -> None:
    reader = MessageStreamReader()
    events = reader.feed((FOLDER / "anthropic_overloaded.sse").read_bytes())

    assert events[-1] == TextDelta("Hel")
    assert reader.ended
    with pytest.raises(UpstreamReported) as raised:
        reader.end()
    assert raised.value.error == {"type": "overloaded_error", "message": "Overloaded"}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([STOP], id="stop first"),
        pytest.param([block(TEXT)], id="block first"),
        pytest.param([start(), start()], id="two starts"),
        pytest.param([start(), STOP], id="no stop reason"),
        pytest.param([start(), finish(None), STOP], id="null for a stop reason"),
        pytest.param([start(), block(TEXT), finish(), STOP], id="open block"),
        pytest.param([start(), block(TEXT), block(TEXT)], id="block repeated"),
        pytest.param([start(), block(TEXT), block_stop(), block(TEXT)], id="closed block repeated"),
        pytest.param([start(), block_stop()], id="no block to stop"),
        pytest.param([start(), delta(type="text_delta", text="a")], id="delta of no block"),
        pytest.param([start(), block(TEXT), delta(type="text_delta", text=5)], id="no text"),
        pytest.param([start(), block(TEXT), delta(text="a")], id="delta without a type"),
        pytest.param([start(), block({"type": "text"})], id="block without its text"),
        pytest.param([start(), block({**TOOL, "input": "a"})], id="input is no object"),
        pytest.param([start(), block({})], id="block without a type"),
        pytest.param([{"type": "message_start"}], id="start without a message"),
        pytest.param([{"type": "error", "error": "x"}], id="error that is none"),
        pytest.param(["[DONE]"], id="a string"),
        pytest.param([[]], id="a list"),
        pytest.param([{"choices": []}], id="another dialect"),
    ],
)
def test_inv3_what_is_out_of_order_is_no_answer(events: list[Any]) -> None:
    reader = MessageStreamReader()
    reader.feed(sent(*events))

    assert reader.ended
    with pytest.raises(DialectError):
        reader.end()


def test_garbage_does_not_take_what_came_before_it() -> None:
    reader = MessageStreamReader()

    events = reader.feed(
        sent(start(), block(TEXT), delta(type="text_delta", text="a")) + b"data: <html>\n\n"
    )

    assert events == [Started("m", "c"), TextDelta("a")]
    with pytest.raises(DialectError, match="no event"):
        reader.end()


def test_nothing_is_no_answer() -> None:
    with pytest.raises(DialectError, match="ended before"):
        read(b"")


# --- answers in one piece


def test_a_whole_message_is_understood() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "Hi", "citations": None},
        {**TOOL, "input": {"city": "Łódź"}, "caller": {"type": "direct"}},
        {**TOOL, "id": "u"},
    ]
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 3}

    assert read_whole(message(*content, stop_reason="tool_use", usage=usage)) == [
        Started("m", "c"),
        ThinkingDelta("Hm", "s"),
        ThinkingDelta(redacted="r"),
        TextDelta("Hi"),
        ToolUseStarted(0, "t", "f"),
        ToolArgumentsDelta(0, '{"city":"Łódź"}'),
        ToolUseStarted(1, "u", "f"),
        UsageReported(Usage(3, 3, cached_input_tokens=2)),
        Finished(StopReason.TOOL_USE),
    ]


def test_a_message_in_parts_is_the_same() -> None:
    body = message({"type": "text", "text": "Grüße"}, stop_sequence="X")
    reader = MessageReader()
    events = [event for byte in body for event in reader.feed(bytes([byte]))]

    assert not reader.ended
    assert events + reader.end() == read_whole(body)


def test_blocks_of_new_types_are_passed_over() -> None:
    events = read_whole(message({"type": "hologram"}, {"type": "text", "text": ""}))

    assert events == [Started("m", "c"), Finished(StopReason.END)]


def test_an_error_in_place_of_a_message_is_reported() -> None:
    body = {"type": "error", "error": {"type": "api_error", "message": "x"}}

    with pytest.raises(UpstreamReported) as raised:
        read_whole(json.dumps(body).encode())
    assert raised.value.error == {"type": "api_error", "message": "x"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"id": "\xff"}', id="not UTF-8"),
        pytest.param(message(stop_reason=None), id="no stop reason"),
        pytest.param(message({"type": "text"}), id="block without its text"),
        pytest.param(message({"type": "text", "text": "a"})[:-1], id="cut"),
    ],
)
def test_inv3_what_is_no_whole_message_is_no_answer(body: bytes) -> None:
    with pytest.raises(DialectError):
        read_whole(body)

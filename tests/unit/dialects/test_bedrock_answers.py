"""Amazon Bedrock's answers become events; invariant 3: a broken one never looks complete.

Expected values are of
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html and
API_runtime_Converse.html.
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.bedrock_converse_reader import ConverseReader, parse_error
from forebay.dialects.bedrock_converse_stream import MAX_LINE_BYTES, ConverseStreamReader
from forebay.dialects.canonical import (
    AnswerReader,
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
from forebay.dialects.exchange import MAX_REPLY_BYTES
from forebay.model import Usage
from tests.support.bedrock import (
    METADATA,
    START,
    STOP,
    TEXT,
    TOOLS,
    USAGE,
    delta,
    lines,
    stop,
    stopped,
    text,
    tool,
)

STARTED = Started("answer-1", "claude")
TEXT_EVENTS: list[Event] = [
    STARTED,
    TextDelta("Hé"),
    TextDelta("llo\n\u2028"),
    Finished(StopReason.END),
    UsageReported(Usage(10, 7)),
]
TOOL_EVENTS: list[Event] = [
    STARTED,
    ThinkingDelta("I need"),
    ThinkingDelta(" two."),
    ThinkingDelta("", "c2ln"),
    ThinkingDelta("", redacted="eA=="),
    TextDelta("Looking."),
    ToolUseStarted(0, "tooluse_now", "now"),
    ToolArgumentsDelta(0, ""),
    ToolUseStarted(1, "tooluse_add", "add"),
    ToolArgumentsDelta(1, '{"a": '),
    ToolArgumentsDelta(1, "1}"),
    Finished(StopReason.TOOL_USE),
    UsageReported(Usage(10, 7)),
]
STREAMS = {"text": (TEXT, TEXT_EVENTS), "tools": (TOOLS, TOOL_EVENTS)}
each_stream = pytest.mark.parametrize(("sent", "events"), STREAMS.values(), ids=STREAMS.keys())


def stream_reader() -> ConverseStreamReader:
    return ConverseStreamReader("answer-1", "claude")


def whole_reader() -> ConverseReader:
    return ConverseReader("answer-1", "claude")


def read(reader: AnswerReader, *parts: bytes) -> list[Event]:
    events = [event for part in parts for event in reader.feed(part)]
    return events + reader.end()


def read_stream(*events: dict[str, Any]) -> list[Event]:
    return read(stream_reader(), lines(*events))


# --- streams


@each_stream
def test_a_stream_is_read_event_by_event(
    sent: tuple[dict[str, Any], ...], events: list[Event]
) -> None:
    assert read_stream(*sent) == events


@each_stream
def test_a_stream_read_byte_by_byte_is_the_same(
    sent: tuple[dict[str, Any], ...], events: list[Event]
) -> None:
    assert read(stream_reader(), *(bytes([byte]) for byte in lines(*sent))) == events


@each_stream
def test_a_stream_split_anywhere_is_the_same(
    sent: tuple[dict[str, Any], ...], events: list[Event]
) -> None:
    data = lines(*sent)
    splits = [read(stream_reader(), data[:at], data[at:]) for at in range(len(data))]
    assert splits == [events] * len(data)


@each_stream
def test_inv3_a_stream_cut_before_its_message_stop_never_looks_whole(
    sent: tuple[dict[str, Any], ...], events: list[Event]
) -> None:
    data = lines(*sent)
    end = len(lines(*sent[:-1]))  # with the line end of messageStop
    for at in range(end):
        reader = stream_reader()
        came = reader.feed(data[:at])
        assert came == events[: len(came)]
        with pytest.raises(DialectError):
            reader.end()
    for at in range(end, len(data) + 1):
        assert read(stream_reader(), data[:at])[-2:] in (events[-3:-1], events[-2:])


def test_an_answer_is_over_when_its_usage_has_come() -> None:
    reader = stream_reader()
    reader.feed(lines(*TEXT[:-1]))
    assert not reader.ended
    reader.feed(lines(METADATA))
    assert reader.ended


def test_what_comes_after_the_end_is_passed_over() -> None:
    assert read(stream_reader(), lines(*TEXT, text("more"))) == TEXT_EVENTS


def test_usage_before_the_stop_does_not_end_the_answer() -> None:
    assert read_stream(START, METADATA, STOP) == [
        STARTED,
        UsageReported(Usage(10, 7)),
        Finished(StopReason.END),
    ]


def test_an_event_of_a_kind_unknown_is_passed_over() -> None:
    sent = (START, {"contentBlockTrace": {"x": 1}}, *TEXT[1:])
    assert read_stream(*sent) == TEXT_EVENTS


def test_a_block_that_begins_as_nothing_in_particular_is_text() -> None:
    began = {"contentBlockStart": {"contentBlockIndex": 0, "start": {}}}
    assert read_stream(START, began, *TEXT[1:]) == TEXT_EVENTS


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ("end_turn", StopReason.END),
        ("tool_use", StopReason.TOOL_USE),
        ("max_tokens", StopReason.LENGTH),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("guardrail_intervened", StopReason.FILTERED),
        ("content_filtered", StopReason.FILTERED),
        ("model_context_window_exceeded", StopReason.LENGTH),
    ],
)
def test_each_stop_reason_has_its_counterpart(reported: str, reason: StopReason) -> None:
    """Source: API_runtime_MessageStopEvent.html."""
    assert read_stream(START, stopped(reported)) == [STARTED, Finished(reason)]
    assert read(whole_reader(), whole(stop_reason=reported))[1] == Finished(reason)


@pytest.mark.parametrize("reported", ["malformed_model_output", "malformed_tool_use", "tired"])
def test_inv3_an_answer_that_ended_badly_is_not_whole(reported: str) -> None:
    with pytest.raises(DialectError, match="no reason that makes it whole"):
        read_stream(START, text("a"), stopped(reported))
    with pytest.raises(DialectError, match="no reason that makes it whole"):
        read(whole_reader(), whole(stop_reason=reported))


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (USAGE, Usage(10, 7)),
        (
            {**USAGE, "cacheReadInputTokens": 90, "cacheWriteInputTokens": 5},
            Usage(105, 7, cached_input_tokens=90, cache_write_input_tokens=5),
        ),
        (
            {
                **USAGE,
                "cacheWriteInputTokens": 5,
                "cacheDetails": [{"inputTokens": 3, "ttl": "1h"}, {"inputTokens": 2, "ttl": "5m"}],
            },
            Usage(15, 7, cache_write_input_tokens=2, cache_write_1h_input_tokens=3),
        ),
    ],
)
def test_the_cache_s_tokens_stand_beside_the_input_s(reported: Any, usage: Usage) -> None:
    """Sources: API_runtime_TokenUsage.html; Bedrock's user guide, prompt-caching.html."""
    assert read_stream(START, STOP, {"metadata": {"usage": reported}})[-1] == UsageReported(usage)
    assert read(whole_reader(), whole(usage=reported))[-1] == UsageReported(usage)


@pytest.mark.parametrize(
    "reported",
    [
        {"inputTokens": 0, "outputTokens": 0, "cacheReadInputTokens": None},
        {"inputTokens": -1, "outputTokens": -1, "cacheReadInputTokens": -5},
    ],
)
def test_a_usage_that_says_nothing_is_none(reported: Any) -> None:
    events = read_stream(START, STOP, {"metadata": {"usage": reported}})
    events += read(whole_reader(), whole(usage=reported))
    assert not [event for event in events if isinstance(event, UsageReported)]


def test_an_exception_ends_the_stream_as_the_provider_s_report() -> None:
    reader = stream_reader()
    came = {"exception": {"type": "throttlingException", "message": "Too many tokens."}}
    assert reader.feed(lines(START, text("a"), came, text("b"))) == [STARTED, TextDelta("a")]
    assert reader.ended
    with pytest.raises(UpstreamReported) as reported:
        reader.end()
    assert reported.value.error == {
        "message": "Too many tokens.",
        "type": "throttlingException",
        "param": None,
        "code": "throttlingException",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"<html>\n",
        b"[]\n",
        b"\xff\n",
        b'{"messageStart":' + b"[" * 10_000 + b"\n",
        b'{"messageStart":{"role":"\xff"}}\n',
        lines(text("a")),
        lines(tool("f", 0)),
        lines(STOP),
        lines(START, stopped("end_turn"), text("a")),
        lines(START, stopped("end_turn"), stopped("end_turn")),
        lines(START, delta({"toolUse": {"input": "{}"}})),
        lines(START, delta({"image": {"source": {"bytes": "iVBO"}}})),
        lines(START, delta({"text": 3})),
        lines(START, stop(), {"messageStop": {}}),
    ],
)
def test_inv3_what_is_no_stream_never_looks_whole(data: bytes) -> None:
    reader = stream_reader()
    reader.feed(data)
    assert reader.ended
    with pytest.raises(DialectError):
        reader.end()


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    reader = stream_reader()
    reader.feed(b"x" * MAX_LINE_BYTES)
    assert not reader.ended
    reader.feed(b"x")
    with pytest.raises(DialectError, match="an event of over"):
        reader.end()


# --- answers in one piece


def whole(
    *content: dict[str, Any], stop_reason: str = "end_turn", usage: Any = USAGE, **more: Any
) -> bytes:
    fields = {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop_reason,
        "usage": usage,
        "metrics": {"latencyMs": 3},
        **more,
    }
    return json.dumps(fields).encode()


BLOCKS = (
    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": "eA=="}},
    {"text": "Looking."},
    {"toolUse": {"toolUseId": "t1", "name": "now", "input": {}}},
    {"toolUse": {"toolUseId": "t2", "name": "add", "input": {"a": 1.50}}},
)
BLOCK_EVENTS: list[Event] = [
    STARTED,
    ThinkingDelta("hm", "c2ln"),
    ThinkingDelta("", redacted="eA=="),
    TextDelta("Looking."),
    ToolUseStarted(0, "t1", "now"),
    ToolArgumentsDelta(0, "{}"),
    ToolUseStarted(1, "t2", "add"),
    ToolArgumentsDelta(1, '{"a": 1.5}'),
    Finished(StopReason.TOOL_USE),
    UsageReported(Usage(10, 7)),
]


def test_an_answer_in_one_piece_is_read_block_by_block() -> None:
    reader = whole_reader()
    assert reader.feed(whole(*BLOCKS, stop_reason="tool_use")) == []
    assert not reader.ended
    assert reader.end() == BLOCK_EVENTS


def test_an_answer_in_one_piece_may_come_byte_by_byte() -> None:
    data = whole(*BLOCKS, stop_reason="tool_use")
    assert read(whole_reader(), *(bytes([byte]) for byte in data)) == BLOCK_EVENTS


def test_inv3_an_answer_in_one_piece_that_was_cut_never_looks_whole() -> None:
    data = whole(*BLOCKS, stop_reason="tool_use")
    for at in range(len(data)):
        with pytest.raises(DialectError):
            read(whole_reader(), data[:at])


@pytest.mark.parametrize(
    "data",
    [
        b'{"message": "no"}',
        b"[" * 10_000,
        whole({"image": {"format": "png"}}),
        whole({"text": None}),
        whole(usage={}),
    ],
)
def test_inv3_what_is_no_answer_never_looks_whole(data: bytes) -> None:
    with pytest.raises(DialectError):
        read(whole_reader(), data)


def test_an_answer_without_end_is_not_kept_for_ever() -> None:
    reader = whole_reader()
    reader.feed(b"x" * (MAX_REPLY_BYTES + 1))
    assert reader.ended
    with pytest.raises(DialectError, match="too many bytes"):
        reader.end()


# --- errors


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"Too many requests"}', "Too many requests"),
        (b'{"Message":"Missing Authentication Token"}', "Missing Authentication Token"),
    ],
)
def test_a_failed_reply_says_why(body: bytes, message: str) -> None:
    """Source: API_runtime_Converse.html, Errors."""
    error = parse_error(body)
    assert error == {"message": message, "type": None, "param": None, "code": None}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"message": 3}', b"\xff", b"[" * 10_000])
def test_a_failed_reply_may_say_nothing(body: bytes) -> None:
    assert parse_error(body) is None

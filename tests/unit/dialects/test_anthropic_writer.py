"""Events as Anthropic's answers, read back by the official SDK; the end only from `end`."""

import json
from typing import Any

import anthropic
import httpx2
import pytest

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages import PING
from forebay.dialects.anthropic_messages_errors import error_event
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter, MessageWriter
from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.model import Usage
from tests.support.streams import FOLDER

STARTED = Started("chatcmpl-1", "gpt-x")
END = Finished(StopReason.END)
EVERYTHING: list[Event] = [
    STARTED,
    ThinkingDelta("Let me "),
    ThinkingDelta("see.", "sig"),
    ThinkingDelta(redacted="r"),
    TextDelta("Hel"),
    TextDelta(""),
    TextDelta("lo"),
    ToolUseStarted(0, "t0", "f"),
    ToolArgumentsDelta(0, '{"a":'),
    ToolArgumentsDelta(0, ""),
    ToolArgumentsDelta(0, "1}"),
    ToolUseStarted(1, "t1", "g"),
    UsageReported(Usage(20, 9, cached_input_tokens=5, reasoning_tokens=2)),
    Finished(StopReason.TOOL_USE),
]
NOTE = {"cost_usd": "0.1"}


def stream(events: list[Event], note: dict[str, str] | None = None) -> bytes:
    writer = MessageStreamWriter()
    return b"".join(writer.write([event]) for event in events) + writer.end(note)


def whole(events: list[Event], note: dict[str, str] | None = None) -> dict[str, Any]:
    writer = MessageWriter()
    assert writer.write(events) == b""
    message = json.loads(writer.end(note))
    assert isinstance(message, dict)
    return message


def sent(body: bytes) -> list[Any]:
    """Events of a stream, each under the name that its type gives it."""
    events = [event.split("\ndata: ") for event in body.decode().split("\n\n") if event]
    decoded = [(name, json.loads(data)) for name, data in events]
    assert [name for name, _ in decoded] == [f"event: {data['type']}" for _, data in decoded]
    return [data for _, data in decoded]


def sdk(body: bytes, content_type: str) -> anthropic.Anthropic:
    """The official client, in front of a server that answers with these bytes."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(
        api_key="k", http_client=http, max_retries=0, _strict_response_validation=True
    )


def accumulated(body: bytes) -> anthropic.types.Message:
    with (
        sdk(body, "text/event-stream") as client,
        client.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "a"}]
        ) as answer,
    ):
        return answer.get_final_message()


def created(body: bytes) -> anthropic.types.Message:
    with sdk(body, "application/json") as client:
        return client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "a"}]
        )


# --- what the official SDK makes of it

EXPECTED = [
    {"type": "thinking", "thinking": "Let me see.", "signature": "sig"},
    {"type": "redacted_thinking", "data": "r"},
    {"type": "text", "text": "Hello"},
    {"type": "tool_use", "id": "t0", "name": "f", "input": {"a": 1}},
    {"type": "tool_use", "id": "t1", "name": "g", "input": {}},
]


def checked(message: anthropic.types.Message) -> None:
    assert [block.to_dict() for block in message.content] == EXPECTED
    assert (message.id, message.model) == ("chatcmpl-1", "gpt-x")
    assert (message.stop_reason, message.stop_sequence) == ("tool_use", None)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (15, 5, 9)


def test_the_sdk_accumulates_a_stream() -> None:
    checked(accumulated(stream(EVERYTHING, NOTE)))


def test_the_sdk_accumulates_a_stream_with_pings() -> None:
    writer = MessageStreamWriter()
    body = PING + b"".join(writer.write([event]) + PING for event in EVERYTHING)

    checked(accumulated(body + writer.end(None)))


def test_the_sdk_reads_a_message() -> None:
    writer = MessageWriter()
    writer.write(EVERYTHING)

    checked(created(writer.end(NOTE)))


@pytest.mark.parametrize("name", ["anthropic_text", "anthropic_tools", "anthropic_thinking"])
def test_the_sdk_reads_the_streams_that_our_reader_is_tested_with(name: str) -> None:
    assert accumulated((FOLDER / f"{name}.sse").read_bytes()).stop_reason is not None


def test_the_sdk_raises_an_error_amid_a_stream() -> None:
    body = MessageStreamWriter().write([STARTED, TextDelta("Hel")]) + error_event(529, "Wait.")

    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        accumulated(body)


# --- blocks


def test_blocks_come_in_order_one_at_a_time() -> None:
    events = sent(stream(EVERYTHING))

    steps = [(e["type"].removeprefix("content_block_"), e["index"]) for e in events if "index" in e]
    assert steps == [
        *[("start", 0), ("delta", 0), ("delta", 0), ("delta", 0), ("stop", 0)],
        *[("start", 1), ("stop", 1)],
        *[("start", 2), ("delta", 2), ("delta", 2), ("stop", 2)],
        *[("start", 3), ("delta", 3), ("delta", 3), ("stop", 3)],
        *[("start", 4), ("stop", 4)],
    ]


def test_interleaved_tools_are_written_one_after_the_other() -> None:
    events: list[Event] = [
        STARTED,
        ToolUseStarted(0, "t0", "f"),
        ToolUseStarted(1, "t1", "g"),
        ToolArgumentsDelta(1, '{"b":'),
        ToolArgumentsDelta(0, '{"a":1}'),
        ToolArgumentsDelta(1, "2}"),
        Finished(StopReason.TOOL_USE),
    ]

    message = accumulated(stream(events))

    assert [block.to_dict().get("input") for block in message.content] == [{"a": 1}, {"b": 2}]


def test_arguments_of_a_tool_that_has_ended_are_an_error() -> None:
    writer = MessageStreamWriter()
    writer.write([STARTED, ToolUseStarted(0, "t", "f"), TextDelta("a")])

    with pytest.raises(DialectError, match="no open tool"):
        writer.write([ToolArgumentsDelta(0, "{}")])


def test_nothing_opens_no_block() -> None:
    events = sent(stream([STARTED, TextDelta(""), ThinkingDelta(""), END]))

    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]


def test_a_signature_alone_is_a_block() -> None:
    message = whole([STARTED, ThinkingDelta(signature="s"), END])

    assert message["content"] == [{"type": "thinking", "thinking": "", "signature": "s"}]


def test_thinking_without_a_signature_gets_an_empty_one() -> None:
    message = accumulated(stream([STARTED, ThinkingDelta("Hm"), TextDelta("a"), END]))

    assert message.content[0].to_dict() == {"type": "thinking", "thinking": "Hm", "signature": ""}


# --- how it ends


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (StopReason.END, "end_turn"),
        (StopReason.LENGTH, "max_tokens"),
        (StopReason.STOP_SEQUENCE, "stop_sequence"),
        (StopReason.TOOL_USE, "tool_use"),
        (StopReason.FILTERED, "refusal"),
        (StopReason.REFUSAL, "refusal"),
    ],
)
def test_stop_reasons(reason: StopReason, expected: str) -> None:
    assert whole([STARTED, Finished(reason)])["stop_reason"] == expected


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    message = accumulated(stream([STARTED, RefusalDelta("No."), END]))

    assert message.content[0].to_dict() == {"type": "text", "text": "No."}
    assert message.stop_reason == "refusal"


def test_a_stop_sequence_is_named() -> None:
    message = whole([STARTED, Finished(StopReason.STOP_SEQUENCE, "X")])

    assert message["stop_sequence"] == "X"


@pytest.mark.parametrize(
    "writer", [MessageStreamWriter(), MessageWriter()], ids=["stream", "whole"]
)
def test_inv3_an_answer_that_did_not_finish_has_no_end(
    writer: MessageStreamWriter | MessageWriter,
) -> None:
    writer.write([STARTED, TextDelta("Hel")])

    with pytest.raises(DialectError, match="did not finish"):
        writer.end(None)


def test_inv3_only_the_end_says_that_the_answer_is_whole() -> None:
    written = MessageStreamWriter().write(EVERYTHING)

    assert b"message_stop" not in written
    assert b"message_delta" not in written


# --- usage


def test_usage_that_is_known_is_in_the_first_event() -> None:
    writer = MessageStreamWriter()

    (event,) = sent(writer.write([STARTED, UsageReported(Usage(20, 9, cached_input_tokens=5))]))

    assert event["message"]["usage"] == {
        "input_tokens": 15,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 5,
        "output_tokens": 0,
    }


@pytest.mark.parametrize(("note", "expected"), [(NOTE, NOTE), (None, None)])
def test_the_note_goes_with_the_last_usage(
    note: dict[str, str] | None, expected: dict[str, str] | None
) -> None:
    last = sent(stream(EVERYTHING, note))[-2]

    assert last["usage"].get("forebay") == expected
    assert last["usage"]["output_tokens_details"] == {"thinking_tokens": 2}
    assert whole(EVERYTHING, note)["usage"] == last["usage"]


def test_unknown_usage_is_zero() -> None:
    usage = accumulated(stream([STARTED, END])).usage

    assert (usage.input_tokens, usage.output_tokens) == (0, 0)


# --- a tool's input, in one piece

TOOL: list[Event] = [STARTED, TextDelta("a"), ToolUseStarted(0, "t", "f")]


@pytest.mark.parametrize("arguments", ['{"a":', "[]", "x", "[" * 100_000])
def test_input_that_is_no_object_is_no_answer(arguments: str) -> None:
    events = [*TOOL, ToolArgumentsDelta(0, arguments), Finished(StopReason.TOOL_USE)]

    with pytest.raises(DialectError, match="no JSON object"):
        whole(events)


def test_a_tool_cut_by_the_limit_is_left_out() -> None:
    message = whole([*TOOL, ToolArgumentsDelta(0, '{"a":'), Finished(StopReason.LENGTH)])

    assert message["content"] == [{"type": "text", "text": "a"}]

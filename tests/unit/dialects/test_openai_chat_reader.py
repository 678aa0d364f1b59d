"""OpenAI's answers, and those of what is compatible with it, as events.

Expected values are what https://platform.openai.com/docs/api-reference/chat/object and
/chat-streaming say of each field; others name their source.
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported, sse
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
from forebay.dialects.openai_chat_reader import ChatStreamReader, ChatWholeReader
from forebay.model import Usage
from tests.support.streams import STREAMS, Stream

DONE = b"data: [DONE]\n\n"
each_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)


def read(sent: bytes, *, choices: int = 1) -> list[Event]:
    reader = ChatStreamReader(choices)
    return reader.feed(sent) + reader.end()


def chunk(
    delta: dict[str, Any] | None = None,
    finish: str | None = None,
    *,
    index: int = 0,
    **fields: Any,
) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish, **fields}
    return event({"id": "a", "model": "m", "choices": [choice]})


def event(data: object) -> bytes:
    return sse.event(json.dumps(data).encode())


def calls(*parts: dict[str, Any]) -> bytes:
    """Answer with one chunk for each part of a tool call."""
    return b"".join(chunk({"tool_calls": [part]}) for part in parts) + chunk(finish="tool_calls")


def whole(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "a", "model": "m", "choices": [choice], **fields}).encode()


def read_whole(body: bytes) -> list[Event]:
    reader = ChatWholeReader()
    return reader.feed(body[:9]) + reader.feed(body[9:]) + reader.end()


STARTED = Started("a", "m")
END = Finished(StopReason.END)
CALLED = Finished(StopReason.TOOL_USE)

# --- streams of the providers

OPENAI = Started("chatcmpl-A1", "gpt-4o-mini-2024-07-18")

RECORDED: dict[str, list[Event]] = {
    "openai_usage": [
        OPENAI,
        TextDelta("Hello"),
        TextDelta(" there"),
        END,
        UsageReported(Usage(19, 5, 8, service_tier="default")),
    ],
    "openai_tools": [
        OPENAI,
        ToolUseStarted(0, "call_a", "get_weather"),
        ToolArgumentsDelta(0, '{"city":'),
        ToolArgumentsDelta(0, '"Łódź"}'),
        ToolUseStarted(1, "call_b", "get_time"),
        ToolArgumentsDelta(1, "{}"),
        CALLED,
        UsageReported(Usage(19, 33, 8, service_tier="default")),
    ],
    "openai_two_choices": [
        OPENAI,
        TextDelta("Yes"),
        TextDelta("No", choice=1),
        TextDelta("!"),
        END,
        TextDelta(".", choice=1),
        Finished(StopReason.LENGTH, choice=1),
        UsageReported(Usage(19, 8, 8, service_tier="default")),
    ],
    "openai_refusal": [
        OPENAI,
        RefusalDelta("I cannot"),
        RefusalDelta(" do that."),
        Finished(StopReason.REFUSAL),
        UsageReported(Usage(19, 5, 8, service_tier="default")),
    ],
    "azure_plain": [OPENAI, TextDelta("Ok"), END],
    "usage_with_choices": [
        Started("cmpl-m1", "mistral-small-latest"),
        TextDelta("Bonjour"),
        END,
        UsageReported(Usage(7, 2)),
    ],
    "vllm_plain": [
        Started("chatcmpl-v1", "Qwen/Qwen2.5-0.5B-Instruct"),
        ThinkingDelta("Hm."),
        TextDelta("42"),
        END,
        UsageReported(Usage(12, 4)),
    ],
    "ollama_plain": [
        Started("chatcmpl-7", "llama3.2"),
        TextDelta("Hi"),
        TextDelta("!"),
        END,
        UsageReported(Usage(26, 3)),
    ],
}
BY_NAME = {case.name: case for case in STREAMS}


@pytest.mark.parametrize(("name", "expected"), RECORDED.items(), ids=RECORDED)
def test_a_stream_is_understood(name: str, expected: list[Event]) -> None:
    case = BY_NAME[name]

    assert read(case.sent, choices=case.choices) == expected


@each_stream
def test_a_stream_read_byte_by_byte_means_the_same(case: Stream) -> None:
    reader = ChatStreamReader(case.choices)

    meant = [event for byte in case.sent for event in reader.feed(bytes([byte]))]

    assert meant + reader.end() == read(case.sent, choices=case.choices)


@each_stream
def test_inv3_a_stream_cut_anywhere_is_whole_only_if_all_its_choices_are(case: Stream) -> None:
    uncut = read(case.sent, choices=case.choices)
    for cut in range(len(case.sent)):
        reader = ChatStreamReader(case.choices)
        meant = reader.feed(case.sent[:cut])
        assert meant == uncut[: len(meant)]
        finished = sum(isinstance(each, Finished) for each in meant)
        assert ended_whole(reader) is (finished == case.choices)


def ended_whole(reader: ChatStreamReader) -> bool:
    try:
        reader.end()
    except DialectError:
        return False
    return True


# --- what deltas mean

DELTAS: dict[str, tuple[bytes, list[Event]]] = {
    "DeepSeek's reasoning": (
        chunk({"reasoning_content": "Hm."}) + chunk(finish="stop"),
        [ThinkingDelta("Hm."), END],
    ),
    "vLLM's reasoning": (
        chunk({"reasoning": "Hm."}) + chunk(finish="stop"),
        [ThinkingDelta("Hm."), END],
    ),
    "the end with the last words": (chunk({"content": "a"}, "stop"), [TextDelta("a"), END]),
    "an end without words": (chunk({"content": "a"}) + chunk(finish="stop"), [TextDelta("a"), END]),
    "an end without a delta": (
        event({"id": "a", "model": "m", "choices": [{"index": 0, "finish_reason": "stop"}]}),
        [END],
    ),
    "a refusal cut short": (
        chunk({"refusal": "I"}, "length"),
        [RefusalDelta("I"), Finished(StopReason.LENGTH)],
    ),
    "a second end": (chunk(finish="stop") + chunk(finish="stop"), [END]),
    "a tool that had to be called": (
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}, "stop"),
        [ToolUseStarted(0, "c", "f"), CALLED],
    ),
    "tools cut short": (
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}, "length"),
        [ToolUseStarted(0, "c", "f"), Finished(StopReason.LENGTH)],
    ),
    "vLLM's stop sequence": (
        chunk(finish="stop", stop_reason="END"),
        [Finished(StopReason.STOP_SEQUENCE, "END")],
    ),
    "vLLM's stop token": (chunk(finish="stop", stop_reason=2), [END]),
    "a tool without an id": (
        calls({"index": 0, "function": {"name": "f", "arguments": "{}"}}),
        [ToolUseStarted(0, "a-0-0", "f"), ToolArgumentsDelta(0, "{}"), CALLED],
    ),
    "a tool named again": (
        calls(
            {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}},
            {"index": 0, "id": "c", "function": {"name": "f", "arguments": "}"}},
        ),
        [
            ToolUseStarted(0, "c", "f"),
            ToolArgumentsDelta(0, "{"),
            ToolArgumentsDelta(0, "}"),
            CALLED,
        ],
    ),
    "tools under one index": (
        calls(
            {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}},
            {"index": 0, "id": "d", "function": {"name": "g", "arguments": "{}"}},
        ),
        [
            ToolUseStarted(0, "c", "f"),
            ToolArgumentsDelta(0, "{}"),
            ToolUseStarted(1, "d", "g"),
            ToolArgumentsDelta(1, "{}"),
            CALLED,
        ],
    ),
    "tools without an index": (
        calls(
            {"id": "c", "function": {"name": "f"}},
            {"id": "d", "function": {"name": "g"}},
        ),
        [ToolUseStarted(0, "c", "f"), ToolUseStarted(1, "d", "g"), CALLED],
    ),
    "tools counted from elsewhere": (
        calls(
            {"index": 7, "id": "c", "function": {"name": "f"}},
            {"index": 3, "id": "d", "function": {"name": "g"}},
            {"index": 7, "function": {"arguments": "{}"}},
            {"index": 7},
        ),
        [
            ToolUseStarted(0, "c", "f"),
            ToolUseStarted(1, "d", "g"),
            ToolArgumentsDelta(0, "{}"),
            CALLED,
        ],
    ),
    "a function, before there were tools": (
        chunk({"function_call": {"name": "f", "arguments": ""}})
        + chunk({"function_call": {"arguments": "{}"}})
        + chunk(finish="function_call"),
        [ToolUseStarted(0, "a-0-0", "f"), ToolArgumentsDelta(0, "{}"), CALLED],
    ),
}


@pytest.mark.parametrize(("sent", "expected"), DELTAS.values(), ids=DELTAS)
def test_a_delta_is_understood(sent: bytes, expected: list[Event]) -> None:
    assert read(sent + DONE) == [STARTED, *expected]


FINISH_REASONS = {
    "stop": StopReason.END,
    "length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.FILTERED,
}


@pytest.mark.parametrize(("finish", "reason"), FINISH_REASONS.items())
def test_a_finish_reason_is_understood(finish: str, reason: StopReason) -> None:
    assert read(chunk(finish=finish)) == [STARTED, Finished(reason)]


def test_an_answer_without_id_and_model_is_one() -> None:
    sent = event({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})

    assert read(sent) == [Started("", ""), TextDelta("a"), END]


def test_the_end_of_a_choice_is_not_yet_the_end() -> None:
    reader = ChatStreamReader()

    assert reader.feed(chunk(finish="stop")) == [STARTED, END]
    assert not reader.ended


def test_there_is_no_more_to_wait_for_after_done() -> None:
    reader = ChatStreamReader()

    meant = reader.feed(chunk(finish="stop") + DONE + chunk({"content": "late"}))

    assert reader.ended
    assert meant == [STARTED, END]
    assert reader.feed(chunk({"content": "later"})) == []


# --- what is no whole answer

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "nothing but its end": DONE,
    "words without an end": chunk({"content": "a"}),
    "words without an end, and done": chunk({"content": "a"}) + DONE,
    "an empty finish reason": chunk({"content": "a"}, "") + DONE,
    "vLLM gave up": chunk({"content": "a"}, "abort") + DONE,
    "DeepSeek ran short": chunk({"content": "a"}, "insufficient_system_resource") + DONE,
    "a tool without a name": calls({"index": 0, "id": "c", "function": {"arguments": "{}"}}),
    "a tool without a function": calls({"index": 0, "id": "c"}),
    "no JSON": chunk(finish="stop") + b"data: {\n\n",
    "no UTF-8": chunk(finish="stop") + b'data: {"id":"\xff"}\n\n',
    "content of no kind": chunk({"content": 1}, "stop"),
    "an event without end": chunk(finish="stop") + b"data: " + b"x" * sse.MAX_EVENT_BYTES,
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_inv3_what_is_not_whole_is_no_answer(sent: bytes) -> None:
    reader = ChatStreamReader()
    reader.feed(sent)

    with pytest.raises(DialectError):
        reader.end()


def test_inv3_a_missing_choice_is_missed() -> None:
    with pytest.raises(DialectError):
        read(chunk(finish="stop"), choices=2)


def test_fewer_choices_are_whole_where_the_target_says_so() -> None:
    assert read(chunk(finish="stop") + DONE, choices=2) == [STARTED, END]


def test_a_broken_chunk_loses_nothing_that_came_before() -> None:
    reader = ChatStreamReader()

    assert reader.feed(chunk({"content": "a"}) + b"data: {\n\n") == [STARTED, TextDelta("a")]
    assert reader.ended


ERRORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "an object": ({"message": "Overloaded", "code": 503}, {"message": "Overloaded", "code": 503}),
    "a string": ("overloaded", {"message": "overloaded"}),
}


@pytest.mark.parametrize(("error", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_a_stream_is_reported(error: object, expected: dict[str, Any]) -> None:
    reader = ChatStreamReader()
    reader.feed(chunk({"content": "a"}) + event({"error": error}) + DONE)

    with pytest.raises(UpstreamReported) as caught:
        reader.end()
    assert caught.value.error == expected


# --- answers in one piece

FUNCTION = {"name": "f", "arguments": "{}"}

WHOLE: dict[str, tuple[bytes, list[Event]]] = {
    "words": (whole({"role": "assistant", "content": "a"}), [TextDelta("a"), END]),
    "nothing said": (whole({"content": None}), [END]),
    "reasoning": (
        whole({"reasoning_content": "Hm.", "content": "a"}),
        [ThinkingDelta("Hm."), TextDelta("a"), END],
    ),
    "a refusal": (
        whole({"content": None, "refusal": "No."}),
        [RefusalDelta("No."), Finished(StopReason.REFUSAL)],
    ),
    "tools": (
        whole(
            {
                "tool_calls": [
                    {"id": "c", "type": "function", "function": FUNCTION},
                    {"id": "d", "type": "function", "function": FUNCTION},
                ]
            },
            "tool_calls",
        ),
        [
            ToolUseStarted(0, "c", "f"),
            ToolArgumentsDelta(0, "{}"),
            ToolUseStarted(1, "d", "f"),
            ToolArgumentsDelta(1, "{}"),
            CALLED,
        ],
    ),
    "a function": (
        whole({"function_call": FUNCTION}, "function_call"),
        [ToolUseStarted(0, "a-0-0", "f"), ToolArgumentsDelta(0, "{}"), CALLED],
    ),
    "usage": (
        whole(
            {"content": "a"},
            usage={
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        ),
        [TextDelta("a"), END, UsageReported(Usage(9, 5, 4, 3))],
    ),
}


@pytest.mark.parametrize(("body", "expected"), WHOLE.values(), ids=WHOLE)
def test_an_answer_in_one_piece_is_understood(body: bytes, expected: list[Event]) -> None:
    assert read_whole(body) == [STARTED, *expected]


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"<html>", whole({"content": "a"}, None), whole({"content": "a"}, "abort")],
    ids=["nothing", "no choices", "no object", "no JSON", "no end", "given up"],
)
def test_inv3_what_is_no_whole_completion_is_no_answer(body: bytes) -> None:
    with pytest.raises(DialectError):
        read_whole(body)


def test_inv3_a_completion_cut_anywhere_is_no_answer() -> None:
    body = whole({"content": "a"})
    for cut in range(len(body)):
        with pytest.raises(DialectError):
            read_whole(body[:cut])


def test_an_error_in_place_of_a_completion_is_reported() -> None:
    with pytest.raises(UpstreamReported):
        read_whole(b'{"error":{"message":"Overloaded"}}')


def test_an_answer_in_one_piece_is_waited_for() -> None:
    assert not ChatWholeReader().ended

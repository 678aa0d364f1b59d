"""Gemini's answers become events; invariant 3: a broken one never looks complete.

Expected values are of https://ai.google.dev/api/generate-content (v1beta).
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
)
from forebay.dialects.exchange import MAX_REPLY_BYTES
from forebay.dialects.gemini_generate_reader import StreamReader, WholeReader
from forebay.dialects.gemini_generate_replies import parse_error
from forebay.dialects.sse import MAX_EVENT_BYTES
from forebay.model import Usage
from tests.support.gemini import (
    GEMINI_STREAMS,
    GeminiStream,
    ends_of,
    event,
    read,
    read_stream,
    said,
    signatures_of,
    text_of,
    thoughts_of,
    tools_of,
    usage_of,
)

each_stream = pytest.mark.parametrize("case", GEMINI_STREAMS, ids=lambda case: case.name)

CALL = {"functionCall": {"name": "now"}}
OVERLOADED = {
    "error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
}
OVERLOADED_READ = {
    "message": "The model is overloaded.",
    "type": "UNAVAILABLE",
    "param": None,
    "code": "UNAVAILABLE",
    "status": 503,
}


def reader_of(case: GeminiStream) -> StreamReader:
    return StreamReader(len(case.texts))


# --- what is whole


@each_stream
def test_a_whole_stream_is_understood(case: GeminiStream) -> None:
    events = read(reader_of(case), case.sent)

    assert tuple(text_of(events, choice) for choice in range(len(case.texts))) == case.texts
    assert thoughts_of(events) == case.thoughts
    assert tools_of(events) == case.tools
    assert ends_of(events) == [case.reason] * len(case.texts)
    assert usage_of(events) == case.usage


@each_stream
def test_a_stream_split_at_each_byte_reads_the_same(case: GeminiStream) -> None:
    whole = read(reader_of(case), case.sent)

    assert read(reader_of(case), *(bytes([byte]) for byte in case.sent)) == whole


@each_stream
def test_inv3_a_stream_cut_anywhere_is_not_whole_before_every_finish_reason_was_read(
    case: GeminiStream,
) -> None:
    whole_from = case.sent.rindex(b"data: ")

    for cut in range(whole_from + 1):
        reader = reader_of(case)
        events = reader.feed(case.sent[:cut])
        assert ends_of(events) == []
        with pytest.raises(DialectError, match="ended before the answer did"):
            reader.end()


@each_stream
def test_inv3_a_stream_cut_within_its_last_event_is_not_whole(case: GeminiStream) -> None:
    last_event = case.sent[case.sent.rindex(b"data: ") :].rstrip()

    for cut in range(1, len(last_event)):
        with pytest.raises(DialectError):
            read(reader_of(case), case.sent.rstrip()[:-cut])


def test_an_answer_in_one_piece_is_understood() -> None:
    answer = said(
        {"text": "Hm.", "thought": True},
        {"text": "Two"},
        {"text": "!"},
        finish="STOP",
        modelVersion="gemini-2.5-flash",
        responseId="r1",
        usageMetadata={"promptTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
    )
    body = json.dumps(answer, indent=2).encode()

    events = read(WholeReader(), body[:9], body[9:])

    assert events[0] == Started("r1", "gemini-2.5-flash")
    assert (thoughts_of(events), text_of(events)) == ("Hm.", "Two!")
    assert ends_of(events) == [StopReason.END]
    assert usage_of(events) == Usage(4, 5, 0, 3)


def test_an_answer_in_one_piece_is_said_only_at_its_end() -> None:
    reader = WholeReader()

    assert reader.feed(json.dumps(said({"text": "a"}, finish="STOP")).encode()) == []
    assert not reader.ended


def test_the_answer_starts_once() -> None:
    events = read_stream(
        said({"text": "a"}, modelVersion="gemini-2.5-pro", responseId="r1"),
        said({"text": "b"}, modelVersion="gemini-2.5-pro", responseId="r1", finish="STOP"),
    )

    assert [e for e in events if isinstance(e, Started)] == [Started("r1", "gemini-2.5-pro")]
    assert isinstance(events[0], Started)


def test_an_event_after_the_last_finish_reason_is_still_read() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1}

    events = read_stream(said({"text": "a"}, finish="STOP"), {"usageMetadata": usage})

    assert usage_of(events) == Usage(3, 1)
    assert isinstance(events[-1], Finished)


def test_the_last_finish_reason_counts() -> None:
    """Gemini 1.0 said STOP in every event."""
    events = read_stream(
        said({"text": "a"}, finish="STOP"), said({"text": "b"}), said(finish="MAX_TOKENS")
    )

    assert text_of(events) == "ab"
    assert ends_of(events) == [StopReason.LENGTH]


# --- finish reasons


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("STOP", StopReason.END),
        ("MAX_TOKENS", StopReason.LENGTH),
        ("CONTINUATION", StopReason.LENGTH),
        ("SAFETY", StopReason.FILTERED),
        ("RECITATION", StopReason.FILTERED),
        ("LANGUAGE", StopReason.FILTERED),
        ("BLOCKLIST", StopReason.FILTERED),
        ("PROHIBITED_CONTENT", StopReason.FILTERED),
        ("SPII", StopReason.FILTERED),
        ("MODEL_ARMOR", StopReason.FILTERED),
        ("ESCALATION", StopReason.FILTERED),
        ("IMAGE_SAFETY", StopReason.FILTERED),
        ("IMAGE_PROHIBITED_CONTENT", StopReason.FILTERED),
        ("IMAGE_RECITATION", StopReason.FILTERED),
    ],
)
def test_a_finish_reason_becomes_a_stop_reason(finish: str, reason: StopReason) -> None:
    assert ends_of(read_stream(said({"text": "a"}, finish=finish))) == [reason]


@pytest.mark.parametrize(
    "finish",
    [
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "PUP_LIMITED_DISABLED",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "SOMETHING_NEW",
    ],
)
def test_inv3_an_answer_that_the_model_gave_up_is_not_whole(finish: str) -> None:
    with pytest.raises(DialectError, match="gave up"):
        read_stream(said({"text": "a"}, finish=finish))


@pytest.mark.parametrize("finish", ["", "FINISH_REASON_UNSPECIFIED"])
def test_inv3_a_finish_reason_that_says_nothing_is_none(finish: str) -> None:
    with pytest.raises(DialectError, match="ended before"):
        read_stream(said({"text": "a"}, finish=finish))


def test_a_stop_with_function_calls_is_a_tool_use() -> None:
    events = read_stream(said(CALL), said({"text": ""}, finish="STOP"))

    assert ends_of(events) == [StopReason.TOOL_USE]


def test_a_limit_after_function_calls_is_a_limit() -> None:
    assert ends_of(read_stream(said(CALL, finish="MAX_TOKENS"))) == [StopReason.LENGTH]


# --- candidates


def test_inv3_an_answer_without_each_candidate_is_not_whole() -> None:
    with pytest.raises(DialectError, match="ended before"):
        read_stream(said({"text": "a"}, finish="STOP"), choices=2)


def test_inv3_a_candidate_that_was_not_asked_for_has_to_end_too() -> None:
    more = {"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]}

    with pytest.raises(DialectError, match="ended before"):
        read_stream(said({"text": "a"}, finish="STOP"), more)


def test_each_candidate_counts_its_own_tools() -> None:
    first = {"content": {"parts": [CALL]}, "finishReason": "STOP"}
    second = {"content": {"parts": [CALL, CALL]}, "finishReason": "STOP", "index": 1}

    events = read_stream({"candidates": [first, second]}, choices=2)

    started = [(e.choice, e.position) for e in events if isinstance(e, ToolUseStarted)]
    assert started == [(0, 0), (1, 0), (1, 1)]


# --- the filter


def test_a_blocked_prompt_is_filtered_for_every_choice() -> None:
    feedback = {"promptFeedback": {"blockReason": "SAFETY"}}

    events = read_stream(feedback, choices=2)

    assert ends_of(events) == [StopReason.FILTERED] * 2
    assert text_of(events) == ""


def test_an_answer_that_is_blocked_on_its_way_is_filtered() -> None:
    feedback = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}

    assert ends_of(read_stream(said({"text": "a"}), feedback)) == [StopReason.FILTERED]


def test_inv3_feedback_that_blocks_nothing_is_no_end() -> None:
    with pytest.raises(DialectError, match="ended before"):
        read_stream({"promptFeedback": {"safetyRatings": []}})


# --- parts


def test_a_function_call_keeps_its_own_id() -> None:
    call = {"functionCall": {"id": "x7", "name": "now", "args": {"zone": "UTC"}}}

    events = read_stream(said(call, finish="STOP"))

    assert events[1:3] == [
        ToolUseStarted(0, "x7", "now"),
        ToolArgumentsDelta(0, '{"zone": "UTC"}'),
    ]


@pytest.mark.parametrize(
    ("response_id", "ids"),
    [("r1", ["call_r1_0_0", "call_r1_0_1"]), ("", ["call_now_0_0", "call_now_0_1"])],
    ids=["of the response", "of the function"],
)
def test_function_calls_without_ids_get_the_same_ones_each_time(
    response_id: str, ids: list[str]
) -> None:
    events = read_stream(said(CALL, CALL, finish="STOP", responseId=response_id))

    assert [e.id for e in events if isinstance(e, ToolUseStarted)] == ids


@pytest.mark.parametrize("args", [None, {}], ids=["null", "empty"])
def test_a_function_call_without_arguments_has_an_empty_object(args: object) -> None:
    call = {"functionCall": {"name": "now", "args": args}}

    assert tools_of(read_stream(said(call, finish="STOP"))) == (("now", "{}"),)


def test_arguments_are_passed_on_as_they_came() -> None:
    part = b'{"functionCall": {"name": "f", "args": {"x": 1e999, "y": 1.10}}}'
    sent = (
        b'data: {"candidates": [{"content": {"parts": [%s]}, "finishReason": "STOP"}]}\n\n' % part
    )

    assert tools_of(read(StreamReader(), sent)) == (("f", '{"x": 1e999, "y": 1.10}'),)


@pytest.mark.parametrize("args", [b'"x"', b"[]", b'{"x": "\xff"}'], ids=["text", "list", "bytes"])
def test_arguments_that_are_no_object_are_no_answer(args: bytes) -> None:
    part = b'{"functionCall": {"name": "f", "args": %s}}' % args
    sent = (
        b'data: {"candidates": [{"content": {"parts": [%s]}, "finishReason": "STOP"}]}\n\n' % part
    )

    with pytest.raises(DialectError, match="arguments"):
        read(StreamReader(), sent)


@pytest.mark.parametrize(
    ("part", "events"),
    [
        (
            {"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"},
            [ThinkingDelta("Hm.", "gemini:c2ln")],
        ),
        ({"text": "Hm.", "thought": True}, [ThinkingDelta("Hm.")]),
        (
            {"text": "Yes", "thoughtSignature": "c2ln"},
            [TextDelta("Yes"), ThinkingDelta("", "gemini:c2ln")],
        ),
        ({"text": "", "thoughtSignature": "c2ln"}, [ThinkingDelta("", "gemini:c2ln")]),
        ({"thoughtSignature": "c2ln"}, [ThinkingDelta("", "gemini:c2ln")]),
        (
            {**CALL, "thoughtSignature": "c2ln"},
            [
                ThinkingDelta("", "gemini:c2ln"),
                ToolUseStarted(0, "call_now_0_0", "now"),
                ToolArgumentsDelta(0, "{}"),
            ],
        ),
        ({"text": ""}, []),
        ({}, []),
        ({"text": "", "thought": True}, []),
    ],
    ids=lambda value: "-".join(value) or "empty" if isinstance(value, dict) else "",
)
def test_a_part_becomes_events(part: dict[str, Any], events: list[Event]) -> None:
    """Source: https://ai.google.dev/gemini-api/docs/thought-signatures."""
    assert read_stream(said(part, finish="STOP"))[1:-1] == events


def test_signatures_are_known_as_geminis() -> None:
    stream = next(case for case in GEMINI_STREAMS if case.name == "gemini_thinking")

    assert signatures_of(read(reader_of(stream), stream.sent)) == [
        "gemini:ZW5jcnlwdGVkIHJlYXNvbmluZw=="
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *("inlineData", "fileData", "executableCode"),
        *("codeExecutionResult", "toolCall", "toolResponse"),
    ],
)
def test_inv3_a_part_that_cannot_be_passed_on_is_not_left_out(kind: str) -> None:
    with pytest.raises(DialectError, match="neither text nor a function call"):
        read_stream(said({kind: {}}, finish="STOP"))


# --- usage


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        ({"promptTokenCount": 7, "candidatesTokenCount": 2}, Usage(7, 2)),
        ({"promptTokenCount": 7}, Usage(7, 0)),
        ({"promptTokenCount": 7, "cachedContentTokenCount": 5}, Usage(7, 0, 5)),
        (
            {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 9},
            Usage(7, 11, 0, 9),
        ),
        ({"promptTokenCount": 7, "toolUsePromptTokenCount": 4}, Usage(11, 0)),
        ({"promptTokenCount": 7, "cachedContentTokenCount": 8}, Usage(8, 0, 8)),
        (
            {
                "promptTokenCount": -1,
                "cachedContentTokenCount": -1,
                "candidatesTokenCount": -1,
                "thoughtsTokenCount": -1,
                "toolUsePromptTokenCount": -1,
            },
            None,
        ),
        ({"candidatesTokenCount": 2}, None),
        ({}, None),
    ],
    ids=[
        *("plain", "no output", "cached", "thoughts", "server tools", "more cached than asked"),
        *("negative", "output alone", "nothing"),
    ],
)
def test_usage_counts_what_is_billed(metadata: dict[str, int], usage: Usage | None) -> None:
    """Thoughts stand beside the candidates' tokens, cached tokens within the prompt's.

    Source: UsageMetadata, and https://ai.google.dev/gemini-api/docs/thinking#pricing.
    """
    assert usage_of(read_stream(said(finish="STOP", usageMetadata=metadata))) == usage


# --- what is no answer


@pytest.mark.parametrize(
    "sent",
    [
        b"data: {}\n\n",
        b"data: {\n\n",
        b"data: [DONE]\n\n",
        b"data: []\n\n",
        b"data: [{}]\n\n",
        b'data: "x"\n\n',
        b'data: {"candidates": {}}\n\n',
        b'data: {"candidates": [{"index": -1}]}\n\n',
        b'data: {"candidates": [{"content": {"parts": [{"text": "\xff"}]}}]}\n\n',
        b"data: " + b"[" * 5000 + b"]" * 5000 + b"\n\n",
        b"data: " + b"x" * MAX_EVENT_BYTES,
        b"<html>Bad gateway</html>",
        b"",
    ],
    ids=[
        *("empty object", "broken", "done", "empty list", "list", "text", "candidates", "index"),
        *("not UTF-8", "deep", "long", "html", "nothing"),
    ],
)
def test_inv3_what_is_no_answer_is_refused(sent: bytes) -> None:
    with pytest.raises(DialectError) as raised:
        read(StreamReader(), sent)

    assert not isinstance(raised.value, UpstreamReported)


def test_what_is_no_answer_ends_the_stream_and_what_came_before_is_kept() -> None:
    reader = StreamReader()

    events = reader.feed(event(said({"text": "a"})) + b"data: {\n\n" + event(said({"text": "b"})))

    assert text_of(events) == "a"
    assert reader.ended
    assert reader.feed(event(said({"text": "c"}, finish="STOP"))) == []
    with pytest.raises(DialectError, match="no answer"):
        reader.end()


def test_an_answer_that_is_too_long_ends_and_is_refused() -> None:
    reader = WholeReader()
    reader.feed(b" " * (MAX_REPLY_BYTES + 1))

    assert reader.ended
    with pytest.raises(DialectError, match="over"):
        reader.end()


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"{}"])
def test_inv3_an_answer_in_one_piece_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(DialectError):
        read(WholeReader(), body)


# --- errors


@pytest.mark.parametrize(
    "body", [OVERLOADED, [OVERLOADED]], ids=["an object", "an array of one object"]
)
def test_an_error_in_place_of_an_answer_is_reported(body: object) -> None:
    sent = json.dumps(body, indent=2).encode()

    with pytest.raises(UpstreamReported) as raised:
        read(WholeReader(), sent)

    assert raised.value.error == OVERLOADED_READ


@pytest.mark.parametrize(
    "sent",
    [
        event(OVERLOADED),
        event([OVERLOADED]),
        json.dumps(OVERLOADED, indent=2).encode(),
        json.dumps([OVERLOADED], indent=2).encode() + b"\n",
    ],
    ids=["an event", "an event with an array", "bare", "a bare array"],
)
@pytest.mark.parametrize("before", [b"", event(said({"text": "a"}))], ids=["first", "later"])
def test_an_error_in_a_stream_is_reported(before: bytes, sent: bytes) -> None:
    """Google writes one that comes in mid-stream as bare JSON (as the SDK's reader has it)."""
    with pytest.raises(UpstreamReported) as raised:
        read(StreamReader(), *(bytes([byte]) for byte in before + sent))

    assert raised.value.error == OVERLOADED_READ


def test_bare_json_in_a_stream_that_is_no_error_is_none() -> None:
    with pytest.raises(DialectError, match="ended before"):
        read(StreamReader(), b'{"no": "error"}')


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": []}


@pytest.mark.parametrize(
    ("details", "retry_after_s"),
    [
        ([HELP, RETRY], 34.5),
        ([{**RETRY, "retryDelay": "7s"}], 7.0),
        ([{**RETRY, "retryDelay": "soon"}], None),
        ([HELP, "x"], None),
        ({}, None),
    ],
    ids=["after another", "whole seconds", "no duration", "none", "no list"],
)
def test_an_error_says_when_to_try_again(details: object, retry_after_s: float | None) -> None:
    """Source: https://cloud.google.com/apis/design/errors#retry_info."""
    error = {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": details}

    reported = parse_error(json.dumps({"error": error}).encode())

    assert reported is not None
    assert reported["code"] == "RESOURCE_EXHAUSTED"
    assert reported.get("retry_after_s") == retry_after_s


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": "no"}', {"message": "no"}),
        (b'{"error": {"message": "no"}}', {"message": "no", "type": None}),
    ],
    ids=["text", "a message alone"],
)
def test_an_error_is_read_as_far_as_it_goes(body: bytes, error: dict[str, Any]) -> None:
    reported = parse_error(body)

    assert reported is not None
    assert {name: reported[name] for name in error} == error


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[1]", b"{}", b'{"error": null}', b"1", b"\xff", b"[" * 5000]
)
def test_a_body_without_an_error_has_none(body: bytes) -> None:
    assert parse_error(body) is None

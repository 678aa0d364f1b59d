"""Events as responses, read back by the official SDK's types; the end only from `end`."""

import json
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    Finished,
    Message,
    RefusalDelta,
    Started,
    StopReason,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUse,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.openai_responses_errors import error_event
from forebay.dialects.openai_responses_parse import parse_request
from forebay.dialects.openai_responses_writer import (
    Identity,
    ResponseStreamWriter,
    ResponseWriter,
)
from forebay.model import Usage

STARTED = Started("chatcmpl-1", "gpt-x")
END = Finished(StopReason.END)
EVERYTHING: list[Event] = [
    STARTED,
    ThinkingDelta("Let me "),
    ThinkingDelta("see.", "sig"),
    ThinkingDelta(redacted="r"),
    ThinkingDelta(),
    TextDelta("Hel"),
    TextDelta(""),
    TextDelta("lo"),
    ToolUseStarted(0, "t0", "f"),
    ToolArgumentsDelta(0, '{"a":'),
    ToolUseStarted(1, "t1", "g"),
    ToolArgumentsDelta(1, ""),
    ToolArgumentsDelta(0, "1}"),
    UsageReported(Usage(20, 9, cached_input_tokens=5, reasoning_tokens=2)),
    Finished(StopReason.TOOL_USE),
]
NOTE = {"cost_usd": "0.1"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def identity(**asked: Any) -> Identity:
    request = parse_request(json.dumps({"model": "m", "input": "hi", **asked}).encode())
    return Identity("01X", "gpt-x", 1_700_000_000, request.echo)


def written(events: list[Event]) -> bytes:
    writer = ResponseStreamWriter(identity())
    return b"".join(writer.write([event]) for event in events) + writer.end(NOTE)


def read(stream: bytes) -> list[Any]:
    """Read events with the SDK's types; each has the name that its type gives it."""
    events = []
    for block in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        event = STREAM_EVENT.validate_json(data.removeprefix("data: "))
        assert name == f"event: {event.type}"
        events.append(event)
    return events


def kinds(events: list[Event]) -> list[str]:
    return [event.type.removeprefix("response.") for event in read(written(events))]


def whole(events: list[Event], **asked: Any) -> Response:
    writer = ResponseWriter(identity(**asked))
    assert writer.write(events) == b""
    return Response.model_validate_json(writer.end(NOTE))


def test_a_text_streams_in_the_order_of_the_reference() -> None:
    assert kinds([STARTED, TextDelta("Hel"), TextDelta("lo"), END]) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_call_streams_in_the_order_of_the_reference() -> None:
    call: list[Event] = [ToolUseStarted(0, "t", "f"), ToolArgumentsDelta(0, "{}")]

    assert kinds([STARTED, *call, Finished(StopReason.TOOL_USE)])[2:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_reasoning_streams_as_a_summary() -> None:
    assert kinds([STARTED, ThinkingDelta("Hm", "sig"), END])[2:] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_refusal_is_a_part_of_its_own() -> None:
    events: list[Event] = [
        STARTED,
        TextDelta("a"),
        RefusalDelta("no"),
        Finished(StopReason.REFUSAL),
    ]

    assert kinds(events)[5:] == [
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_events_are_numbered_in_order() -> None:
    numbers = [event.sequence_number for event in read(written(EVERYTHING))]

    assert numbers == list(range(len(numbers)))


def test_the_end_holds_what_the_stream_said() -> None:
    events = read(written(EVERYTHING))

    done = [event.item for event in events if event.type == "response.output_item.done"]
    last = events[-1].response
    assert last.output == sorted(done, key=lambda item: str(item.id[-1]))
    assert last == whole(EVERYTHING)


def test_a_whole_response() -> None:
    response = whole(EVERYTHING)

    assert (response.id, response.model, response.status) == ("resp_01X", "gpt-x", "completed")
    assert response.output_text == "Hello"
    assert [item.type for item in response.output] == [
        "reasoning",
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    calls = [item.to_dict() for item in response.output if item.type == "function_call"]
    assert [(call["call_id"], call["arguments"]) for call in calls] == [
        ("t0", '{"a":1}'),
        ("t1", "{}"),
    ]


def test_usage_has_its_details_and_the_gateways_note() -> None:
    usage = whole(EVERYTHING).usage

    assert usage is not None
    assert usage.to_dict() == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 29,
        "forebay": NOTE,
    }


def test_without_usage_there_is_none() -> None:
    assert whole([STARTED, TextDelta("a"), END]).usage is None


def test_without_a_note_usage_is_the_providers_alone() -> None:
    writer = ResponseWriter(identity())
    writer.write([STARTED, UsageReported(Usage(1, 1)), END])

    assert "forebay" not in json.loads(writer.end(None))["usage"]


def test_a_response_repeats_what_was_asked() -> None:
    response = whole(
        [STARTED, END],
        instructions="Be kind.",
        tools=[FUNCTION],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        temperature=0.5,
        metadata={"a": "b"},
        store=True,
        reasoning={"effort": "low"},
    ).to_dict()

    assert response["instructions"] == "Be kind."
    assert response["tools"] == [{**FUNCTION, "description": None, "strict": None}]
    assert response["tool_choice"] == {"type": "function", "name": "f"}
    assert response["parallel_tool_calls"] is False
    assert response["temperature"] == 0.5
    assert response["metadata"] == {"a": "b"}
    assert response["store"] is False
    assert response["reasoning"] == {"effort": "low", "summary": None}


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (StopReason.LENGTH, "max_output_tokens"),
        (StopReason.FILTERED, "content_filter"),
        (StopReason.REFUSAL, "content_filter"),
    ],
)
def test_an_answer_that_was_cut_off_is_incomplete(reason: StopReason, said: str) -> None:
    events: list[Event] = [STARTED, TextDelta("a"), ToolUseStarted(0, "t", "f"), Finished(reason)]

    *_, last = read(written(events))

    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == said
    assert [item.status for item in last.response.output] == ["completed", "incomplete"]
    assert last.response.output[1].arguments == ""


@pytest.mark.parametrize("reason", [StopReason.END, StopReason.STOP_SEQUENCE, StopReason.TOOL_USE])
def test_any_other_answer_is_complete(reason: StopReason) -> None:
    assert whole([STARTED, TextDelta("a"), Finished(reason)]).status == "completed"


def test_a_late_signature_is_an_item_without_words() -> None:
    events: list[Event] = [
        STARTED,
        TextDelta("a"),
        ThinkingDelta(signature="s"),
        TextDelta("b"),
        END,
    ]

    types = [item.type for item in whole(events).output]

    assert types == ["message", "reasoning", "message"]


@pytest.mark.parametrize("kind", [ResponseStreamWriter, ResponseWriter])
def test_inv3_an_answer_that_did_not_finish_has_no_end(
    kind: type[ResponseStreamWriter | ResponseWriter],
) -> None:
    writer = kind(identity())

    said = writer.write([STARTED, TextDelta("a"), UsageReported(Usage(1, 1))])

    assert b"completed" not in said
    with pytest.raises(DialectError):
        writer.end(NOTE)


def test_inv3_only_the_end_completes() -> None:
    writer = ResponseStreamWriter(identity())

    assert b"event: response.completed" not in writer.write(EVERYTHING)


def test_arguments_of_no_call_are_an_error() -> None:
    with pytest.raises(DialectError):
        ResponseStreamWriter(identity()).write([STARTED, ToolArgumentsDelta(0, "{}")])


def test_what_came_out_goes_back_in() -> None:
    output = [item.to_dict() for item in whole(EVERYTHING).output]

    request = parse_request(json.dumps({"model": "m", "input": output}).encode())

    assert request.conversation.untranslated == ()
    assert request.conversation.messages == (
        Message(
            "assistant",
            (
                Thinking("Let me see.", "sig"),
                Thinking("", redacted="r"),
                Text("Hello"),
                ToolUse("t0", "f", '{"a":1}'),
                ToolUse("t1", "g", "{}"),
            ),
        ),
    )


def test_an_error_is_the_references_event_and_one_that_sdks_raise() -> None:
    error = {"message": "Why.", "type": "server_error", "param": None, "code": "upstream_cut"}

    (event,) = read(error_event(error, sequence_number=7))

    assert (event.type, event.code, event.message, event.param) == (
        "error",
        "upstream_cut",
        "Why.",
        None,
    )
    assert event.sequence_number == 7
    assert event.to_dict()["error"] == error

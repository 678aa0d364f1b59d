"""Events as OpenAI's answers: its own SDK's types and its accumulator must take them.

Expected values are what https://platform.openai.com/docs/api-reference/chat/object and
/chat-streaming say of each field.
"""

import json
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from forebay.dialects import sse
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
from forebay.dialects.openai_chat_writer import ChatStreamWriter, ChatWholeWriter, Identity
from forebay.model import Usage

IDENTITY = Identity("chatcmpl-1", "fast", 1_800_000_000)
STARTED = Started("msg_1", "claude")
END = Finished(StopReason.END)
USAGE = UsageReported(Usage(9, 5, 4, 3))
DONE = b"data: [DONE]\n\n"
NOTE = {"cost_usd": "0.000064250"}

EVERYTHING: list[Event] = [
    STARTED,
    ThinkingDelta("Hm."),
    ThinkingDelta(signature="signed"),
    ThinkingDelta(redacted="secret"),
    TextDelta("Let me "),
    TextDelta("see: \u2028Łódź.\n"),
    ToolUseStarted(0, "c1", "weather"),
    ToolArgumentsDelta(0, '{"city":'),
    ToolArgumentsDelta(0, '"Łódź"}'),
    ToolUseStarted(1, "c2", "now"),
    ToolArgumentsDelta(1, "{}"),
    Finished(StopReason.TOOL_USE),
    USAGE,
]
TWO_CHOICES: list[Event] = [
    STARTED,
    TextDelta("a"),
    TextDelta("b", choice=1),
    Finished(StopReason.LENGTH, choice=1),
    END,
]


def streamed(events: list[Event], *, include_usage: bool = False) -> bytes:
    writer = ChatStreamWriter(IDENTITY, include_usage=include_usage)
    return b"".join(writer.write([event]) for event in events) + writer.end(NOTE)


def chunks(sent: bytes) -> list[dict[str, Any]]:
    return [json.loads(data) for data in sse.EventReader().feed(sent) if data != b"[DONE]"]


def deltas(*events: Event) -> list[dict[str, Any]]:
    """What follows the role."""
    return [each["choices"][0]["delta"] for each in chunks(streamed([STARTED, *events]))][1:]


def in_one_piece(events: list[Event], note: dict[str, str] | None = None) -> dict[str, Any]:
    writer = ChatWholeWriter(IDENTITY)
    assert writer.write(events) == b""
    completion: dict[str, Any] = json.loads(writer.end(note))
    return completion


# --- OpenAI's own SDK takes it

ANSWERS: dict[str, list[Event]] = {
    "everything": EVERYTHING,
    "two choices": TWO_CHOICES,
    "a refusal": [STARTED, RefusalDelta("No."), Finished(StopReason.REFUSAL), USAGE],
    "nothing said": [STARTED, END],
}
each_answer = pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)


@each_answer
@pytest.mark.parametrize("include_usage", [True, False], ids=["usage", "no usage"])
def test_every_chunk_is_one_to_openais_sdk(events: list[Event], *, include_usage: bool) -> None:
    for chunk in chunks(streamed(events, include_usage=include_usage)):
        parsed = ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
        assert (parsed.id, parsed.model, parsed.created) == ("chatcmpl-1", "fast", 1_800_000_000)


@each_answer
def test_every_completion_is_one_to_openais_sdk(events: list[Event]) -> None:
    body = json.dumps(in_one_piece(events, NOTE))

    parsed = ChatCompletion.model_validate_json(body, strict=True)
    assert (parsed.id, parsed.model, parsed.created) == ("chatcmpl-1", "fast", 1_800_000_000)


def sdk(body: bytes, content_type: str) -> OpenAI:
    """OpenAI's client, whose every call is answered with these bytes."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": content_type})

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    return OpenAI(api_key="k", base_url="http://gateway/v1", http_client=client)


def test_openais_accumulator_rebuilds_a_stream() -> None:
    body = streamed(EVERYTHING, include_usage=True)
    with (
        sdk(body, "text/event-stream") as client,
        client.chat.completions.stream(
            model="fast",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        rebuilt = stream.get_final_completion()

    choice = rebuilt.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see: \u2028Łódź.\n"
    assert [
        (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
    ] == [("c1", "weather", '{"city":"Łódź"}'), ("c2", "now", "{}")]
    assert rebuilt.usage is not None
    assert rebuilt.usage.total_tokens == 14


def test_openais_client_takes_an_answer_in_one_piece() -> None:
    writer = ChatWholeWriter(IDENTITY)
    writer.write(EVERYTHING)
    with sdk(writer.end(None), "application/json") as client:
        answer = client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hello"}]
        )

    message = answer.choices[0].message
    assert message.content == "Let me see: \u2028Łódź.\n"
    assert [call.id for call in message.tool_calls or ()] == ["c1", "c2"]


# --- streams


def test_the_first_chunk_has_the_role() -> None:
    assert chunks(ChatStreamWriter(IDENTITY, include_usage=False).write([STARTED])) == [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_800_000_000,
            "model": "fast",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": ""},
                    "logprobs": None,
                    "finish_reason": None,
                }
            ],
        }
    ]


def test_each_choice_begins_with_its_role() -> None:
    sent = [each["choices"][0] for each in chunks(streamed(TWO_CHOICES))]

    assert [(choice["index"], choice["delta"], choice["finish_reason"]) for choice in sent] == [
        (0, {"role": "assistant", "content": ""}, None),
        (0, {"content": "a"}, None),
        (1, {"role": "assistant", "content": ""}, None),
        (1, {"content": "b"}, None),
        (1, {}, "length"),
        (0, {}, "stop"),
    ]


DELTAS: dict[str, tuple[Event, list[dict[str, Any]]]] = {
    "text": (TextDelta("a"), [{"content": "a"}]),
    "a refusal": (RefusalDelta("a"), [{"refusal": "a"}]),
    "reasoning": (ThinkingDelta("a"), [{"reasoning_content": "a"}]),
    "a signature": (ThinkingDelta(signature="s"), []),
    "a tool": (
        ToolUseStarted(1, "c", "f"),
        [
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": ""},
                    }
                ]
            }
        ],
    ),
    "a tool's arguments": (
        ToolArgumentsDelta(1, "{"),
        [{"tool_calls": [{"index": 1, "function": {"arguments": "{"}}]}],
    ),
    "usage": (USAGE, []),
}


@pytest.mark.parametrize(("event", "expected"), DELTAS.values(), ids=DELTAS)
def test_an_event_becomes_a_delta(event: Event, expected: list[dict[str, Any]]) -> None:
    assert deltas(event) == expected


FINISH_REASONS: dict[str, tuple[list[Event], str]] = {
    "end": ([END], "stop"),
    "stop sequence": ([Finished(StopReason.STOP_SEQUENCE, "x")], "stop"),
    "length": ([Finished(StopReason.LENGTH)], "length"),
    "tool": ([Finished(StopReason.TOOL_USE)], "tool_calls"),
    "filter": ([Finished(StopReason.FILTERED)], "content_filter"),
    "a refusal in words": ([RefusalDelta("No."), Finished(StopReason.REFUSAL)], "stop"),
    "a refusal without words": ([Finished(StopReason.REFUSAL)], "content_filter"),
}
each_end = pytest.mark.parametrize(
    ("events", "expected"), FINISH_REASONS.values(), ids=FINISH_REASONS
)


@each_end
def test_an_end_has_its_finish_reason(events: list[Event], expected: str) -> None:
    assert chunks(streamed([STARTED, *events]))[-1]["choices"][0]["finish_reason"] == expected
    assert in_one_piece([STARTED, *events])["choices"][0]["finish_reason"] == expected


def test_the_usage_chunk_comes_last_where_it_is_asked_for() -> None:
    *before, last = chunks(streamed([STARTED, USAGE, TextDelta("a"), END], include_usage=True))

    assert [each["usage"] for each in before] == [None, None, None]
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
        "forebay": NOTE,
    }


def test_there_is_no_usage_where_nobody_asked() -> None:
    assert b'"usage"' not in streamed(EVERYTHING)


def test_there_is_no_usage_chunk_where_the_target_reported_none() -> None:
    sent = chunks(streamed([STARTED, END], include_usage=True))

    assert [each["usage"] for each in sent] == [None, None]


def test_inv3_only_the_end_says_done() -> None:
    writer = ChatStreamWriter(IDENTITY, include_usage=True)

    assert b"[DONE]" not in writer.write(EVERYTHING)
    assert writer.end(None).endswith(DONE)


def test_inv3_no_finish_reason_is_invented() -> None:
    assert {each["choices"][0]["finish_reason"] for each in chunks(streamed(EVERYTHING[:-2]))} == {
        None
    }
    assert in_one_piece(EVERYTHING[:-2])["choices"][0]["finish_reason"] is None


# --- in one piece


def test_an_answer_in_one_piece_has_everything() -> None:
    assert in_one_piece(EVERYTHING, NOTE) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "fast",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Let me see: \u2028Łódź.\n",
                    "refusal": None,
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Łódź"}'},
                        },
                        {
                            "id": "c2",
                            "type": "function",
                            "function": {"name": "now", "arguments": "{}"},
                        },
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
            "forebay": NOTE,
        },
    }


def test_choices_in_one_piece_are_in_order() -> None:
    choices = in_one_piece(TWO_CHOICES)["choices"]

    assert [(each["index"], each["message"]["content"]) for each in choices] == [(0, "a"), (1, "b")]


def test_a_refusal_in_one_piece_has_no_content() -> None:
    events: list[Event] = [STARTED, RefusalDelta("N"), RefusalDelta("o."), END]

    message = in_one_piece(events)["choices"][0]["message"]

    assert message == {"role": "assistant", "content": None, "refusal": "No."}


def test_an_answer_of_unknown_usage_shows_none() -> None:
    assert "usage" not in in_one_piece([STARTED, END], NOTE)

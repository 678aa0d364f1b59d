"""Any body is a request for a response or an `InvalidRequest`; what came out goes back in."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from forebay.dialects.canonical import (
    Event,
    Finished,
    Message,
    Part,
    Refusal,
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
)
from forebay.dialects.openai_responses_parse import parse_request
from forebay.dialects.openai_responses_writer import (
    Identity,
    ResponseStreamWriter,
    ResponseWriter,
)
from forebay.errors import InvalidRequest

STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WORDS = st.text(min_size=1, max_size=12)
SPOKEN = st.lists(
    st.builds(Text, WORDS)
    | st.builds(Refusal, WORDS)
    | st.builds(Thinking, WORDS, WORDS)
    | st.builds(Thinking, st.just(""), redacted=WORDS),
    min_size=1,
    max_size=5,
)
CALLS = st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=3).map(
    lambda calls: [ToolUse(*call) for call in calls]
)


def identity() -> Identity:
    return Identity("01X", "m", 1, parse_request(b'{"model":"m","input":"a"}').echo)


def events(spoken: list[Part], calls: list[ToolUse]) -> list[Event]:
    """Say it in pieces, arguments of all calls mixed."""
    said: list[Event] = [Started("x", "m")]
    for part in spoken:
        match part:
            case Text(text=text):
                said += [TextDelta(text[:3]), TextDelta(text[3:])]
            case Refusal(text=text):
                said += [RefusalDelta(text[:3]), RefusalDelta(text[3:])]
            case Thinking(text=text, signature=signature, redacted=redacted):
                said.append(ThinkingDelta(text, signature, redacted))
            case _:
                pass
    said += [ToolUseStarted(n, call.id, call.name) for n, call in enumerate(calls)]
    for end in (False, True):
        for n, call in enumerate(calls):
            text = call.arguments[3:] if end else call.arguments[:3]
            said.append(ToolArgumentsDelta(n, text))
    return [*said, Finished(StopReason.END)]


def joined(parts: list[Part]) -> list[Part]:
    """Texts in a row are one, and so are refusals."""
    whole: list[Part] = []
    for part in parts:
        last = whole[-1] if whole else None
        match last, part:
            case (Text(text=before), Text(text=after)):
                whole[-1] = Text(before + after)
            case (Refusal(text=before), Refusal(text=after)):
                whole[-1] = Refusal(before + after)
            case _:
                whole.append(part)
    return whole


@given(SPOKEN, CALLS)
def test_what_came_out_goes_back_in(spoken: list[Part], calls: list[ToolUse]) -> None:
    writer = ResponseWriter(identity())
    writer.write(events(spoken, calls))
    output = json.loads(writer.end(None))["output"]

    request = parse_request(json.dumps({"model": "m", "input": output}).encode())

    expected = (*joined(spoken), *calls)
    assert request.conversation.messages == (Message("assistant", expected),)
    assert request.conversation.untranslated == ()


@given(SPOKEN, CALLS)
def test_a_stream_says_the_same_as_the_whole(spoken: list[Part], calls: list[ToolUse]) -> None:
    said = events(spoken, calls)
    whole, streamed = ResponseWriter(identity()), ResponseStreamWriter(identity())
    whole.write(said)
    stream = streamed.write(said) + streamed.end(None)

    read = [
        STREAM_EVENT.validate_json(block.partition(b"\ndata: ")[2])
        for block in stream.removesuffix(b"\n\n").split(b"\n\n")
    ]

    deltas = [event.delta for event in read if event.type == "response.output_text.delta"]
    assert read[-1].response == Response.model_validate_json(whole.end(None))
    assert "".join(deltas) == read[-1].response.output_text
    assert [event.sequence_number for event in read] == list(range(len(read)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "input",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "include",
        "stream",
        "type",
        "role",
        "content",
        "output",
        "summary",
        "metadata",
        "conversation",
        "background",
        "x",
    ]
)
OBJECTS = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(FIELDS, OBJECTS))
def test_any_json_is_a_request_or_a_fault(asked: dict[str, Any]) -> None:
    with suppress(InvalidRequest):
        parse_request(json.dumps({"model": "m", "input": "a", **asked}).encode())


@given(st.binary(max_size=50))
def test_any_bytes_are_a_request_or_a_fault(body: bytes) -> None:
    with suppress(InvalidRequest):
        parse_request(body)

"""Translating there and back changes nothing: conversations, and answers however they are cut."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    AnswerReader,
    AnswerWriter,
    Conversation,
    Event,
    Finished,
    Image,
    JsonOutput,
    Message,
    Part,
    Reasoning,
    Refusal,
    RefusalDelta,
    Sampling,
    Started,
    StopReason,
    Text,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolArgumentsDelta,
    ToolChoice,
    ToolResult,
    ToolUse,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.openai_chat import parse_request
from forebay.dialects.openai_chat_conversation import to_conversation
from forebay.dialects.openai_chat_encode import Surface, encode_conversation
from forebay.dialects.openai_chat_reader import ChatStreamReader, ChatWholeReader
from forebay.dialects.openai_chat_writer import ChatStreamWriter, ChatWholeWriter, Identity
from forebay.errors import InvalidRequest
from forebay.model import Usage
from tests.support.streams import STREAMS, Stream

WORDS = st.text(min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)

# --- conversations

EVERYTHING = Surface("a target that can do all", cannot=frozenset())

TEXTS = WORDS.map(Text)
IMAGES = st.builds(Image, st.just("image/png"), st.just("AAAA"), detail=st.none() | NAMES) | (
    NAMES.map(lambda path: Image(None, None, f"https://pictures/{path}"))
)
RESULTS = st.builds(ToolResult, NAMES, st.lists(TEXTS, min_size=1, max_size=3).map(tuple))
USES = st.builds(ToolUse, NAMES, NAMES, st.just("{}") | WORDS)
SAID = st.lists(TEXTS | IMAGES, min_size=1, max_size=3)


def turn(role: Any) -> Any:
    return lambda parts: Message(role, tuple(parts))


USERS = (st.lists(RESULTS, min_size=1, max_size=3) | SAID).map(turn("user")) | st.builds(
    lambda results, said: Message("user", (*results, *said)), st.lists(RESULTS, max_size=2), SAID
)


def answer(texts: list[Text], refusal: list[Refusal], uses: list[ToolUse]) -> Message:
    parts: tuple[Part, ...] = (*texts, *refusal, *uses)
    return Message("assistant", parts or (Text("a"),))


ASSISTANTS = st.builds(
    answer,
    st.lists(TEXTS, max_size=2),
    st.lists(WORDS.map(Refusal), max_size=1),
    st.lists(USES, max_size=2),
)
SCHEMAS = st.dictionaries(
    NAMES, st.floats(allow_nan=False, allow_infinity=False) | WORDS, min_size=1, max_size=3
)
NUMBERS = st.none() | st.floats(-2, 2)
CONVERSATIONS = st.builds(
    Conversation,
    model=NAMES,
    messages=st.lists(st.tuples(USERS, ASSISTANTS), min_size=1, max_size=3).map(
        lambda turns: tuple(each for both in turns for each in both)
    ),
    system=st.lists(WORDS, max_size=2).map(tuple),
    stream=st.booleans(),
    max_output_tokens=st.none() | st.integers(1, 9999),
    stop=st.lists(WORDS, max_size=4).map(tuple),
    sampling=st.builds(
        Sampling, NUMBERS, NUMBERS, st.none() | st.integers(1, 99), NUMBERS, NUMBERS
    ),
    tools=st.lists(
        st.builds(Tool, NAMES, st.none() | WORDS, SCHEMAS, st.none() | st.booleans()), max_size=2
    ).map(tuple),
    tool_choice=st.none()
    | st.sampled_from([ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")])
    | NAMES.map(lambda name: ToolChoice("named", name)),
    parallel_tools=st.none() | st.booleans(),
    json_output=st.none()
    | st.just(JsonOutput())
    | st.builds(JsonOutput, NAMES, st.none() | SCHEMAS, st.none() | st.booleans()),
    reasoning=st.none()
    | st.just(Reasoning(enabled=False))
    | st.sampled_from(["minimal", "low", "medium", "high"]).map(Reasoning),
    choices=st.integers(1, 3),
    user=st.none() | WORDS,
)


@given(CONVERSATIONS)
def test_a_conversation_encoded_is_the_same_conversation(asked: Conversation) -> None:
    request = encode_conversation(asked, model=asked.model, surface=EVERYTHING)

    again = to_conversation(parse_request(request.body))

    assert again == replace(asked, field_names=again.field_names)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["text", "user", "auto", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "function", "name", "id", "tool_calls"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ANY_FIELDS = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": JSON}))},
    optional=dict.fromkeys(("tools", "tool_choice", "response_format", "stop", "user", "x"), JSON),
)


@given(ANY_FIELDS)
def test_anything_like_a_request_is_a_conversation_or_refused(fields: dict[str, Any]) -> None:
    try:
        request = parse_request(json.dumps({"model": "m", **fields}).encode())
        assert isinstance(to_conversation(request), Conversation)
    except InvalidRequest:
        pass


# --- answers


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A whole answer of one choice, as its writer and its reader both can say it."""
    refusals = draw(st.lists(WORDS, max_size=2))
    tools = draw(st.lists(st.tuples(NAMES, NAMES, st.lists(WORDS, max_size=3)), max_size=3))
    reasons = {StopReason.END, StopReason.LENGTH, StopReason.TOOL_USE, StopReason.FILTERED}
    if refusals or tools:  # then `stop` means that
        reasons.remove(StopReason.END)
    if refusals:
        reasons.add(StopReason.REFUSAL)
    usage = draw(st.none() | st.builds(Usage, st.just(9), st.integers(0, 9), st.integers(0, 9)))
    return [
        Started("a", "m"),
        *(ThinkingDelta(each) for each in draw(st.lists(WORDS, max_size=3))),
        *(TextDelta(each) for each in draw(st.lists(WORDS, max_size=3))),
        *(RefusalDelta(each) for each in refusals),
        *(event for at, tool in enumerate(tools) for event in tool_events(at, *tool)),
        Finished(draw(st.sampled_from(sorted(reasons)))),
        *([UsageReported(usage)] if usage else []),
    ]


def tool_events(position: int, tool_id: str, name: str, arguments: list[str]) -> list[Event]:
    return [
        ToolUseStarted(position, f"{tool_id}{position}", name),
        *(ToolArgumentsDelta(position, each) for each in arguments),
    ]


def written(writer: AnswerWriter, events: list[Event]) -> bytes:
    return writer.write(events) + writer.end(None)


def read(reader: AnswerReader, received: list[bytes]) -> list[Event]:
    return merged([*(event for part in received for event in reader.feed(part)), *reader.end()])


def merged(events: list[Event]) -> list[Event]:
    """Join what goes on."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        match last, event:
            case (TextDelta(before), TextDelta(after)):
                joined[-1] = TextDelta(before + after)
            case (RefusalDelta(before), RefusalDelta(after)):
                joined[-1] = RefusalDelta(before + after)
            case (ThinkingDelta(before), ThinkingDelta(after)):
                joined[-1] = ThinkingDelta(before + after)
            case (ToolArgumentsDelta(at, before), ToolArgumentsDelta(_, after)):
                joined[-1] = ToolArgumentsDelta(at, before + after)
            case _:
                joined.append(event)
    return joined


def parts(received: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at the given places."""
    edges = [0, *sorted(min(cut, len(received)) for cut in cuts), len(received)]
    return [received[start:end] for start, end in pairwise(edges)]


IDENTITY = Identity("a", "m", 0)
CUTS = st.lists(st.integers(0, 3000), max_size=8)


@given(answers(), CUTS)
def test_a_stream_written_is_the_same_answer(events: list[Event], cuts: list[int]) -> None:
    sent = written(ChatStreamWriter(IDENTITY, include_usage=True), events)

    assert read(ChatStreamReader(), parts(sent, cuts)) == merged(events)


@given(answers(), CUTS)
def test_a_completion_written_is_the_same_answer(events: list[Event], cuts: list[int]) -> None:
    sent = written(ChatWholeWriter(IDENTITY), events)

    assert read(ChatWholeReader(), parts(sent, cuts)) == merged(events)


@given(answers())
def test_a_stream_and_a_completion_say_the_same(events: list[Event]) -> None:
    streamed = written(ChatStreamWriter(IDENTITY, include_usage=True), events)
    whole = written(ChatWholeWriter(IDENTITY), events)

    assert read(ChatStreamReader(), [streamed]) == read(ChatWholeReader(), [whole])


@given(answers(), st.integers(0, 3000))
def test_inv3_a_stream_cut_before_its_end_is_no_answer(events: list[Event], cut: int) -> None:
    before_finish = events[: next(i for i, e in enumerate(events) if isinstance(e, Finished))]
    sent = ChatStreamWriter(IDENTITY, include_usage=True).write(before_finish)

    reader = ChatStreamReader()
    reader.feed(sent[:cut])

    assert not is_whole(reader)


@given(st.sampled_from(STREAMS), st.integers(0, 4000))
def test_inv3_a_stream_cut_anywhere_and_translated_never_looks_whole(
    case: Stream, cut: int
) -> None:
    reader = ChatStreamReader(case.choices)
    writer = ChatStreamWriter(IDENTITY, include_usage=True)

    sent = writer.write(reader.feed(case.sent[:cut]))

    assert b"[DONE]" not in sent
    assert is_whole(reader) is (sent.count(b'"finish_reason":"') == case.choices)


def is_whole(reader: ChatStreamReader) -> bool:
    try:
        reader.end()
    except DialectError:
        return False
    return True

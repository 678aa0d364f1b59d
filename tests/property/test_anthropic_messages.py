"""Anthropic's messages: there and back again, cut anywhere, and whatever else arrives."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages_encode import EFFORTS, encode_request
from forebay.dialects.anthropic_messages_errors import parse_error
from forebay.dialects.anthropic_messages_parse import parse_request
from forebay.dialects.anthropic_messages_reader import MessageReader, MessageStreamReader
from forebay.dialects.anthropic_messages_writer import MessageStreamWriter, MessageWriter
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
    Sampling,
    Started,
    StopReason,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolArgumentsDelta,
    ToolChoice,
    ToolResult,
    ToolUse,
    ToolUseStarted,
    UsageReported,
)
from forebay.errors import InvalidRequest
from forebay.model import Usage

WORDS = st.text(min_size=1, max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)

# --- requests

TEXTS = st.builds(Text, WORDS)
IMAGES = st.builds(Image, st.just("image/png"), WORDS) | st.builds(
    Image, st.none(), st.none(), WORDS
)
RESULTS = st.builds(
    ToolResult, WORDS, st.lists(TEXTS | IMAGES, max_size=2).map(tuple), st.booleans()
)
USES = st.builds(ToolUse, WORDS, WORDS, OBJECTS.map(json.dumps))
# A tagged signature is another provider's, and is left out on the way to Anthropic.
THOUGHTS = st.builds(Thinking, st.text(max_size=5), WORDS).filter(
    lambda thought: not thought.is_tagged
) | st.builds(Thinking, st.just(""), st.none(), WORDS)


def turns(first_is_user: bool, said: list[tuple[list[Part], list[Part]]]) -> tuple[Message, ...]:  # noqa: FBT001 - drawn by hypothesis
    """Turns that alternate."""
    messages: list[Message] = []
    for user, assistant in said:
        messages += [Message("user", tuple(user)), Message("assistant", tuple(assistant))]
    return tuple(messages if first_is_user else messages[1:])


MESSAGES = st.builds(
    turns,
    st.booleans(),
    st.lists(
        st.tuples(
            st.lists(TEXTS | IMAGES | RESULTS, min_size=1, max_size=3),
            st.lists(TEXTS | USES | THOUGHTS, min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=3,
    ),
)
CONVERSATIONS = st.builds(
    Conversation,
    model=WORDS,
    messages=MESSAGES,
    system=st.lists(WORDS, max_size=2).map(tuple),
    stream=st.booleans(),
    max_output_tokens=st.integers(1, 10**6),
    stop=st.lists(WORDS, max_size=2).map(tuple),
    sampling=st.builds(
        Sampling,
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 1),
        st.none() | st.integers(0, 500),
    ),
    tools=st.lists(
        st.builds(
            Tool,
            WORDS,
            st.none() | WORDS,
            OBJECTS.map(lambda schema: {**schema, "type": "object"}),
            st.none() | st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    tool_choice=st.builds(ToolChoice, st.sampled_from(["auto", "required"]))
    | st.builds(ToolChoice, st.just("named"), WORDS),
    parallel_tools=st.none() | st.booleans(),
    json_output=st.none() | st.builds(JsonOutput, schema=OBJECTS),
    reasoning=st.none()
    | st.builds(
        Reasoning, st.none() | st.sampled_from(sorted(EFFORTS)), st.none() | st.integers(1024, 9999)
    )
    | st.just(Reasoning(enabled=False)),
    user=st.none() | WORDS,
)


@given(CONVERSATIONS)
def test_a_conversation_comes_back_as_it_went(conversation: Conversation) -> None:
    request = encode_request(conversation, model=conversation.model, default_max_tokens=1)

    back = parse_request(request.body)

    assert replace(back, field_names={}) == conversation
    assert request.stream == conversation.stream


FIELDS = st.sampled_from(
    [
        *("model", "max_tokens", "messages", "role", "content", "system", "stream", "tools"),
        *("type", "text", "source", "data", "url", "input", "tool_use_id", "thinking", "name"),
        *("tool_choice", "metadata", "user_id", "output_config", "format", "schema", "signature"),
        *("input_schema", "budget_tokens", "stop_reason", "usage", "id", "index", "delta", "error"),
    ]
) | st.text(max_size=3)
TYPES = st.sampled_from(
    [
        *("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking", "base64"),
        *("message_start", "content_block_start", "content_block_delta", "message_delta"),
        *("message_stop", "text_delta", "enabled", "adaptive", "json_schema", "error", "user"),
    ]
)
NEARLY: st.SearchStrategy[Any] = st.recursive(
    SCALARS | TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)
ROLES = st.sampled_from(["user", "assistant", "system"])
NEARLY_REQUESTS = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "max_tokens": st.just(1),
        "messages": st.lists(
            st.fixed_dictionaries({"role": ROLES, "content": st.lists(NEARLY, max_size=2)}),
            min_size=1,
            max_size=3,
        )
        | NEARLY,
    },
    optional={
        "system": NEARLY,
        "tools": st.lists(NEARLY, max_size=2),
        "tool_choice": NEARLY,
        "thinking": NEARLY,
        "output_config": NEARLY,
        "metadata": NEARLY,
    },
)


@given(st.binary(max_size=50) | NEARLY_REQUESTS.map(lambda fields: json.dumps(fields).encode()))
@example(b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\\ud800"}]}')
@example(b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":""}],"x":"\xff"}')
def test_whatever_arrives_is_a_request_or_refused(body: bytes) -> None:
    try:
        conversation = parse_request(body)
        encode_request(conversation, model="m", default_max_tokens=1)
    except InvalidRequest as error:
        assert error.message  # noqa: PT017 - either outcome is right


# --- answers

Block = list[Event]


def text_block(pieces: list[str]) -> Block:
    return [TextDelta(piece) for piece in pieces]


def thought(pieces: list[str], signature: str) -> Block:
    return [*(ThinkingDelta(piece) for piece in pieces), ThinkingDelta(signature=signature)]


def tool(name: str, arguments: dict[str, Any], cut: int) -> Block:
    text = msgspec.json.encode(arguments).decode() if arguments else ""
    pieces = [piece for piece in (text[:cut], text[cut:]) if piece]
    return [ToolUseStarted(0, name, name), *(ToolArgumentsDelta(0, piece) for piece in pieces)]


BLOCKS: st.SearchStrategy[Block] = st.one_of(
    st.builds(text_block, st.lists(WORDS, min_size=1, max_size=3)),
    st.builds(thought, st.lists(WORDS, max_size=2), WORDS),
    st.builds(lambda data: [ThinkingDelta(redacted=data)], WORDS),
    st.builds(tool, WORDS, OBJECTS, st.integers(0, 9)),
)
USAGES = st.builds(
    lambda fresh, cached, written, written_1h, words, reasoning: Usage(
        fresh + cached + written + written_1h,
        words + reasoning,
        cached,
        reasoning,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=written_1h,
    ),
    st.integers(1, 10**6),
    *[st.integers(0, 10**6)] * 5,
)


def answer(started: Started, blocks: list[Block], usage: Usage, finished: Finished) -> list[Event]:
    """Events of one answer; its tools are numbered."""
    events: list[Event] = [started]
    tools = -1
    for event in (event for block in blocks for event in block):
        match event:
            case ToolUseStarted():
                tools += 1
                events.append(replace(event, position=tools))
            case ToolArgumentsDelta():
                events.append(replace(event, position=tools))
            case _:
                events.append(event)
    return [*events, UsageReported(usage), finished]


ANSWERS = st.builds(
    answer,
    st.builds(Started, WORDS, WORDS),
    st.lists(BLOCKS, max_size=5),
    USAGES,
    st.builds(
        Finished,
        st.sampled_from([reason for reason in StopReason if reason != StopReason.FILTERED]),
        st.none() | WORDS,
    ),
)


def joined(events: Sequence[Event]) -> list[Event]:
    """The same events with neighbouring pieces of one block put together."""
    together: list[Event] = []
    for event in events:
        match (together[-1] if together else None), event:
            case TextDelta(before), TextDelta(text):
                together[-1] = TextDelta(before + text)
            case ThinkingDelta(before, None, None), ThinkingDelta(text, signature, None):
                together[-1] = ThinkingDelta(before + text, signature)
            case ToolArgumentsDelta(position, before), ToolArgumentsDelta(_, text):
                together[-1] = ToolArgumentsDelta(position, before + text)
            case _:
                together.append(event)
    return together


def written(writer: AnswerWriter, events: list[Event]) -> bytes:
    return b"".join(writer.write([event]) for event in events) + writer.end(None)


def read(reader: AnswerReader, parts: Sequence[bytes]) -> list[Event]:
    return [event for part in parts for event in reader.feed(part)] + reader.end()


@given(ANSWERS)
def test_a_streamed_answer_comes_back_as_it_went(events: list[Event]) -> None:
    body = written(MessageStreamWriter(), events)

    assert joined(read(MessageStreamReader(), [body])) == joined(events)


@given(ANSWERS)
def test_an_answer_in_one_piece_comes_back_as_it_went(events: list[Event]) -> None:
    body = written(MessageWriter(), events)

    assert joined(read(MessageReader(), [body])) == joined(events)


@given(ANSWERS, st.lists(st.integers(0, 2000), max_size=6))
def test_cuts_change_nothing(events: list[Event], cuts: list[int]) -> None:
    body = written(MessageStreamWriter(), events)
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    parts = [body[start:end] for start, end in pairwise(places)]

    assert read(MessageStreamReader(), parts) == read(MessageStreamReader(), [body])


@given(ANSWERS, st.integers(1, 2000))
def test_inv3_a_stream_without_its_end_is_never_whole(events: list[Event], missing: int) -> None:
    body = written(MessageStreamWriter(), events)
    reader = MessageStreamReader()

    seen = reader.feed(body[: max(len(body) - missing, 0)])

    assert not reader.ended
    assert not any(isinstance(event, Finished) for event in seen)


@given(
    st.lists(
        st.binary(max_size=30) | NEARLY.map(lambda value: json.dumps(value).encode()), max_size=4
    )
)
def test_whatever_arrives_is_an_answer_or_none(received: list[bytes]) -> None:
    stream, whole = MessageStreamReader(), MessageReader()
    for part in received:
        stream.feed(b"data: %b\n\n" % part)
        whole.feed(part)
        parse_error(part)

    for reader in (stream, whole):
        try:
            reader.end()
        except DialectError as error:
            assert str(error)  # noqa: PT017 - either outcome is right

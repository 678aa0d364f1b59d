"""Whatever is asked: a request or a refusal; whatever comes back: an answer or none."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Conversation,
    Event,
    Finished,
    Image,
    JsonOutput,
    Message,
    Reasoning,
    Refusal,
    Sampling,
    StopReason,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from forebay.dialects.gemini_generate import encode_request
from forebay.dialects.gemini_generate_reader import StreamReader, WholeReader
from forebay.dialects.gemini_generate_replies import parse_error
from forebay.errors import InvalidRequest
from tests.support.gemini import GEMINI_STREAMS, GeminiStream, event, read, text_of, thoughts_of

# --- requests

WORDS = st.text(max_size=6)
IDS = st.sampled_from(["a", "b"])
TEXTS = st.builds(Text, WORDS)
IMAGES = st.builds(
    Image,
    st.none() | st.just("image/png"),
    st.none() | st.just("aGk="),
    st.none() | WORDS,
    st.none() | st.sampled_from(["low", "high", "auto"]),
)
SIGNATURES = st.none() | st.sampled_from(["gemini:c2ln", "c2ln"])
ARGUMENTS = st.sampled_from(["", "{}", '{"x": 1}', "[]", "{"])
PARTS = (
    TEXTS
    | IMAGES
    | st.builds(ToolUse, IDS, WORDS, ARGUMENTS)
    | st.builds(ToolResult, IDS, st.tuples(TEXTS | IMAGES), st.booleans())
    | st.builds(Thinking, WORDS, SIGNATURES, st.none() | WORDS)
    | st.builds(Refusal, WORDS)
)
MESSAGES = st.builds(
    Message, st.sampled_from(["user", "assistant"]), st.lists(PARTS, max_size=3).map(tuple)
)
TOOLS = st.builds(
    Tool, WORDS, st.none() | WORDS, st.just({"type": "object"}), st.none() | st.booleans()
)
CONVERSATIONS = st.builds(
    Conversation,
    model=WORDS,
    messages=st.lists(MESSAGES, max_size=3).map(tuple),
    system=st.lists(WORDS, max_size=2).map(tuple),
    stream=st.booleans(),
    max_output_tokens=st.none() | st.integers(1, 9),
    stop=st.lists(WORDS, max_size=6).map(tuple),
    sampling=st.builds(Sampling, seed=st.none() | st.integers()),
    tools=st.lists(TOOLS, max_size=2).map(tuple),
    tool_choice=st.none()
    | st.builds(ToolChoice, st.sampled_from(["auto", "none", "required", "named"]), WORDS),
    parallel_tools=st.none() | st.booleans(),
    json_output=st.none() | st.builds(JsonOutput, schema=st.just({"type": "object"})),
    reasoning=st.none()
    | st.builds(Reasoning, st.none() | st.sampled_from(["low", "none", "huge"])),
    choices=st.integers(1, 3),
)


@given(CONVERSATIONS, st.sampled_from(["gemini-2.5-flash", "gemini-3-pro"]))
def test_a_conversation_is_encoded_or_refused(conversation: Conversation, model: str) -> None:
    try:
        request = encode_request(conversation, model=model)
    except InvalidRequest:
        return

    body = json.loads(request.body)
    assert all(content["parts"] for content in body["contents"])
    roles = [content["role"] for content in body["contents"]]
    assert all(one != other for one, other in pairwise(roles))


@given(st.text(min_size=1, max_size=20))
def test_a_models_name_stays_one_segment_of_the_path(model: str) -> None:
    conversation = Conversation("fast", (Message("user", (Text("Hi"),)),))

    path = encode_request(conversation, model=model).path

    assert path.isascii()
    assert path.count("/") == 2
    assert not set(path) & set(" ?#\r\n")


# --- answers

SAID = st.text(max_size=8)
ANSWER_PARTS = st.one_of(
    st.fixed_dictionaries({"text": SAID}),
    st.fixed_dictionaries({"text": SAID, "thought": st.just(True)}),
    st.fixed_dictionaries({"text": SAID, "thoughtSignature": st.sampled_from(["c2ln", "Yg=="])}),
    st.fixed_dictionaries(
        {
            "functionCall": st.fixed_dictionaries(
                {"name": SAID}, optional={"id": SAID, "args": st.dictionaries(SAID, SAID)}
            )
        }
    ),
)
ANSWERS = st.lists(st.lists(ANSWER_PARTS, max_size=3), min_size=1, max_size=4)


def stream_of(answer: list[list[dict[str, Any]]]) -> bytes:
    """Write an answer as Gemini does; its last event has the finish reason."""
    candidates: list[dict[str, Any]] = [{"content": {"parts": parts}} for parts in answer]
    candidates[-1]["finishReason"] = "STOP"
    return b"".join(event({"candidates": [c], "responseId": "r"}) for c in candidates)


@given(ANSWERS)
def test_what_is_sent_is_what_is_read(answer: list[list[dict[str, Any]]]) -> None:
    parts = [part for said in answer for part in said]

    events = read(StreamReader(), stream_of(answer))

    texts = [part for part in parts if "text" in part]
    assert text_of(events) == "".join(p["text"] for p in texts if "thought" not in p)
    assert thoughts_of(events) == "".join(p["text"] for p in texts if "thought" in p)
    calls = any("functionCall" in part for part in parts)
    assert events[-1] == Finished(StopReason.TOOL_USE if calls else StopReason.END)


@given(ANSWERS, st.lists(st.integers(0, 400), max_size=4))
def test_cuts_between_reads_change_nothing(
    answer: list[list[dict[str, Any]]], cuts: list[int]
) -> None:
    sent = stream_of(answer)
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]

    pieces = [sent[start:end] for start, end in pairwise(places)]

    assert read(StreamReader(), *pieces) == read(StreamReader(), sent)


@given(st.sampled_from(GEMINI_STREAMS), st.data())
def test_inv3_a_cut_stream_is_no_answer(case: GeminiStream, data: st.DataObject) -> None:
    end = len(case.sent.rstrip())
    sent = case.sent[: data.draw(st.integers(0, end - 1))]

    assert outcome(StreamReader(len(case.texts)), sent) is None


def outcome(reader: StreamReader | WholeReader, sent: bytes) -> list[Event] | None:
    try:
        return read(reader, sent)
    except DialectError:
        return None


FIELDS = st.sampled_from(
    [
        *("candidates", "content", "parts", "text", "thought", "thoughtSignature"),
        *("functionCall", "name", "args", "finishReason", "index", "promptFeedback"),
        *("blockReason", "usageMetadata", "promptTokenCount", "error", "code", "details"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("STOP"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON | st.dictionaries(FIELDS, JSON))
def test_any_json_is_an_answer_or_none(value: Any) -> None:
    body = json.dumps(value).encode()

    streamed = outcome(StreamReader(), b"data: " + body + b"\n\n")

    assert outcome(WholeReader(), body) == streamed


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_none(received: bytes) -> None:
    outcome(StreamReader(), received)
    outcome(WholeReader(), received)
    parse_error(received)

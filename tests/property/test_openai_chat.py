"""Whatever arrives: a request or a refusal, a whole answer or none; and cuts change nothing."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from forebay.dialects import DialectError
from forebay.dialects.openai_body import encode_request
from forebay.dialects.openai_chat import (
    ChatRequest,
    Completion,
    parse_completion,
    parse_error,
    parse_request,
    prompt_text,
)
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.dialects.sse import EventReader, event
from forebay.errors import InvalidRequest
from tests.support.streams import STREAMS, Stream

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
FIELDS = st.sampled_from(
    [
        *("model", "messages", "role", "content", "stream", "stream_options", "include_usage"),
        *("n", "tools", "choices", "delta", "message", "finish_reason", "usage", "error", "index"),
        *("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"),
    ]
) | st.text(max_size=4)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(FIELDS, JSON, max_size=5)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.text(max_size=5)}, optional={"content": JSON}),
    min_size=1,
    max_size=3,
)
OPTIONS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
NEARLY_REQUESTS = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=5) | JSON, "messages": MESSAGES | JSON},
    optional={"stream": st.booleans() | JSON, "stream_options": OPTIONS | JSON, "x": JSON},
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=5), "messages": MESSAGES},
    optional={
        "stream": st.none() | st.booleans(),
        "stream_options": st.none()
        | OPTIONS.filter(lambda options: "include_usage" not in options)
        | st.fixed_dictionaries({"include_usage": st.none() | st.booleans()}),
        "n": st.none() | st.integers(1, 128),
        "temperature": st.floats(0, 2),
        "x": JSON,
    },
)


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def survives(body: bytes) -> None:
    """Run all that happens to a request's body, or see it refused."""
    try:
        request = parse_request(body)
    except InvalidRequest:
        return
    assert isinstance(request, ChatRequest)
    encode_request(request, model="t")
    prompt_text(request)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    survives(body)


@given(OBJECTS | JSON)
def test_any_json_is_a_request_or_refused(value: object) -> None:
    survives(encoded(value))


@given(NEARLY_REQUESTS)
def test_anything_like_a_request_is_one_or_refused(value: object) -> None:
    survives(encoded(value))


@given(NEARLY_REQUESTS, st.integers(0, 400), st.binary(max_size=3))
@example({"model": "m", "messages": [{"role": "user", "content": 1}]}, 57, b"e999")
def test_a_damaged_request_is_one_or_refused(value: object, at: int, damage: bytes) -> None:
    body = encoded(value)
    survives(body[:at] + damage + body[at + 1 :])


@given(REQUESTS)
def test_what_was_asked_is_what_the_target_is_asked(asked: dict[str, Any]) -> None:
    request = parse_request(encoded(asked))

    expected = {**asked, "model": "t"}
    if asked.get("stream"):
        expected["stream_options"] = {**(asked.get("stream_options") or {}), "include_usage": True}
    assert json.loads(encode_request(request, model="t")) == expected


@given(REQUESTS)
def test_an_encoded_request_is_the_same_request(asked: dict[str, Any]) -> None:
    request = parse_request(encoded(asked))

    again = parse_request(encode_request(request, model=request.model))

    assert (again.model, again.stream, again.choices) == (
        request.model,
        request.stream,
        request.choices,
    )
    assert again.include_usage is (request.stream or request.include_usage)
    assert prompt_text(again) == prompt_text(request)


@given(st.binary(max_size=200) | OBJECTS.map(encoded))
def test_any_reply_is_an_answer_or_none(body: bytes) -> None:
    try:
        assert isinstance(parse_completion(body), Completion)
    except DialectError:
        parse_error(body)


@given(st.lists(OBJECTS.map(encoded) | st.just(b"[DONE]") | st.binary(max_size=9), max_size=4))
def test_any_stream_is_an_answer_or_none(data: list[bytes]) -> None:
    stream = ChatStream(show_usage=True)
    try:
        stream.feed(b"".join(map(event, data)))
        stream.end({"cost_usd": "0"})
    except DialectError:
        return
    assert any(b"finish_reason" in each for each in data)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
@example(b"data: a\r\n\r\ndata: b\n\r\n", [8, 9, 10, 11])
def test_cuts_of_any_bytes_change_no_event(received: bytes, cuts: list[int]) -> None:
    whole = EventReader().feed(received)
    reader = EventReader()

    assert [each for part in parts(received, cuts) for each in reader.feed(part)] == whole


LINES = st.lists(
    st.sampled_from([b"data: a", b"data:b", b"data", b": c", b"id: 1", b"", b"", b"\xef\xbb\xbf"]),
    max_size=12,
)


@given(LINES, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=12, max_size=12))
def test_line_ends_of_any_kind_mean_the_same(lines: list[bytes], ends: list[bytes]) -> None:
    mixed = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    plain = mixed.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert EventReader().feed(mixed) == EventReader().feed(plain)


@given(
    case=st.sampled_from(STREAMS),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
    show_usage=st.booleans(),
)
def test_inv3_cuts_of_a_stream_change_nothing(
    case: Stream, cuts: list[int], *, show_usage: bool
) -> None:
    whole = ChatStream(case.choices, show_usage)
    expected = whole.feed(case.sent) + whole.end()
    stream = ChatStream(case.choices, show_usage)

    passed_on = b"".join(map(stream.feed, parts(case.sent, cuts))) + stream.end()

    assert passed_on == expected
    assert ("".join(stream.text), stream.usage) == (case.text, case.usage)


def parts(received: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at the given places."""
    edges = [0, *sorted(min(cut, len(received)) for cut in cuts), len(received)]
    return [received[start:end] for start, end in pairwise(edges)]

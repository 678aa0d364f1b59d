"""Legacy completions: whatever arrives is one, or refused; and cuts change nothing."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects import DialectError
from forebay.dialects.completions import CompletionRequest, parse_request
from forebay.dialects.completions_exchange import (
    CompletionStreamExchange,
    upstream_request,
    whole_reader,
)
from forebay.dialects.openai_body import encode_request
from forebay.dialects.sse import event
from forebay.errors import InvalidRequest

FIELDS = st.sampled_from(
    [
        *("model", "prompt", "stream", "stream_options", "include_usage", "n", "choices", "text"),
        *("finish_reason", "index", "usage", "error", "prompt_tokens", "logprobs", "echo"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
REQUEST = parse_request(b'{"model":"m","prompt":"a","stream":true}')


def exchange(asked: CompletionRequest = REQUEST) -> CompletionStreamExchange:
    return CompletionStreamExchange(asked, upstream_request(asked, model="m"), lambda _: {})


def outcome(parts: list[bytes]) -> tuple[bytes, str, str]:
    """What the caller gets of a stream that arrives in such parts, and whether it is whole."""
    carrier = exchange()
    passed_on = b"".join(map(carrier.feed, parts))
    try:
        return passed_on + carrier.end(), "".join(carrier.text), "whole"
    except DialectError as error:
        return passed_on, "".join(carrier.text), str(error)


@given(BODIES)
def test_any_body_is_a_request_or_a_refusal(body: bytes) -> None:
    try:
        asked = parse_request(body)
    except InvalidRequest:
        return
    again = parse_request(encode_request(asked, model=asked.model))
    assert (again.prompts, again.choices) == (asked.prompts, asked.choices)


@given(BODIES)
def test_any_reply_is_whole_or_refused(body: bytes) -> None:
    try:
        text, _ = whole_reader(REQUEST)(body)
    except DialectError:
        return
    assert isinstance(text[0], str)


@given(st.lists(BODIES, max_size=4), st.lists(st.integers(0, 300), max_size=6))
def test_any_stream_reads_the_same_however_it_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(event(body) for body in bodies)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [stream[start:end] for start, end in pairwise(edges)]

    assert outcome(parts) == outcome([stream])

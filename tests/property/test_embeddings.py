"""Whatever arrives: embeddings or a refusal; and what is written is read again."""

import json
from math import isclose
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects import DialectError, embeddings_bedrock, embeddings_gemini, embeddings_openai
from forebay.dialects.embeddings import Encoding, Limits, Surface, parse_request, write_answer
from forebay.errors import InvalidRequest
from forebay.service.embedding_shares import apportion, fits, split

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TOKENS = st.lists(st.integers(0, 200_000), min_size=1, max_size=5)
INPUTS = TEXTS | st.lists(TEXTS, min_size=1, max_size=5) | TOKENS | st.lists(TOKENS, min_size=1)
OTHERS = st.dictionaries(
    st.sampled_from(["user", "new", "truncate"]), st.text(max_size=4), max_size=3
)
SURFACES: st.SearchStrategy[Surface] = st.sampled_from(
    [
        embeddings_openai.SURFACE,
        embeddings_gemini.SURFACE,
        embeddings_bedrock.TITAN,
        embeddings_bedrock.COHERE_V3,
        embeddings_bedrock.COHERE_V4,
    ]
)
VECTORS = st.integers(1, 5).flatmap(
    lambda length: st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-1, max_value=1),
            min_size=length,
            max_size=length,
        ),
        min_size=1,
        max_size=5,
    )
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "embeddings",
                    "embedding",
                    "values",
                    "index",
                    "float",
                    "error",
                    "usage",
                    "input",
                    "model",
                    "inputTextTokenCount",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_request_or_a_refusal(body: bytes) -> None:
    try:
        asked = parse_request(body)
    except InvalidRequest:
        return
    assert asked.inputs


@given(SURFACES, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_reply_is_vectors_or_a_refusal(surface: Surface, body: bytes) -> None:
    asked = parse_request(b'{"model":"m","input":["a"]}')
    try:
        embedded = surface.read(asked, 1, body)
    except DialectError:
        return
    assert len(embedded.vectors) == 1


@given(INPUTS, OTHERS)
def test_a_request_that_is_written_is_read_again(given_inputs: Any, others: dict[str, str]) -> None:
    asked = parse_request(json.dumps({"model": "m", "input": given_inputs, **others}).encode())
    sent = embeddings_openai.SURFACE.encode(asked, asked.inputs, "m")
    again = parse_request(sent.body)

    assert (again.of_tokens, again.parameters) == (asked.of_tokens, asked.parameters)
    assert [json.loads(each) for each in again.inputs] == [
        json.loads(each) for each in asked.inputs
    ]


@given(VECTORS, st.sampled_from(Encoding), st.sampled_from(Encoding))
def test_an_answer_that_is_written_is_read_again(
    vectors: list[list[float]], first: Encoding, second: Encoding
) -> None:
    """Whatever the encodings on the way: 32 bits hold what 32 bits held."""
    read = embeddings_openai.SURFACE.read

    def asked(encoding: Encoding) -> Any:
        body = {"model": "m", "input": "a", "encoding_format": encoding}
        return parse_request(json.dumps(body).encode())

    answer = b"".join(
        write_answer([json.dumps(v).encode() for v in vectors], model="e", input_tokens=7)
    )
    for encoding in (first, second, Encoding.FLOAT):
        embedded = read(asked(encoding), len(vectors), answer)
        answer = b"".join(write_answer(embedded.vectors, model="e", input_tokens=7))

    data = json.loads(answer)["data"]
    for item, vector in zip(data, vectors, strict=True):
        assert all(map(isclose, item["embedding"], vector))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_shares_add_up_to_the_total_and_are_off_by_less_than_one(
    total: int, weights: list[int]
) -> None:
    shares = apportion(total, weights)
    whole = sum(weights) or len(weights)
    fair = [total * weight for weight in (weights if any(weights) else [1] * len(weights))]

    assert sum(shares) == total
    assert all(abs(share * whole - due) < whole for share, due in zip(shares, fair, strict=True))


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=60),
    st.integers(1, 10),
    st.none() | st.integers(1, 60),
)
def test_runs_keep_the_order_and_the_limits(
    sizes: list[int], inputs: int, tokens: int | None
) -> None:
    limits = Limits(inputs, tokens)
    runs = [sizes[run] for run in split(sizes, limits)]

    assert [size for run in runs for size in run] == sizes
    assert all(len(run) == 1 or fits(len(run), sum(run), limits) for run in runs)

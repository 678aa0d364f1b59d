"""Embeddings as OpenAI defines them: requests, and the answer.

Source: https://platform.openai.com/docs/api-reference/embeddings/create, and the SDK's own types.
"""

import json
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse

from forebay.dialects.embeddings import (
    MAX_INPUTS,
    Encoding,
    input_text,
    parse_request,
    token_bound,
    write_answer,
)
from forebay.errors import InvalidRequest


def body(**fields: Any) -> bytes:
    """A good request with other members."""
    return json.dumps({"model": "m", "input": "hi", **fields}).encode()


# --- requests that are refused

MALFORMED = {
    "nothing": (b"", "not JSON"),
    "half a body": (body()[:-1], "not JSON"),
    "not UTF-8": (b'{"model":"m","input":"caf\xe9"}', r"not UTF-8 \(byte 25\)"),
    "nested beyond reason": (body()[:-1] + b',"x":' + b"[" * 100_000 + b"}", "nested too deeply"),
    "a list": (b"[]", "Expected `object`, got `array`"),
}


@pytest.mark.parametrize(("sent", "complaint"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused_with_the_reason(sent: bytes, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        parse_request(sent)

    assert caught.value.param is None


FAULTY = {
    "no model": (b'{"input":"hi"}', "model", "Missing"),
    "an empty model": (body(model=""), "model", "length >= 1"),
    "no input": (b'{"model":"m"}', "input", "Missing"),
    "null": (body(input=None), "input", "got `null`"),
    "a number": (body(input=7), "input", "got `int`"),
    "an object": (body(input={}), "input", "got `object`"),
    "an empty text": (body(input=""), "input", "must not be empty"),
    "no inputs": (body(input=[]), "input", "must not be empty"),
    "an empty text among others": (body(input=["a", ""]), "input[1]", "must not be empty"),
    "an empty list of tokens": (body(input=[[1], []]), "input[1]", "must not be empty"),
    "texts and tokens": (body(input=["a", 1]), "input", "only one kind"),
    "texts and lists": (body(input=["a", [1]]), "input", "only one kind"),
    "tokens and lists": (body(input=[1, [1]]), "input", "only one kind"),
    "a negative token": (body(input=[1, -1]), "input[1]", "int` >= 0"),
    "a token beyond any vocabulary": (body(input=[[2**31]]), "input[0][0]", "<= 2147483647"),
    "a token that is a fraction": (body(input=[1.5]), "input[0]", "got `float`"),
    "null among texts": (body(input=["a", None]), "input[1]", "got `null`"),
    "a deeper list": (body(input=[[[1]]]), "input[0][0]", "got `array`"),
    "too many": (body(input=["a"] * 2049), "input", "2049 entries; at most 2048"),
    "another encoding": (body(encoding_format="bytes"), "encoding_format", "Invalid value"),
    "no dimensions": (body(dimensions=0), "dimensions", ">= 1"),
    "dimensions in words": (body(dimensions="many"), "dimensions", "got `str`"),
    "a user that is a number": (body(user=1), "user", "got `int`"),
}


@pytest.mark.parametrize(("sent", "param", "complaint"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_field_is_named(sent: bytes, param: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        parse_request(sent)

    assert caught.value.param == param


# --- requests that are taken

INPUTS = {
    "a text": ("hi", (b'"hi"',), False),
    "texts": (["a", "b"], (b'"a"', b'"b"'), False),
    "token ids": ([1, 2], (b"[1, 2]",), True),
    "lists of token ids": ([[1, 2], [3]], (b"[1, 2]", b"[3]"), True),
    "white space": (" ", (b'" "',), False),
    "an escape": (["\n"], (rb'"\n"',), False),
}


@pytest.mark.parametrize(("given", "inputs", "of_tokens"), INPUTS.values(), ids=INPUTS)
def test_inputs_stay_as_they_came(
    given: object, inputs: tuple[bytes, ...], *, of_tokens: bool
) -> None:
    asked = parse_request(body(input=given))

    assert (asked.model, asked.inputs, asked.of_tokens) == ("m", inputs, of_tokens)


def test_as_many_inputs_as_openai_takes_are_taken() -> None:
    assert len(parse_request(body(input=["a"] * MAX_INPUTS)).inputs) == 2048


def test_one_list_of_token_ids_may_be_as_long_as_a_model_reads() -> None:
    assert len(parse_request(body(input=[7] * 8192)).inputs) == 1


@pytest.mark.parametrize(
    ("fields", "encoding"),
    [
        ({}, Encoding.FLOAT),
        ({"encoding_format": None}, Encoding.FLOAT),
        ({"encoding_format": "float"}, Encoding.FLOAT),
        ({"encoding_format": "base64"}, Encoding.BASE64),
    ],
)
def test_numbers_are_the_default(fields: dict[str, Any], encoding: Encoding) -> None:
    assert parse_request(body(**fields)).encoding is encoding


def test_all_other_fields_are_kept_as_they_came() -> None:
    asked = parse_request(b'{"new": {"a": 1.10}, "model":"m", "input":"a", "dimensions":  8}')

    assert {name: bytes(value) for name, value in asked.parameters.items()} == {
        "new": b'{"a": 1.10}',
        "dimensions": b"8",
    }


def test_what_is_null_says_nothing() -> None:
    assert parse_request(body(dimensions=None, user="u")).stated().keys() == {"user"}


ALIKE = {
    "another order": (b'{"a":1,"b":2,"model":"m","input":"x"}', True),
    "another model's name": (b'{"a":1,"b":2,"model":"n","input":"x"}', True),
    "another text": (b'{"a":1,"b":2,"model":"m","input":"y"}', True),
    "another value": (b'{"a":1,"b":3,"model":"m","input":"x"}', False),
    "a field less": (b'{"a":1,"model":"m","input":"x"}', False),
    "tokens": (b'{"a":1,"b":2,"model":"m","input":[1]}', False),
}


@pytest.mark.parametrize(("other", "alike"), ALIKE.values(), ids=ALIKE)
def test_what_may_be_sent_together_has_the_same_fingerprint(other: bytes, *, alike: bool) -> None:
    one = parse_request(b'{"b":2,"a":1,"model":"m","input":"x"}')

    assert (parse_request(other).fingerprint() == one.fingerprint()) is alike


# --- counting


@pytest.mark.parametrize(
    ("given", "text"),
    [("hi", "hi"), (["a", "Łódź"], "a\nŁódź"), ([1, 2], " the the"), ([[1], [2]], " the\n the")],
)
def test_all_that_is_asked_can_be_counted(given: object, text: str) -> None:
    assert parse_request(body(input=given)).text() == text


@pytest.mark.parametrize("text", ["hi", "Łódź", "\n\t\\", '"', "\U0001f600", "\x00"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_has_no_more_tokens_than_bytes_as_json(text: str, *, ascii_only: bool) -> None:
    written = json.dumps(text, ensure_ascii=ascii_only).encode()

    assert token_bound(written, of_tokens=False) >= len(text.encode())
    assert input_text(written, of_tokens=False) == text


def test_token_ids_are_counted_exactly() -> None:
    assert token_bound(b"[1, 22,333]", of_tokens=True) == 3


# --- the answer


def test_the_answer_is_what_the_sdk_expects() -> None:
    written = b"".join(write_answer([b"[0.5,1]", b"[0,-1]"], model="e", input_tokens=9))

    answer = CreateEmbeddingResponse.model_validate_json(written, strict=True)
    assert [(item.index, item.embedding) for item in answer.data] == [(0, [0.5, 1]), (1, [0, -1])]
    assert (answer.object, answer.model) == ("list", "e")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (9, 9)

"""What the scripted provider answers beside chat."""

import base64
import json
import struct
from math import isclose
from typing import Any

import pytest

from forebay.adapters.providers.scripted_answers import AnswerWriter
from forebay.adapters.providers.scripted_surfaces import (
    MAX_DIMENSIONS,
    CompletionWriter,
    embed,
    writer_for,
)
from forebay.model import UpstreamRequest
from forebay.settings import ScriptedSettings

SCRIPT = ScriptedSettings(tokens=3)


def writer(path: str, **fields: Any) -> AnswerWriter:
    body = json.dumps({"model": "s", **fields}).encode()
    return writer_for(UpstreamRequest(path, {}, body, False), SCRIPT)


def events(completion: AnswerWriter) -> list[Any]:
    written = b"".join((completion.opening(), *completion.pieces(), *completion.closing()))
    data = [each.removeprefix("data: ") for each in written.decode().split("\n\n")[:-1]]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def test_chat_is_answered_as_ever() -> None:
    chat = writer("/chat/completions", messages=[{"role": "user", "content": "hi"}])

    assert json.loads(chat.whole())["object"] == "chat.completion"


# --- completions


def test_a_completion_says_what_the_model_always_says() -> None:
    reply = json.loads(writer("/completions", prompt="Once upon").whole())

    assert reply["object"] == "text_completion"
    assert reply["choices"] == [
        {"index": 0, "text": "Water waits behind", "logprobs": None, "finish_reason": "stop"}
    ]
    assert reply["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_it_goes_on_with_what_it_would_have_said() -> None:
    reply = json.loads(writer("/completions", prompt="Water waits").whole())

    assert reply["choices"][0]["text"] == " behind"


@pytest.mark.parametrize(
    ("prompt", "choices"), [(["a", "b"], 4), ("a", 2), ([1, 2, 3], 2), ([[1], [2]], 4), (None, 2)]
)
def test_each_prompt_has_its_answers(prompt: object, choices: int) -> None:
    reply = json.loads(writer("/completions", prompt=prompt, n=2).whole())

    assert [each["index"] for each in reply["choices"]] == list(range(choices))


def test_a_stream_says_the_same_in_pieces() -> None:
    usage = {"include_usage": True}
    *chunks, last, done = events(writer("/completions", prompt="a", stream_options=usage))

    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "Water waits behind"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]
    assert (last["choices"], last["usage"]["completion_tokens"], done) == ([], 3, "[DONE]")


def test_a_limit_is_kept() -> None:
    completion = writer("/completions", prompt="a", max_tokens=1)

    assert isinstance(completion, CompletionWriter)
    assert (completion.answer.pieces, completion.answer.finish_reason) == (["Water"], "length")


# --- embeddings


def vectors(**fields: Any) -> list[list[float]]:
    reply = json.loads(writer("/embeddings", **fields).whole())
    return [item["embedding"] for item in reply["data"]]


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("given", ["a b", ["a", " "], [1, 2], [[1], [2, 3]]])
def test_vectors_have_length_one_and_are_the_same_each_time(given: object) -> None:
    first = vectors(input=given)

    assert first == vectors(input=given)
    assert all(isclose(dot(vector, vector), 1) for vector in first)


def test_texts_that_share_words_are_near_to_each_other() -> None:
    mill, wheel, bread = vectors(input=["the mill turns slowly", "the wheel turns slowly", "rye"])

    assert dot(mill, wheel) > 0.5 > abs(dot(mill, bread))


@pytest.mark.parametrize(
    ("asked", "made"), [(None, 64), (8, 8), (4096, 4096), (10**9, MAX_DIMENSIONS)]
)
def test_vectors_are_as_long_as_is_asked(asked: int | None, made: int) -> None:
    assert len(vectors(input="a", dimensions=asked)[0]) == made


def test_indices_and_usage_are_those_of_the_inputs() -> None:
    reply = json.loads(writer("/embeddings", input=["a b", "c"]).whole())

    assert [item["index"] for item in reply["data"]] == [0, 1]
    assert (reply["object"], reply["model"]) == ("list", "s")
    assert reply["usage"]["prompt_tokens"] == reply["usage"]["total_tokens"] > 0


def test_base64_holds_the_same_numbers() -> None:
    (packed,) = vectors(input="a", encoding_format="base64")
    numbers = struct.unpack("<64f", base64.b64decode(str(packed)))

    assert all(isclose(a, b, rel_tol=1e-6) for a, b in zip(numbers, embed("a", 64), strict=True))

"""Legacy completions: requests and replies.

Source: https://platform.openai.com/docs/api-reference/completions; replies with several prompts as
vLLM and Ollama give them (https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html,
https://github.com/ollama/ollama/blob/main/docs/openai.md).
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.completions import Piece, check_whole, parse_piece, parse_request, prompt_text
from forebay.dialects.completions_exchange import upstream_request, whole_reader
from forebay.dialects.openai_body import encode_request
from forebay.dialects.wholeness import Wholeness
from forebay.errors import InvalidRequest
from forebay.model import Usage


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "prompt": "Once", **fields}).encode()


MALFORMED = {
    "nothing": (b"", "not JSON"),
    "half a body": (body()[:-1], "not JSON"),
    "not UTF-8": (b'{"model":"caf\xe9"}', "not UTF-8"),
    "nested beyond reason": (body()[:-1] + b',"x":' + b"[" * 100_000 + b"}", "nested too deeply"),
    "a list": (b"[]", "Expected `object`"),
}


@pytest.mark.parametrize(("sent", "complaint"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused_with_the_reason(sent: bytes, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        parse_request(sent)

    assert caught.value.param is None


FAULTY = {
    "no model": (b'{"prompt":"a"}', "model"),
    "a prompt that is a number": (body(prompt=1), "prompt"),
    "no prompts": (body(prompt=[]), "prompt"),
    "null among prompts": (body(prompt=["a", None]), "prompt[1]"),
    "no answers": (body(n=0), "n"),
    "too many answers": (body(n=129), "n"),
    "too many answers to all prompts": (body(prompt=["a"] * 17, n=128), "prompt"),
    "too many prompts": (body(prompt=["a"] * 2049), "prompt"),
    "a stream in words": (body(stream="yes"), "stream"),
    "options that are a list": (body(stream_options=[]), "stream_options"),
}


@pytest.mark.parametrize(("sent", "param"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_field_is_named(sent: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(sent)

    assert caught.value.param == param


PROMPTS: dict[str, tuple[object, int, str]] = {
    "a text": ("Once", 1, "Once"),
    "an empty text": ("", 1, ""),
    "none": (None, 1, ""),
    "texts": (["a", "b"], 2, "ab"),
    "token ids": ([1, 2, 3], 1, " the the the"),
    "lists of token ids": ([[1, 2], [3]], 2, " the the the"),
}


@pytest.mark.parametrize(("prompt", "prompts", "text"), PROMPTS.values(), ids=PROMPTS)
def test_prompts_are_counted(prompt: object, prompts: int, text: str) -> None:
    asked = parse_request(body(prompt=prompt, n=3))

    assert (asked.prompts, asked.choices) == (prompts, prompts * 3)
    assert prompt_text(asked) == text


def test_a_request_needs_no_prompt() -> None:
    asked = parse_request(b'{"model":"m"}')

    assert (asked.prompts, asked.choices, prompt_text(asked)) == (1, 1, "")


def test_everything_goes_as_it_came_but_for_the_model() -> None:
    fields = {
        "n": 2,
        "best_of": 3,
        "echo": True,
        "logprobs": 1,
        "suffix": " end",
        "max_tokens": 5,
        "prompt_logprobs": 1,
        "new": {"a": [1]},
    }
    sent = upstream_request(parse_request(body(**fields)), model="base-1")

    assert json.loads(sent.body) == {"model": "base-1", "prompt": "Once", **fields}
    assert (sent.path, sent.headers, sent.stream) == (
        "/completions",
        {"content-type": "application/json"},
        False,
    )


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (None, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"other": 1}, {"other": 1, "include_usage": True}),
    ],
)
def test_usage_is_always_asked_for_on_streams(options: object, sent: object) -> None:
    asked = parse_request(body(stream=True, stream_options=options))

    assert json.loads(encode_request(asked, model="m"))["stream_options"] == sent
    assert not asked.include_usage


# --- replies


def choice(index: int, text: str | None, finish: str | None = "stop") -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": finish, "logprobs": None}


def reply(*choices: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"object": "text_completion", "choices": choices, **more}).encode()


def test_a_piece_is_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    assert parse_piece(reply(choice(0, "a", None), choice(1, "b"), usage=usage)) == Piece(
        "ab", (0, 1), (1,), Usage(3, 2), mentions_usage=True
    )
    assert parse_piece(reply(choice(0, None))) == Piece("", (0,), (0,), None, mentions_usage=False)


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"choices":"a"}', b'{"choices":[1]}'])
def test_what_is_no_completion_is_refused(data: bytes) -> None:
    with pytest.raises(DialectError, match="no completion"):
        parse_piece(data)


def test_an_error_in_place_of_an_answer_is_the_provider_s() -> None:
    with pytest.raises(UpstreamReported) as caught:
        parse_piece(b'{"error":"no such model"}')

    assert caught.value.error == {"message": "no such model"}


WHOLE = {
    "one": (body(), reply(choice(0, "a"))),
    "two of two": (body(n=2), reply(choice(0, "a"), choice(1, "b"))),
    "one of two, by a target that knows no n": (body(n=2), reply(choice(0, "a"))),
    "two prompts": (body(prompt=["a", "b"]), reply(choice(0, "a"), choice(1, "b"))),
    "two prompts, in another order": (
        body(prompt=["a", "b"]),
        reply(choice(1, "a"), choice(0, "")),
    ),
    "cut by its limit": (body(), reply(choice(0, "a", "length"))),
}


@pytest.mark.parametrize(("asked", "answer"), WHOLE.values(), ids=WHOLE)
def test_inv3_a_whole_answer_passes(asked: bytes, answer: bytes) -> None:
    text, usage = whole_reader(parse_request(asked))(answer)

    assert usage is None
    assert text


BROKEN = {
    "no choices": (body(), reply()),
    "an empty object": (body(), b"{}"),
    "no finish reason": (body(), reply(choice(0, "a", None))),
    "an empty finish reason": (body(), reply(choice(0, "a", ""))),
    "a second that has none": (body(n=2), reply(choice(0, "a"), choice(1, "b", None))),
    "a prompt without an answer": (body(prompt=["a", "b"]), reply(choice(0, "a"))),
    "the first prompt without an answer": (body(prompt=["a", "b"]), reply(choice(1, "a"))),
}


@pytest.mark.parametrize(("asked", "answer"), BROKEN.values(), ids=BROKEN)
def test_inv3_an_answer_that_is_not_whole_is_refused(asked: bytes, answer: bytes) -> None:
    with pytest.raises(DialectError):
        whole_reader(parse_request(asked))(answer)


def test_inv3_a_stream_that_ends_early_needs_every_choice() -> None:
    wholeness = Wholeness(2)
    wholeness.saw([0], [0])

    with pytest.raises(DialectError):
        check_whole(wholeness, prompts=1, target_is_done=False)

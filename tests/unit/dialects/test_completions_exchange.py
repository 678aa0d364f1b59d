"""Streams of legacy completions: passed on as they came, and whole or not.

Chunks as in https://platform.openai.com/docs/api-reference/completions/object (streams have the
same shape), with vLLM's chunk of usage.
"""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.completions import parse_request
from forebay.dialects.completions_exchange import CompletionStreamExchange, upstream_request
from forebay.model import Usage

DONE = b"data: [DONE]\n\n"


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "base-1"}
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


def choice(text: str, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
STREAM = (chunk(choice("Hé")), chunk(choice("llo")), chunk(choice("", "stop")))
USAGE_CHUNK = chunk(usage=USAGE)


def exchange(*, show_usage: bool = False, **fields: Any) -> CompletionStreamExchange:
    options = {"include_usage": True} if show_usage else None
    request = {"model": "m", "prompt": "a", "stream": True, "stream_options": options, **fields}
    asked = parse_request(json.dumps(request).encode())
    return CompletionStreamExchange(
        asked, upstream_request(asked, model="base-1"), lambda _: {"cost_usd": "0.1"}
    )


def played(stream: bytes, carrier: CompletionStreamExchange) -> bytes:
    return carrier.feed(stream) + carrier.end()


def test_chunks_are_passed_on_as_they_came() -> None:
    carrier = exchange()

    assert carrier.feed(STREAM[0]) == STREAM[0]
    assert carrier.feed(b"".join(STREAM[1:])) == b"".join(STREAM[1:])
    assert carrier.feed(USAGE_CHUNK + DONE) == b""
    assert carrier.end() == DONE
    assert ("".join(carrier.text), carrier.usage, carrier.ended) == ("Héllo", Usage(3, 2), True)


def test_usage_is_shown_with_its_cost_to_who_asked() -> None:
    last, done, _ = played(b"".join((*STREAM, USAGE_CHUNK, DONE)), exchange(show_usage=True)).split(
        b"\n\n"
    )[-3:]

    assert json.loads(last.removeprefix(b"data: "))["usage"] == {
        **USAGE,
        "forebay": {"cost_usd": "0.1"},
    }
    assert done == b"data: [DONE]"


def test_usage_that_says_nothing_is_shown_as_it_came() -> None:
    empty = chunk(usage={})

    assert played(b"".join((*STREAM, empty)), exchange(show_usage=True)).endswith(empty + DONE)


def test_usage_beside_choices_is_hidden_from_who_did_not_ask() -> None:
    both = chunk(choice("", "stop"), usage=USAGE)

    assert b"usage" not in played(STREAM[0] + both, exchange())
    assert both in played(STREAM[0] + both, exchange(show_usage=True))


@pytest.mark.parametrize("show_usage", [True, False])
def test_a_stream_cut_anywhere_between_two_bytes_reads_the_same(*, show_usage: bool) -> None:
    stream = b"".join((*STREAM, USAGE_CHUNK, DONE))
    whole = exchange(show_usage=show_usage)
    expected = played(stream, whole)

    carrier = exchange(show_usage=show_usage)
    passed_on = b"".join(carrier.feed(bytes([byte])) for byte in stream) + carrier.end()

    assert passed_on == expected
    assert ("".join(carrier.text), carrier.usage) == ("".join(whole.text), whole.usage)


@pytest.mark.parametrize("cut", range(len(b"".join(STREAM)) - 1))
def test_inv3_a_stream_that_is_cut_is_never_done(cut: int) -> None:
    carrier = exchange()
    carrier.feed(b"".join(STREAM)[:cut])

    with pytest.raises(DialectError):
        carrier.end()


def test_a_missing_done_after_a_whole_answer_is_made_up_for() -> None:
    assert played(b"".join(STREAM), exchange()).endswith(DONE)


def test_what_follows_done_is_passed_over() -> None:
    assert played(b"".join(STREAM) + DONE + STREAM[0], exchange()) == b"".join(STREAM) + DONE


@pytest.mark.parametrize(
    "early", [DONE, STREAM[0] + DONE, b"data: {this is no JSON\n\n", b"data: <html>\n\n"]
)
def test_inv3_what_is_not_whole_is_refused_whatever_the_target_says(early: bytes) -> None:
    carrier = exchange()
    carrier.feed(early)

    with pytest.raises(DialectError):
        carrier.end()


def test_inv3_each_prompt_needs_an_answer() -> None:
    carrier = exchange(prompt=["a", "b"])
    carrier.feed(chunk(choice("x", "stop", 0)) + DONE)

    with pytest.raises(DialectError):
        carrier.end()


def test_an_error_in_mid_stream_ends_it_after_what_came() -> None:
    carrier = exchange()

    assert carrier.feed(STREAM[0] + b'data: {"error":{"message":"no"}}\n\n') == STREAM[0]
    assert carrier.ended
    with pytest.raises(UpstreamReported):
        carrier.end()


def test_nothing_is_shown_before_the_first_word() -> None:
    carrier = exchange()
    carrier.feed(chunk(choice("")))

    assert not carrier.shown


def test_nobody_goes_on_with_it() -> None:
    carrier = exchange()
    carrier.feed(STREAM[0])

    assert (carrier.shown, carrier.interrupted()) == (True, None)

"""Invariant 3 for OpenAI's streams: a broken answer never looks complete, a whole one is whole."""

import json
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.dialects.sse import EventReader
from forebay.model import Usage
from tests.support.streams import STREAMS, Stream

DONE = b"data: [DONE]\n\n"
each_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)


def chunk(content: str | None = None, *, finish: str | None = None, index: int = 0) -> bytes:
    delta = {} if content is None else {"content": content}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event({"choices": [choice]})


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


USAGE = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})


def relay(sent: bytes, *, choices: int = 1, show_usage: bool = False) -> bytes:
    stream = ChatStream(choices, show_usage)
    return stream.feed(sent) + stream.end()


def events(sent: bytes) -> list[Any]:
    return [json.loads(data) for data in EventReader().feed(sent) if data != b"[DONE]"]


# --- what is whole


@each_stream
def test_a_whole_stream_is_passed_on_and_understood(case: Stream) -> None:
    stream = ChatStream(case.choices)

    passed_on = stream.feed(case.sent) + stream.end()

    assert "".join(stream.text) == case.text
    assert stream.usage == case.usage
    assert passed_on.endswith(DONE)
    assert passed_on.count(DONE) == 1


@each_stream
def test_chunks_are_passed_on_as_they_came(case: Stream) -> None:
    sent = EventReader().feed(case.sent)
    without_usage = [data for data in sent if not json_of(data).get("usage")]

    passed_on = EventReader().feed(relay(case.sent, choices=case.choices))

    assert [data for data in passed_on if data in sent] == without_usage


def json_of(data: bytes) -> Any:
    return {} if data == b"[DONE]" else json.loads(data)


@each_stream
def test_all_is_passed_on_as_it_came_to_who_asked_for_usage(case: Stream) -> None:
    passed_on = relay(case.sent, choices=case.choices, show_usage=True)

    assert EventReader().feed(passed_on) == EventReader().feed(case.sent)


@each_stream
def test_usage_is_hidden_from_who_did_not_ask(case: Stream) -> None:
    passed_on = events(relay(case.sent, choices=case.choices))

    assert [each.get("usage") for each in passed_on] == [None] * len(passed_on)


def test_a_chunk_with_choices_loses_only_its_usage() -> None:
    sent = event({"x": 1, "choices": [{"index": 0, "finish_reason": "stop"}], "usage": {}, "y": 2})

    (passed_on,) = events(relay(sent))

    assert passed_on == {"x": 1, "choices": [{"index": 0, "finish_reason": "stop"}], "y": 2}


def test_a_chunk_over_several_lines_is_one_event_for_the_caller() -> None:
    sent = b'data: {"choices":\ndata: [{"finish_reason":"stop"}]}\n\n'

    assert relay(sent) == sent + DONE


def test_a_missing_done_is_made_up_for_after_the_answer() -> None:
    assert relay(chunk("a", finish="stop")) == chunk("a", finish="stop") + DONE


def test_nothing_after_done_is_passed_on() -> None:
    sent = chunk("a", finish="stop") + DONE + chunk("late") + b"data: garbage\n\n" + DONE

    assert relay(sent) == chunk("a", finish="stop") + DONE


def test_a_comment_is_not_passed_on() -> None:
    sent = b": processing\n\n" + chunk("a", finish="stop")

    assert relay(sent) == chunk("a", finish="stop") + DONE


def test_done_is_known_as_soon_as_it_was_said() -> None:
    stream = ChatStream()
    stream.feed(chunk("a", finish="stop"))
    before = stream.ended
    stream.feed(DONE)

    assert (before, stream.ended) == (False, True)


def test_a_target_that_gives_fewer_choices_than_asked_for_is_whole_when_it_says_so() -> None:
    assert relay(chunk("a", finish="stop") + DONE, choices=2) == chunk("a", finish="stop") + DONE


def test_inv3_more_choices_than_asked_for_must_all_end() -> None:
    stream = ChatStream(choices=1)
    stream.feed(chunk("a", finish="stop") + chunk("b", index=1))

    with pytest.raises(DialectError, match="ended before the answer did"):
        stream.end()


# --- usage for who asked


def test_the_usage_chunk_comes_last_with_the_gateway_s_note() -> None:
    stream = ChatStream(show_usage=True)
    passed_on = stream.feed(chunk("a", finish="stop") + USAGE + DONE)

    *_, usage = events(stream.end({"cost_usd": "0.1"}))

    assert passed_on == chunk("a", finish="stop")
    assert usage == {
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "forebay": {"cost_usd": "0.1"}},
    }


def test_the_note_changes_no_byte_of_the_usage() -> None:
    stream = ChatStream(show_usage=True)
    usage = rb'{"choices":[],"usage":{"prompt_tokens":3,"x":1.10,"y":"\u00e9","z":1e999}}'
    stream.feed(chunk(finish="stop") + b"data: " + usage + b"\n\n")

    assert stream.end({"a": "b"}) == (b"data: " + usage[:-2] + b',"forebay":{"a":"b"}}}\n\n' + DONE)


def test_of_two_usage_chunks_the_last_counts() -> None:
    first = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
    stream = ChatStream(show_usage=True)
    stream.feed(chunk(finish="stop") + first + USAGE)

    assert stream.usage == Usage(3, 2)
    assert stream.end() == USAGE + DONE


def test_usage_before_the_end_of_the_answer_is_kept_for_the_end() -> None:
    assert relay(USAGE + chunk("a", finish="stop"), show_usage=True) == (
        chunk("a", finish="stop") + USAGE + DONE
    )


# --- invariant 3


@each_stream
def test_inv3_a_stream_that_is_cut_at_any_byte_never_ends_as_if_it_were_whole(
    case: Stream,
) -> None:
    whole_from = whole_answer_at(case)

    for at in range(whole_from):
        stream = ChatStream(case.choices, show_usage=True)
        assert b"[DONE]" not in stream.feed(case.sent[:at])
        with pytest.raises(DialectError, match="ended before the answer did"):
            stream.end()


@each_stream
def test_inv3_a_stream_that_is_cut_after_its_answer_is_whole(case: Stream) -> None:
    for at in range(whole_answer_at(case), len(case.sent) + 1):
        assert relay(case.sent[:at], choices=case.choices).endswith(DONE)


def whole_answer_at(case: Stream) -> int:
    """Length of the stream up to the event with the last finish reason."""
    finish = case.sent.rindex(b'"finish_reason":"')
    line_end = case.sent.index(b"\n", finish) + 1
    return line_end + (1 if case.sent[line_end : line_end + 1] in b"\r\n" else 0)


BROKEN = {
    "nothing came": (b"", 1),
    "done is said at once": (DONE, 1),
    "done is said in mid-answer": (chunk("a") + DONE, 1),
    "the finish reason comes after done": (chunk("a") + DONE + chunk(finish="stop"), 1),
    "usage without a finish reason": (chunk("a") + USAGE + DONE, 1),
    "an empty finish reason": (chunk("a", finish="") + DONE, 1),
    "one of two choices ends": (chunk("a", finish="stop") + chunk("b", index=1) + DONE, 2),
    "one of two choices ends twice": (chunk(finish="stop") + chunk(finish="stop"), 2),
    "done without its blank line": (chunk("a") + b"data: [DONE]\n", 1),
    "the finish reason without its blank line": (chunk("a", finish="stop")[:-1], 1),
}


@pytest.mark.parametrize(("sent", "choices"), BROKEN.values(), ids=BROKEN)
def test_inv3_what_is_not_whole_has_no_end(sent: bytes, choices: int) -> None:
    stream = ChatStream(choices, show_usage=True)
    passed_on = stream.feed(sent)

    with pytest.raises(DialectError, match="ended before the answer did"):
        stream.end()
    assert b"[DONE]" not in passed_on


# --- garbage and errors in the stream

GARBAGE = {
    "no JSON": b"data: {canary\n\n",
    "HTML in an event": b"data: <html>canary</html>\n\n",
    "a list": b"data: []\n\n",
    "an empty event": b"data:\n\n",
    "not UTF-8": b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    "choices of another kind": b'data: {"choices":{"canary":1}}\n\n',
    "nested beyond reason": b'data: {"choices":' + b"[" * 100_000 + b"\n\n",
    "done with something around it": b"data: [DONE] canary\n\n",
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
def test_inv3_garbage_is_refused_unquoted(sent: bytes) -> None:
    stream = ChatStream()

    passed_on = stream.feed(chunk("a") + sent + chunk("late", finish="stop") + DONE)

    assert (passed_on, stream.ended) == (chunk("a"), True)
    with pytest.raises(DialectError) as caught:
        stream.end()
    assert "canary" not in str(caught.value)


def test_inv4_what_shares_a_read_with_garbage_is_not_lost() -> None:
    stream = ChatStream()

    assert stream.feed(chunk("a") + chunk("b") + b"data: {\n\n") == chunk("a") + chunk("b")
    assert "".join(stream.text) == "ab"


@pytest.mark.parametrize(
    ("error", "understood"),
    [
        ({"message": "overloaded", "code": 503}, {"message": "overloaded", "code": 503}),
        ("overloaded", {"message": "overloaded"}),
    ],
    ids=["an object", "a string"],
)
def test_inv3_an_error_in_the_stream_is_told_apart(error: object, understood: object) -> None:
    stream = ChatStream()
    stream.feed(chunk("a") + event({"error": error, "choices": []}))

    with pytest.raises(UpstreamReported) as caught:
        stream.end()

    assert caught.value.error == understood


def test_an_error_that_is_null_is_none() -> None:
    assert relay(event({"error": None, "choices": [{"finish_reason": "stop"}]})).endswith(DONE)

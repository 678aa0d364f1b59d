"""The rest of an answer goes to the caller as if its beginning had never broken off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forebay.dialects import DialectError
from forebay.dialects.canonical import Started, TextDelta, UsageReported
from forebay.dialects.continuation import Interrupted
from forebay.dialects.continued import ContinuedExchange, Resumption
from forebay.dialects.openai_chat_reader import ChatStreamReader
from forebay.dialects.openai_chat_writer import ChatStreamWriter, Identity
from forebay.dialects.seam import Seam, SeamMismatch, opening_for
from forebay.model import UpstreamRequest, Usage
from forebay.settings import Continuing
from tests.support.told_provider import DONE, chunk, event, usage

REQUEST = UpstreamRequest("/chat/completions", {}, b"{}", stream=True)
WHOLE = "Water waits behind the gate until the wheel can take it; what comes too fast is held."
BEGUN, REST, ANCHOR = WHOLE[:70], WHOLE[70:], WHOLE[6:70]
DELIVERED = Usage(9, 14, cached_input_tokens=3)
THOUGHT = event({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm. " * 9}}]})


def begun_writer() -> ChatStreamWriter:
    writer = ChatStreamWriter(Identity("first", "fast", 7), include_usage=True)
    writer.write([Started("a", "b"), TextDelta(BEGUN), UsageReported(Usage(9, 13))])
    return writer


def continued(
    how: Continuing = Continuing.PREFILL,
    text: str = BEGUN,
    *stop: str,
    delivered: Usage = DELIVERED,
) -> ContinuedExchange:
    opening = opening_for(text, how)
    assert opening is not None
    return ContinuedExchange(
        REQUEST,
        "text/event-stream",
        ChatStreamReader(),
        Resumption(Interrupted(text, begun_writer(), None), Seam(text, opening, stop), delivered),
        lambda used: {"cost_usd": f"for {used.input_tokens}+{used.output_tokens}"},
    )


def chunks(written: bytes) -> list[Any]:
    lines = [line[6:] for line in written.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_in(written: bytes) -> str:
    deltas = [choice["delta"] for each in chunks(written) for choice in each["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def whole(exchange: ContinuedExchange, *received: bytes) -> bytes:
    return b"".join(map(exchange.feed, received)) + exchange.end()


def test_the_rest_comes_in_the_words_of_the_beginning() -> None:
    exchange = continued()

    written = whole(exchange, chunk(REST), chunk(finish="stop"), DONE)

    assert text_in(written) == REST
    assert {(each["id"], each["model"], each["created"]) for each in chunks(written)} == {
        ("first", "fast", 7)
    }
    assert "role" not in json.dumps(chunks(written))
    assert written.endswith(DONE)


def test_it_tells_what_it_asks_and_expects() -> None:
    exchange = continued()

    assert exchange.request is REQUEST
    assert exchange.content_type == "text/event-stream"


def test_nothing_is_shown_before_the_seam_is_found() -> None:
    exchange = continued(Continuing.ECHO)

    assert exchange.feed(chunk(ANCHOR)) == b""
    assert not exchange.shown
    assert text_in(exchange.feed(chunk("x"))) == "x"
    assert exchange.shown


# --- what the caller is told of usage


def shown_usage(exchange: ContinuedExchange, *received: bytes) -> dict[str, Any]:
    usages = [each["usage"] for each in chunks(whole(exchange, *received)) if each["usage"]]
    assert len(usages) == 1
    fields: dict[str, Any] = usages[0]
    return fields


def test_the_usage_is_of_the_question_and_of_what_was_delivered() -> None:
    exchange = continued()

    shown = shown_usage(exchange, chunk(REST), chunk(finish="stop"), usage(23, 4), DONE)

    assert (shown["prompt_tokens"], shown["completion_tokens"]) == (9, 14 + 4)
    assert shown["prompt_tokens_details"]["cached_tokens"] == 3
    assert shown["forebay"] == {"cost_usd": "for 23+4"}
    assert exchange.usage == Usage(23, 4)
    assert exchange.text == [REST]


def test_what_is_repeated_is_paid_for_and_not_delivered() -> None:
    exchange = continued(Continuing.ECHO)

    said = chunk(ANCHOR + REST)  # 64 of 79 characters
    shown = shown_usage(exchange, said, chunk(finish="stop"), usage(40, 20), DONE)

    assert shown["completion_tokens"] == 14 + 20 * 15 // 79
    assert exchange.usage == Usage(40, 20)
    assert exchange.text == [ANCHOR + REST]


def test_reasoning_that_is_not_shown_again_is_not_delivered() -> None:
    exchange = continued(Continuing.ECHO)
    counts = {
        "prompt_tokens": 40,
        "completion_tokens": 60,
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    used = event({"choices": [], "usage": counts})

    shown = shown_usage(exchange, THOUGHT, chunk(ANCHOR + REST), chunk(finish="stop"), used, DONE)

    assert shown["completion_tokens"] == 14 + 20 * 15 // 79


def test_a_usage_that_is_not_reported_is_reckoned_from_what_was_delivered() -> None:
    shown = shown_usage(continued(), chunk(REST), chunk(finish="stop"), DONE)

    assert (shown["prompt_tokens"], shown["completion_tokens"]) == (9, 14 + 14 * 15 // 70)
    assert "forebay" not in shown


def test_without_any_text_the_usage_is_what_was_delivered() -> None:
    exchange = continued(text="", delivered=Usage(9, 0))

    assert shown_usage(exchange, chunk(finish="stop"), DONE)["completion_tokens"] == 0


# --- how it ends


def test_inv3_a_rest_that_is_cut_does_not_look_whole() -> None:
    exchange = continued()
    written = exchange.feed(chunk(REST[:5]))

    with pytest.raises(DialectError):
        exchange.end()

    assert text_in(written) == REST[:5]
    assert DONE not in written


def test_inv3_what_does_not_follow_ends_at_once_and_says_so() -> None:
    exchange = continued(Continuing.ECHO)

    assert exchange.feed(chunk("Sure, here is the rest: ")) == b""
    assert exchange.ended
    assert exchange.feed(chunk(ANCHOR + REST)) == b""
    with pytest.raises(SeamMismatch):
        exchange.end()


def test_inv3_after_what_does_not_follow_nothing_else_does() -> None:
    exchange = continued()

    assert exchange.feed(THOUGHT) == b""
    assert exchange.feed(chunk(REST) + chunk(finish="stop") + DONE) == b""
    with pytest.raises(SeamMismatch):
        exchange.end()


def test_inv3_what_does_not_follow_may_show_with_the_end() -> None:
    exchange = continued(Continuing.ECHO)

    assert exchange.feed(chunk(ANCHOR[:9]) + chunk(finish="stop") + DONE) == b""
    with pytest.raises(SeamMismatch):
        exchange.end()


def test_a_stop_sequence_across_the_seam_ends_the_answer_before_its_target_does() -> None:
    exchange = continued(Continuing.PREFILL, "Done.##", "###")

    written = exchange.feed(chunk("# More"))

    assert exchange.ended
    assert text_in(written) == ""
    assert chunks(written)[-1]["choices"][0]["finish_reason"] == "stop"
    last = exchange.end()
    assert chunks(last)[0]["usage"]["completion_tokens"] == 14
    assert last.endswith(DONE)


def test_it_ends_with_its_target() -> None:
    exchange = continued()
    assert not exchange.ended

    exchange.feed(chunk(REST) + chunk(finish="stop") + DONE)

    assert exchange.ended


def tool_call(arguments: str) -> bytes:
    function = {"name": "f", "arguments": arguments}
    call = {"index": 0, "id": "t1", "type": "function", "function": function}
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})


def test_tool_calls_after_the_seam_wait_for_the_end() -> None:
    exchange = continued()

    before = exchange.feed(chunk(REST) + tool_call('{"a":1}') + chunk(finish="tool_calls") + DONE)
    last = exchange.end()

    assert b"tool_calls" not in before
    assert chunks(last)[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert b'{\\"a\\":1}' in last


# --- a further break


def test_a_rest_that_breaks_off_too_is_gone_on_with_from_there() -> None:
    exchange = continued()
    exchange.feed(chunk(REST[:5]) + usage(23, 2))

    again = exchange.interrupted()

    assert again is not None
    assert again.text == BEGUN + REST[:5]
    assert again.usage == Usage(23, 2)
    assert text_in(again.writer.write([TextDelta("x")])) == "x"


@pytest.mark.parametrize("received", [b"", chunk(ANCHOR[:9]), chunk("Sure!")])
def test_what_did_not_get_through_the_seam_changes_nothing(received: bytes) -> None:
    exchange = continued(Continuing.ECHO)
    exchange.feed(received)

    again = exchange.interrupted()

    assert again is not None
    assert again.text == BEGUN


def test_a_tool_call_that_was_held_back_is_forgotten() -> None:
    exchange = continued()
    exchange.feed(chunk(REST) + tool_call('{"a'))

    again = exchange.interrupted()

    assert again is not None
    assert again.text == WHOLE


def test_after_its_end_nobody_goes_on() -> None:
    exchange = continued()
    exchange.feed(chunk(REST) + chunk(finish="stop"))

    assert exchange.interrupted() is None

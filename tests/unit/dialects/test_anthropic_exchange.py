"""Anthropic's answers to an Anthropic caller: as they came, and never whole when they are not.

Streams after https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.anthropic_messages_exchange import (
    MessageStreamExchange,
    read_message,
)
from forebay.dialects.exchange import MAX_REPLY_BYTES, WholeExchange
from forebay.model import UpstreamRequest, Usage
from tests.support.anthropic_streams import ANTHROPIC_STREAMS, AnthropicStream
from tests.support.streams import FOLDER

each_stream = pytest.mark.parametrize("case", ANTHROPIC_STREAMS, ids=lambda case: case.name)

REQUEST = UpstreamRequest("/messages", {}, b"{}", stream=True)
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c",'
    b'"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
)
FINISH = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":7,"server_tool_use":{"web_search_requests":1}}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "c",
    "content": [
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 2},
}


def note(usage: Usage) -> Mapping[str, str]:
    return {"cost_usd": str(usage.output_tokens)}


def stream() -> MessageStreamExchange:
    return MessageStreamExchange(REQUEST, note)


def relayed(sent: bytes) -> bytes:
    exchange = stream()
    return exchange.feed(sent) + exchange.end()


def without_comments(sent: bytes) -> bytes:
    return re.sub(rb"^:.*\n+", b"", sent, flags=re.MULTILINE)


def without_deltas(sent: bytes) -> list[bytes]:
    return [each for each in sent.split(b"\n\n") if not each.startswith(b"event: message_delta")]


def deltas(sent: bytes) -> list[Any]:
    """Data of each `message_delta`."""
    events = [each for each in sent.split(b"\n\n") if each.startswith(b"event: message_delta")]
    return [json.loads(event.partition(b"data: ")[2]) for event in events]


def noted(event: Any) -> Any:
    """The same event with the gateway's note."""
    usage = event["usage"]
    cost = {"cost_usd": str(usage["output_tokens"])}
    return {**event, "usage": {**usage, "forebay": cost}}


@each_stream
def test_events_go_on_as_they_came_but_for_the_note(case: AnthropicStream) -> None:
    got, sent = relayed(case.sent), without_comments(case.sent)

    assert without_deltas(got) == without_deltas(sent)
    assert deltas(got) == [noted(event) for event in deltas(sent)]


@each_stream
def test_read_byte_by_byte_it_is_the_same(case: AnthropicStream) -> None:
    whole, exchange = stream(), stream()
    at_once = whole.feed(case.sent) + whole.end()

    parts = [exchange.feed(case.sent[at : at + 1]) for at in range(len(case.sent))]

    assert b"".join(parts) + exchange.end() == at_once
    assert (exchange.text, exchange.usage) == (whole.text, whole.usage)


@each_stream
def test_inv3_cut_at_any_byte_it_never_looks_whole(case: AnthropicStream) -> None:
    for at in range(case.sent.rindex(b"event: message_stop") + len(STOP) - 2):
        exchange = stream()
        assert b"message_stop" not in exchange.feed(case.sent[:at])
        assert not exchange.ended
        with pytest.raises(DialectError):
            exchange.end()


def test_the_ledger_learns_text_and_usage_on_the_way() -> None:
    exchange = stream()

    exchange.feed((FOLDER / "anthropic_tools.sse").read_bytes())

    assert "".join(exchange.text) == 'Okay.get_weather{"location": "Łódź"}get_time'
    assert exchange.usage == Usage(592, 89, 100, cache_write_input_tokens=20)


def test_what_is_not_known_of_the_usage_stays_as_it_came() -> None:
    (got,) = deltas(relayed(START + FINISH + STOP))

    assert got["usage"] == {
        "output_tokens": 7,
        "server_tool_use": {"web_search_requests": 1},
        "forebay": {"cost_usd": "7"},
    }


def test_a_delta_without_usage_stays_as_it_came() -> None:
    late = b'event: message_delta\ndata: {"type": "message_delta", "delta": {}}\n\n'

    assert late in relayed(START + FINISH + late + STOP)


def test_usage_that_says_nothing_gets_no_note() -> None:
    start = START.replace(b":5,", b":0,")

    assert relayed(start + FINISH + STOP) == start + FINISH + STOP


def test_events_of_types_to_come_are_passed_on() -> None:
    new = b'event: tomorrow\ndata: {"type": "tomorrow", "x": [1.0]}\n\n'

    assert relayed(START + new + FINISH + STOP).startswith(START + new)


def test_an_event_without_its_name_gets_it() -> None:
    assert stream().feed(START.removeprefix(b"event: message_start\n")) == START


def test_before_the_answer_begins_nothing_is_promised() -> None:
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'

    assert stream().feed(ping) == b""
    assert stream().feed(START + ping) == START + ping


def test_what_comes_after_the_end_is_not_passed_on() -> None:
    exchange = stream()

    sent = exchange.feed(START + FINISH + STOP + START)

    assert exchange.ended
    assert sent.count(b"event: message_start") == 1
    assert exchange.feed(START) == b""
    assert exchange.end() == STOP


@pytest.mark.parametrize(
    "wrong",
    [
        b"data: <html>\n\n",
        b"data: [DONE]\n\n",
        b'data: {"type":"a\\nevent: message_stop"}\n\n',
        b'data: {"type":"message_delta"}\n\n',
        START,
        STOP,
    ],
    ids=["no JSON", "OpenAI's end", "a line break", "no delta", "a second start", "no reason"],
)
def test_what_cannot_come_ends_the_stream_as_broken(wrong: bytes) -> None:
    exchange = stream()

    assert exchange.feed(START + wrong + FINISH + STOP) == START
    assert exchange.ended
    with pytest.raises(DialectError):
        exchange.end()


def test_an_error_event_is_raised_with_what_was_reported() -> None:
    exchange = stream()

    exchange.feed(START + b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n')

    with pytest.raises(UpstreamReported) as reported:
        exchange.end()
    assert reported.value.error == {"type": "overloaded_error"}


# --- in one piece


def whole(sent: bytes) -> tuple[bytes, WholeExchange]:
    exchange = WholeExchange(REQUEST, read_message)
    for at in range(0, len(sent), 50):
        assert exchange.feed(sent[at : at + 50]) == b""
    return exchange.end(), exchange


def test_an_answer_in_one_piece_is_as_it_came() -> None:
    sent = json.dumps(MESSAGE, indent=1).encode()

    got, exchange = whole(sent)

    assert got == sent
    assert "".join(exchange.text) == 'Hif{"a":1}'
    assert exchange.usage == Usage(8, 2, cached_input_tokens=3)


@pytest.mark.parametrize(
    "wrong",
    [b"", b"<html>", b"{}", json.dumps({**MESSAGE, "stop_reason": None}).encode()],
    ids=["nothing", "no JSON", "no message", "not whole"],
)
def test_what_is_no_whole_answer_is_raised(wrong: bytes) -> None:
    with pytest.raises(DialectError):
        whole(wrong)


def test_an_error_in_place_of_an_answer_is_raised() -> None:
    with pytest.raises(UpstreamReported):
        whole(b'{"type":"error","error":{"type":"api_error","message":"m"}}')


def test_an_answer_without_end_is_not_read_on() -> None:
    exchange = WholeExchange(REQUEST, read_message)

    exchange.feed(b" " * MAX_REPLY_BYTES)
    before = exchange.ended
    exchange.feed(b" ")

    assert (before, exchange.ended) == (False, True)

"""Tool calls reach a caller whole, with the end of a whole answer, or not at all."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages_reader import MessageStreamReader
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.exchange import Exchange
from forebay.dialects.held_tools import HeldTools
from forebay.dialects.openai_chat_reader import ChatStreamReader
from forebay.model import Usage
from tests.support.exchanges import (
    WAYS,
    WRITERS,
    Way,
    chat_exchange,
    messages_exchange,
    translated,
)
from tests.support.sdk_answers import CHAT, RESPONSES, events_in

WITH_TOOLS = [way for way in WAYS if "tool" in way.name]
each_way = pytest.mark.parametrize("way", WITH_TOOLS, ids=[way.name for way in WITH_TOOLS])

TOOLS = {
    "openai_tools": (("get_weather", {"city": "Łódź"}), ("get_time", {})),
    "anthropic_tools": (("get_weather", {"location": "Łódź"}), ("get_time", {})),
    "gemini_tools": (("get_weather", {"city": "Łódź", "days": [1, 2.5]}), ("get_time", {})),
    "gemini_tool_ids": (("get_weather", {"city": "Oslo"}),),
    "bedrock_tools": (("now", {}), ("add", {"a": 1})),
}


@each_way
def test_no_byte_of_a_tool_is_handed_out_before_the_end(way: Way) -> None:
    exchange = way.make()

    handed = b"".join(exchange.feed(way.sent[at : at + 1]) for at in range(len(way.sent)))

    assert [mark for mark in way.caller.tool_marks if mark in handed] == []


@each_way
def test_at_the_end_the_sdk_reads_every_tool(way: Way) -> None:
    exchange = way.make()

    answer = way.caller.read(exchange.feed(way.sent) + exchange.end())

    assert (
        tuple((name, arguments) for _, name, arguments in answer.tools)
        == (TOOLS[way.name.split()[0]])
    )


UNSIGNED = [way for way in WITH_TOOLS if not way.name.startswith("bedrock")]


@pytest.mark.parametrize("way", UNSIGNED, ids=[way.name for way in UNSIGNED])
def test_an_answer_that_breaks_off_in_a_tool_is_as_if_it_had_not_begun(way: Way) -> None:
    exchange = way.make()

    text = way.caller.text_in(exchange.feed(way.sent))

    assert exchange.shown == bool(text)
    assert (got := exchange.interrupted()) is None or got.text == text
    assert (got is None) == (not text)


# --- what goes out as it came goes out in order


def chat(*calls: dict[str, Any], finish: str | None = None, index: int = 0, **delta: Any) -> bytes:
    said = {**delta, **({"tool_calls": list(calls)} if calls else {})}
    choice = {"index": index, "delta": said, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def call(arguments: object = "", index: int | None = 0, **fields: Any) -> dict[str, Any]:
    """What a chunk says of a tool call; with an id, it begins one."""
    function = {"arguments": arguments, **({"name": "f"} if "id" in fields else {})}
    return {"index": index, "function": function, **fields}


def anthropic(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def block(index: int, **content: Any) -> bytes:
    return anthropic("content_block_start", index=index, content_block=content)


def delta(index: int, **content: Any) -> bytes:
    return anthropic("content_block_delta", index=index, delta=content)


def message(*content: bytes, reason: str = "tool_use") -> bytes:
    stop = anthropic("message_delta", delta={"stop_reason": reason}) + anthropic("message_stop")
    return anthropic("message_start", message={"id": "m", "model": "c"}) + b"".join(content) + stop


TOOL = block(0, type="tool_use", id="t", name="f", input={})
STOP = anthropic("content_block_stop", index=0)


def test_chunks_after_a_tool_wait_too_and_keep_their_order() -> None:
    before, tool = chat(content="a"), chat(call(id="t"))
    after = chat(call("{}")) + chat(content="b") + chat(finish="tool_calls")
    exchange = chat_exchange()

    handed = exchange.feed(before + tool + after)

    assert handed == before
    assert exchange.end() == tool + after + b"data: [DONE]\n\n"


def test_events_after_a_tool_wait_too_and_keep_their_order() -> None:
    late = block(1, type="text", text="") + delta(1, type="text_delta", text="b")
    sent = message(TOOL, STOP, late, anthropic("content_block_stop", index=1))
    exchange = messages_exchange()

    handed = exchange.feed(sent)

    assert handed == sent[: sent.index(b"event: content_block_start")]
    assert handed + exchange.end() == sent


@pytest.mark.parametrize("way", WITH_TOOLS, ids=[way.name for way in WITH_TOOLS])
def test_read_byte_by_byte_it_is_the_same(way: Way) -> None:
    at_once, by_bytes = way.make(), way.make()
    handed = b"".join(by_bytes.feed(way.sent[at : at + 1]) for at in range(len(way.sent)))

    assert handed == at_once.feed(way.sent)
    assert by_bytes.end() == at_once.end()


def test_one_that_asked_for_usage_gets_it_after_the_tools() -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    exchange = chat_exchange(show_usage=True)
    exchange.feed(chat(call("{}", id="t")) + chat(finish="tool_calls") + usage)

    tool, finish, last = events_in(exchange.end())

    assert "tool_calls" in tool["choices"][0]["delta"]
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    assert last["usage"]["completion_tokens"] == 2


# --- arguments that are no JSON object


def chat_way(arguments: str, finish: str) -> tuple[Exchange, bytes]:
    return chat_exchange(), chat(call(arguments, id="t")) + chat(finish=finish)


def translated_way(arguments: str, finish: str) -> tuple[Exchange, bytes]:
    exchange = translated(ChatStreamReader, WRITERS[RESPONSES])
    return exchange, chat(call(arguments, id="t")) + chat(finish=finish)


def anthropic_way(arguments: str, finish: str) -> tuple[Exchange, bytes]:
    reason = {"length": "max_tokens", "tool_calls": "tool_use", "stop": "end_turn"}[finish]
    piece = delta(0, type="input_json_delta", partial_json=arguments)
    return messages_exchange(), message(TOOL, piece, STOP, reason=reason)


MakeWay = Callable[[str, str], tuple[Exchange, bytes]]
each_make = pytest.mark.parametrize(
    "make", [chat_way, anthropic_way, translated_way], ids=["chat", "messages", "translated"]
)


@each_make
@pytest.mark.parametrize(
    "arguments", ['{"a":', "[]", "1", "null", "[" * 100_000], ids=lambda a: a[:5]
)
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_inv3_a_tool_whose_arguments_are_broken_reaches_nobody(
    make: MakeWay, arguments: str, finish: str
) -> None:
    exchange, sent = make(arguments, finish)

    handed = exchange.feed(sent)

    assert b"arguments" not in handed
    assert b"tool_use" not in handed
    assert not exchange.shown
    with pytest.raises(DialectError, match="no JSON object"):
        exchange.end()


@each_make
def test_a_tool_that_a_limit_cut_off_is_passed_on_as_it_came(make: MakeWay) -> None:
    exchange, sent = make('{"a":', "length")

    assert rb"{\"a\":" in exchange.feed(sent) + exchange.end()


@each_make
def test_a_tool_without_arguments_is_whole(make: MakeWay) -> None:
    exchange, sent = make("", "tool_calls")

    assert exchange.feed(sent) + exchange.end()


def test_a_chat_caller_gets_an_object_where_anthropic_sends_no_arguments() -> None:
    exchange = translated(MessageStreamReader, WRITERS[CHAT])

    answer = CHAT.read(exchange.feed(message(TOOL, STOP)) + exchange.end())

    assert answer.tools == (("t", "f", {}),)


CHUNKS = {
    "older Ollama counts none": [call('{"a":1}', id="x"), call('{"b":2}', id="y")],
    "no index": [call('{"a":1}', None, id="x"), call('{"b":2}', None, id="y")],
    "an index that is none": [call('{"a":1}', id="x") | {"index": "0"}, call("{}", 0)],
    "an id that is repeated": [call('{"a":', id="x"), call("1}", id="x")],
    "an id without a name": [call('{"a":', id="x"), call("1}") | {"id": "y"}],
    "arguments that are an object": [call({"a": 1}, id="x")],
    "a custom tool": [{"index": 0, "id": "x", "type": "custom", "custom": {"input": "any"}}],
    "no call": ["x"],
}


@pytest.mark.parametrize("calls", CHUNKS.values(), ids=CHUNKS)
def test_whole_arguments_are_told_apart(calls: list[Any]) -> None:
    sent = b"".join(chat(each) for each in calls) + chat(finish="tool_calls")
    exchange = chat_exchange()

    assert exchange.feed(sent) + exchange.end() == sent + b"data: [DONE]\n\n"


def test_functions_as_they_were_called_of_old_are_held_back_too() -> None:
    pieces = [{"name": "f", "arguments": '{"a"'}, {"arguments": ":1}"}]
    sent = b"".join(chat(function_call=piece) for piece in pieces) + chat(finish="function_call")
    exchange = chat_exchange()

    assert exchange.feed(sent) == b""
    assert exchange.end() == sent + b"data: [DONE]\n\n"


def test_tool_calls_that_are_no_list_are_the_callers_business() -> None:
    sent = chat(tool_calls={"x": "y"}) + chat(finish="stop")

    assert chat_exchange().feed(sent) == sent


def test_choices_are_checked_apart() -> None:
    sent = (
        chat(call('{"a":', id="x"))
        + chat(call("{}", id="y"), index=1)
        + chat(finish="length")
        + chat(finish="tool_calls", index=1)
    )
    exchange = chat_exchange(choices=2)

    assert exchange.feed(sent) + exchange.end() == sent + b"data: [DONE]\n\n"


# --- where they are not to be held back


def test_a_model_without_the_buffer_passes_on_each_chunk_at_once() -> None:
    sent = chat(call('{"a":', id="t")) + chat(finish="tool_calls")
    exchange = chat_exchange(hold_tools=False)

    assert exchange.feed(sent) == sent
    assert (exchange.shown, exchange.interrupted()) == (True, None)
    assert exchange.end() == b"data: [DONE]\n\n"


def test_a_model_without_the_buffer_passes_on_each_event_at_once() -> None:
    piece = delta(0, type="input_json_delta", partial_json='{"a":')
    sent = message(TOOL, piece, STOP)
    exchange = messages_exchange(hold_tools=False)

    handed = exchange.feed(sent)

    assert (exchange.shown, exchange.interrupted()) == (True, None)
    assert handed + exchange.end() == sent
    assert piece in handed


def test_a_model_without_the_buffer_translates_each_piece_at_once() -> None:
    exchange = translated(ChatStreamReader, WRITERS[RESPONSES], hold_tools=False)

    handed = exchange.feed(chat(call('{"a":', id="t")))

    assert b"response.function_call_arguments.delta" in handed
    assert (exchange.shown, exchange.interrupted()) == (True, None)


# --- events

ONE, TWO = ToolUseStarted(0, "t0", "f"), ToolUseStarted(1, "t1", "g")
END = Finished(StopReason.TOOL_USE)


def released(*events: Event) -> list[Event]:
    held = HeldTools()
    assert held.take(list(events)) == []
    return held.release()


def test_what_comes_before_the_first_tool_goes_by() -> None:
    held = HeldTools()
    before: list[Event] = [Started("i", "m"), TextDelta("a")]

    passed = held.take(before) + held.take([TextDelta("b"), ONE, TextDelta("c")])

    assert passed == [*before, TextDelta("b")]
    assert held.take([END]) == []
    assert held.release() == [ONE, ToolArgumentsDelta(0, "{}"), TextDelta("c"), END]


def test_arguments_that_alternate_are_put_together() -> None:
    pieces = [ToolArgumentsDelta(at, text) for at, text in [(0, "{"), (1, "{}"), (0, "}")]]

    assert released(ONE, TWO, *pieces, END) == [
        ONE,
        ToolArgumentsDelta(0, "{}"),
        TWO,
        ToolArgumentsDelta(1, "{}"),
        END,
    ]


def test_the_signature_of_a_tool_waits_with_it() -> None:
    signature, thought = ThinkingDelta(signature="s"), ThinkingDelta("Hm.")
    held = HeldTools()

    assert held.take([thought, signature, ONE]) == [thought]
    assert held.release() == [signature, ONE, ToolArgumentsDelta(0, "{}")]


@pytest.mark.parametrize(
    "thought", [ThinkingDelta("Hm."), ThinkingDelta("Hm.", "s"), ThinkingDelta(redacted="r")]
)
def test_reasoning_does_not_wait_for_a_tool(thought: ThinkingDelta) -> None:
    assert HeldTools().take([thought, ONE]) == [thought]


def test_an_end_and_usage_stay_after_the_tools() -> None:
    usage = UsageReported(Usage(1, 2))

    assert released(ONE, usage, END)[2:] == [usage, END]


@pytest.mark.parametrize("reason", [StopReason.LENGTH, StopReason.FILTERED, StopReason.REFUSAL])
def test_what_was_cut_off_is_not_completed(reason: StopReason) -> None:
    end = Finished(reason)

    assert released(ONE, TWO, ToolArgumentsDelta(1, '{"a'), end) == [
        ONE,
        TWO,
        ToolArgumentsDelta(1, '{"a'),
        end,
    ]


def test_arguments_of_no_tool_are_an_error() -> None:
    with pytest.raises(DialectError, match="no open tool use"):
        released(ToolArgumentsDelta(3, "{}"), END)


def test_nothing_held_is_nothing_released() -> None:
    assert HeldTools().release() == []

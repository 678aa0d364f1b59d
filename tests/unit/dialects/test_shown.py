"""What another target can go on after, and what only the first one can stand for."""

import json
from typing import Any

import pytest

from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.openai_chat_chunks import parse_chunk
from forebay.dialects.shown import Shown
from forebay.model import Usage
from tests.support.exchanges import chat_exchange, chat_writer, messages_exchange
from tests.support.sdk_answers import CHAT, MESSAGES

# --- events

EVENTS: dict[str, tuple[Event, tuple[bool, bool]]] = {
    "a beginning": (Started("i", "m"), (False, True)),
    "usage": (UsageReported(Usage(1, 1)), (False, True)),
    "text": (TextDelta("a"), (True, True)),
    "no text": (TextDelta(""), (False, True)),
    "reasoning": (ThinkingDelta("a"), (True, True)),
    "no reasoning": (ThinkingDelta(), (False, True)),
    "an empty signature": (ThinkingDelta(signature=""), (False, True)),
    "a signature": (ThinkingDelta(signature="s"), (True, False)),
    "reasoning that nobody reads": (ThinkingDelta(redacted="r"), (True, False)),
    "reasoning of a second choice": (ThinkingDelta("a", choice=1), (True, False)),
    "text of a second choice": (TextDelta("a", 1), (True, False)),
    "a refusal": (RefusalDelta("a"), (True, False)),
    "a tool": (ToolUseStarted(0, "i", "n"), (True, False)),
    "an end": (Finished(StopReason.END), (False, False)),
}


@pytest.mark.parametrize(("event", "expected"), EVENTS.values(), ids=EVENTS)
def test_what_an_event_shows(event: Event, expected: tuple[bool, bool]) -> None:
    shown = Shown()

    shown.saw([event])

    assert (shown.anything, shown.goes_on) == expected


def test_what_it_would_go_on_from_is_all_the_text_so_far() -> None:
    shown, writer = Shown(), chat_writer()
    shown.saw([TextDelta("a"), ThinkingDelta("hm")])
    shown.saw([TextDelta("b")])

    interrupted = shown.interrupted(writer, Usage(1, 2))

    assert interrupted is not None
    assert (interrupted.text, interrupted.usage) == ("ab", Usage(1, 2))
    assert interrupted.writer is writer


# --- chunks of OpenAI's dialect


def chunk(delta: object, *, index: int = 0, **more: Any) -> dict[str, Any]:
    top = {name: more.pop(name) for name in ("citations",) if name in more}
    return {"id": "c", **top, "choices": [{"index": index, "delta": delta, **more}]}


CHUNKS: dict[str, tuple[Any, str | None]] = {
    "text": (chunk({"content": "a"}), "a"),
    "text like a URL": (chunk({"role": "assistant", "content": "data: a"}), "data: a"),
    "a role": (chunk({"role": "assistant", "content": ""}), ""),
    "members that say nothing": (
        chunk({"content": "a", "refusal": None, "tool_calls": [], "audio": None}),
        "a",
    ),
    "reasoning": (chunk({"reasoning_content": "hm"}), ""),
    "reasoning as newer servers call it": (chunk({"reasoning": "hm", "content": None}), ""),
    "logprobs that are none": (chunk({"content": "a"}, logprobs=None), "a"),
    "no delta": (chunk(None), ""),
    "no choices": ({"choices": []}, ""),
    "citations that are none": (chunk({"content": "a"}, citations=None), "a"),
    "content in parts": (chunk({"content": [{"type": "text", "text": "a"}]}), None),
    "a refusal": (chunk({"refusal": "no"}), None),
    "audio": (chunk({"audio": {"data": "…"}}), None),
    "annotations": (chunk({"content": "a", "annotations": [{"type": "url_citation"}]}), None),
    "reasoning with signatures": (chunk({"reasoning_details": [{"data": "x"}]}), None),
    "a tool": (chunk({"tool_calls": [{"index": 0}]}), None),
    "logprobs": (chunk({"content": "a"}, logprobs={"content": []}), None),
    "citations": (chunk({"content": "a"}, citations=["https://example.org"]), None),
    "an end": (chunk({"content": "a"}, finish_reason="stop"), None),
    "a second choice": (chunk({"content": "a"}, index=1), None),
    "two choices": ({"choices": [{"delta": {}}, {"index": 1, "delta": {}}]}, None),
}


@pytest.mark.parametrize(("data", "words"), CHUNKS.values(), ids=CHUNKS)
def test_what_a_chunk_shows(data: object, words: str | None) -> None:
    assert parse_chunk(json.dumps(data).encode()).words == words


def test_a_chunk_may_have_content_of_any_kind() -> None:
    assert parse_chunk(b'{"choices":[{"delta":{"content":null}}]}').words == ""


def sent(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)


def test_the_first_chunk_s_id_stays_also_where_it_is_none() -> None:
    exchange = chat_exchange()
    handed = exchange.feed(
        sent({"choices": [{"index": 0, "delta": {"content": "a"}}], "created": 1.5})
    )

    interrupted = exchange.interrupted()

    assert interrupted is not None
    written = interrupted.writer.write([TextDelta("b")])
    assert b'"created":1.5,' in written
    assert b'"id"' not in written
    assert CHAT.text_in(handed + written) == "ab"


def test_two_choices_are_not_gone_on_with() -> None:
    exchange = chat_exchange(choices=2)
    exchange.feed(sent(chunk({"content": "a"})))

    assert (exchange.shown, exchange.interrupted()) == (True, None)


# --- Anthropic's events

MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "c",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
START = {"type": "message_start", "message": MESSAGE}


def start(index: int, kind: str, **content: Any) -> dict[str, Any]:
    block = {"type": kind, **content}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **content}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


TEXT = [start(0, "text", text="a"), delta(0, "text_delta", text="b")]
SERVER_TOOL = start(1, "server_tool_use", id="s", name="web_search", input={})

SIGNED_BY_NOBODY = delta(0, "signature_delta", signature="")
USAGE = {
    "type": "message_delta",
    "delta": {"stop_reason": None, "stop_sequence": None},
    "usage": {"output_tokens": 3},
}

MESSAGES_SHOWN: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "nothing": ([], None),
    "an open block of text": (TEXT, "ab"),
    "a ping": ([{"type": "ping"}, *TEXT, {"type": "ping"}], "ab"),
    "a block that has ended": ([*TEXT, stop(0)], "ab"),
    "two blocks of text": ([*TEXT, stop(0), start(1, "text", text="c")], "abc"),
    "reasoning": (
        [
            start(0, "thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="hm"),
        ],
        "",
    ),
    "reasoning with an empty signature": (
        [start(0, "thinking", thinking="hm", signature=""), SIGNED_BY_NOBODY],
        "",
    ),
    "no citations": ([start(0, "text", text="a", citations=[])], "a"),
    "usage amid the answer": (
        [*TEXT, USAGE],
        "ab",
    ),
    "a signature": (
        [start(0, "thinking", thinking="hm"), delta(0, "signature_delta", signature="s")],
        None,
    ),
    "redacted reasoning": ([start(0, "redacted_thinking", data="x")], None),
    "citations at once": ([start(0, "text", text="a", citations=[{"type": "x"}])], None),
    "a citation": ([*TEXT, delta(0, "citations_delta", citation={})], None),
    "a server's tool": ([*TEXT, stop(0), SERVER_TOOL], None),
    "an event of a type to come": ([*TEXT, {"type": "tomorrow"}], None),
    "two open blocks": ([*TEXT, start(1, "text", text="")], None),
    "blocks that are not counted": ([start(3, "text", text="a")], None),
    "an end": ([*TEXT, stop(0), {"type": "message_delta", "delta": {"stop_reason": "x"}}], None),
}


def events(*fields: dict[str, Any]) -> bytes:
    return b"".join(
        f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in fields
    )


@pytest.mark.parametrize(("shown", "text"), MESSAGES_SHOWN.values(), ids=MESSAGES_SHOWN)
def test_what_anthropics_events_show(shown: list[dict[str, Any]], text: str | None) -> None:
    exchange = messages_exchange()
    exchange.feed(events(START, *shown))

    interrupted = exchange.interrupted()

    assert (interrupted and interrupted.text) == text


GONE_ON = [name for name, (_, text) in MESSAGES_SHOWN.items() if text is not None]


@pytest.mark.parametrize("name", GONE_ON)
def test_a_message_goes_on_in_the_block_that_is_open(name: str) -> None:
    shown, text = MESSAGES_SHOWN[name]
    exchange = messages_exchange()
    handed = exchange.feed(events(START, *shown))
    interrupted = exchange.interrupted()
    assert interrupted is not None

    rest = interrupted.writer.write([TextDelta("!"), Finished(StopReason.END)])
    answer = MESSAGES.read(handed + rest + interrupted.writer.end(None))

    assert answer.text == f"{text}!"


def test_each_writer_that_goes_on_stands_where_the_caller_does() -> None:
    exchange = messages_exchange()
    exchange.feed(events(START, *TEXT))
    first, second = exchange.interrupted(), exchange.interrupted()
    assert first is not None
    assert second is not None

    ending: list[Event] = [TextDelta("!"), Finished(StopReason.END)]

    assert first.writer.write(ending) == second.writer.write(ending)

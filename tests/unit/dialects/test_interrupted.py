"""What another target would go on from is what the caller has, and a writer goes on there.

Every stream of `tests/data/streams` on every way to a caller, cut at every byte.
"""

from collections.abc import Iterator

import pytest

from forebay.dialects.anthropic_messages_reader import MessageStreamReader
from forebay.dialects.canonical import Event, Finished, StopReason, TextDelta, UsageReported
from forebay.dialects.exchange import Exchange, WholeExchange
from forebay.dialects.openai_chat_writer import ChatWholeWriter, Identity
from forebay.model import Usage
from tests.support.exchanges import REQUEST, WAYS, Way, translated
from tests.support.sdk_answers import CHAT, MESSAGES, RESPONSES, events_in

each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)

REST = " and\u2028so on."
ENDING: list[Event] = [TextDelta(REST), Finished(StopReason.END), UsageReported(Usage(9, 4))]


def steps(way: Way) -> Iterator[tuple[Exchange, bytes]]:
    """Feed byte after byte; give the exchange and all that it has handed out."""
    exchange, handed = way.make(), b""
    for at in range(len(way.sent)):
        handed += exchange.feed(way.sent[at : at + 1])
        yield exchange, handed


def cuts(way: Way) -> list[int]:
    """Where to cut so that what was handed out differs each time."""
    lengths = [len(handed) for _, handed in steps(way)]
    return [at for at in range(1, len(lengths)) if lengths[at] != lengths[at - 1]]


@each_way
def test_inv4_what_it_would_go_on_from_is_the_text_that_the_caller_has(way: Way) -> None:
    last = b""
    for exchange, handed in steps(way):
        interrupted = exchange.interrupted()
        if interrupted is not None and handed != last:
            assert interrupted.text == way.caller.text_in(handed)
            last = handed


@each_way
def test_inv4_as_long_as_nothing_is_shown_the_caller_has_no_text(way: Way) -> None:
    preface = b""
    for exchange, handed in steps(way):
        preface = preface if exchange.shown else handed
        assert exchange.shown or exchange.interrupted() is None

    assert not way.caller.text_in(preface)


def continuations(way: Way) -> Iterator[tuple[str, bytes, bytes]]:
    """Cut where it can be gone on with; give the text, what was handed out, and the rest."""
    for at in cuts(way):
        exchange = way.make()
        handed = exchange.feed(way.sent[: at + 1])
        interrupted = exchange.interrupted()
        if interrupted is not None:
            writer = interrupted.writer
            rest = b"".join(writer.write([event]) for event in ENDING)
            yield interrupted.text, handed, rest + writer.end({"cost_usd": "1"})


@each_way
def test_inv4_gone_on_with_it_is_one_whole_answer(way: Way) -> None:
    for text, handed, rest in continuations(way):
        answer = way.caller.read(handed + rest)

        assert answer.text == text + REST
        assert answer.finish == way.caller.finish
        assert answer.id == answer_id(handed)
        CHECKS[way.caller.name](handed, rest)


def answer_id(handed: bytes) -> object:
    """Return the id that the caller was given first."""
    first = next(event for event in events_in(handed) if event.get("choices") != [])
    return first.get("response", first.get("message", first))["id"]


# --- what the official SDKs do not look at


def check_chat(handed: bytes, rest: bytes) -> None:
    before, after = events_in(handed), events_in(rest)
    heads = {
        (event["id"], event["created"], event["model"])
        for event in before + after
        if event["choices"]
    }
    assert len(heads) == 1
    assert b'"role"' not in rest
    assert rest.count(b"data: [DONE]") == 1


def check_messages(handed: bytes, rest: bytes) -> None:
    events = events_in(handed + rest)
    assert [event["type"] for event in events].count("message_start") == 1
    assert events[-1]["type"] == "message_stop"
    open_block, started = None, 0
    for event in events:
        match event:
            case {"type": "content_block_start", "index": index}:
                assert (open_block, index) == (None, started)
                open_block, started = index, started + 1
            case {"type": "content_block_delta", "index": index}:
                assert index == open_block
            case {"type": "content_block_stop", "index": index}:
                assert index == open_block
                open_block = None
            case _:
                pass
    assert open_block is None


def check_responses(handed: bytes, rest: bytes) -> None:
    events = events_in(handed + rest)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events].count("response.created") == 1
    added = [e["output_index"] for e in events if e["type"] == "response.output_item.added"]
    assert added == list(range(len(added)))


CHECKS = {CHAT.name: check_chat, MESSAGES.name: check_messages, RESPONSES.name: check_responses}

# --- how far each can be gone on with

FURTHEST = {
    "openai_plain": 'Grüße, "world"\u2028 \U0001f600\n',
    "openai_usage": "Hello there",
    "openai_tools": None,
    "openai_refusal": None,
    "azure_plain": "Ok",
    "usage_with_choices": "Bonjour",
    "vllm_plain": "42",
    "vllm_continuous_usage": "42",
    "ollama_plain": "Hi!",
    "crlf_and_comments": "Sure",
    "anthropic_text": 'Grüße, "world"\u2028\U0001f600',
    "anthropic_tools": "Okay.",
    "anthropic_refusal": "Hello..",
    "gemini_plain": 'Grüße, "world"\u2028 \U0001f600\n',
    "gemini_thinking": "There are three.",
    "gemini_tools": "Let me look. ",
    "gemini_tool_ids": None,
    "gemini_max_tokens": "Once upon a",
    "gemini_filtered": "The words are",
    "gemini_blocked_prompt": None,
    "bedrock_text": "Héllo\n\u2028",
}
APART = {
    "openai_two_choices as it came without usage": None,
    # Signatures: before them, what was thought is no text; a chat caller never sees them.
    "anthropic_thinking as it came": "",
    "anthropic_thinking to chat": "27 * 453 = 12231",
    "anthropic_thinking to messages": "",
    "anthropic_thinking to responses": "",
    "bedrock_tools to chat": "Looking.",
    "bedrock_tools to messages": "",
    "bedrock_tools to responses": "",
    # What is of a type to come is passed on to Anthropic's callers and not understood.
    "anthropic_new_types as it came": None,
    "anthropic_new_types to chat": "Fine",
}
KNOWN = [
    (way, APART.get(way.name, FURTHEST.get(way.name.split()[0])))
    for way in WAYS
    if way.name in APART or way.name.split()[0] in FURTHEST
]


@pytest.mark.parametrize(("way", "furthest"), KNOWN, ids=[way.name for way, _ in KNOWN])
def test_a_stream_can_be_gone_on_with_up_to_its_end(way: Way, furthest: str | None) -> None:
    texts = [
        interrupted.text
        for exchange, _ in steps(way)
        if (interrupted := exchange.interrupted()) is not None
    ]

    assert (texts[-1] if texts else None) == furthest


ENDED = [way for way in WAYS if way.name.endswith("as it came") and "tools" not in way.name]


@pytest.mark.parametrize("way", ENDED, ids=[way.name for way in ENDED])
def test_an_answer_whose_end_was_shown_is_not_gone_on_with(way: Way) -> None:
    exchange = way.make()
    handed = exchange.feed(way.sent)

    assert exchange.ended
    assert b"message_delta" in handed
    assert exchange.interrupted() is None


def test_usage_that_was_reported_before_is_told() -> None:
    way = next(way for way in WAYS if way.name == "vllm_continuous_usage as it came with usage")
    exchange = way.make()

    exchange.feed(way.sent[: way.sent.index(b"data: ", way.sent.index(b'"42"'))])

    interrupted = exchange.interrupted()
    assert interrupted is not None
    assert interrupted.usage == Usage(12, 2)


def test_a_writer_of_one_piece_shows_nothing_before_its_end() -> None:
    identity = Identity("chatcmpl-1", "m", 1_800_000_000)
    exchange = translated(MessageStreamReader, lambda: ChatWholeWriter(identity))
    way = next(way for way in WAYS if way.name == "anthropic_text as it came")

    assert exchange.feed(way.sent) == b""
    assert (exchange.shown, exchange.interrupted()) == (False, None)


def test_an_answer_in_one_piece_shows_nothing_before_its_end() -> None:
    exchange = WholeExchange(REQUEST, lambda _: (["a"], None))
    exchange.feed(b"a")

    assert (exchange.shown, exchange.interrupted()) == (False, None)

"""OpenAI's answers to an OpenAI caller: what becomes known of them on the way."""

import pytest

from forebay.dialects import DialectError
from forebay.dialects.exchange import WholeExchange
from forebay.dialects.openai_chat_exchange import read_completion
from forebay.dialects.openai_chat_reader import ChatStreamReader
from forebay.model import Usage
from tests.support.exchanges import REQUEST, WRITERS, chat_exchange, translated
from tests.support.sdk_answers import MESSAGES, events_in
from tests.support.streams import STREAMS, Stream

each_stream = pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)


@each_stream
def test_the_ledger_learns_text_and_usage_on_the_way(case: Stream) -> None:
    exchange = chat_exchange(choices=case.choices)
    text = exchange.text

    exchange.feed(case.sent)

    assert exchange.ended
    assert "".join(text) == case.text
    assert exchange.usage == case.usage


def test_the_usage_chunk_gets_the_gateways_note() -> None:
    (case,) = (case for case in STREAMS if case.name == "openai_usage")
    exchange = chat_exchange(show_usage=True)
    exchange.feed(case.sent)

    (last,) = events_in(exchange.end())

    assert last["usage"]["forebay"] == {"cost_usd": "5"}


def test_inv3_a_stream_that_is_cut_has_no_end() -> None:
    exchange = chat_exchange()
    exchange.feed(STREAMS[0].sent[:1000])

    with pytest.raises(DialectError, match="ended before"):
        exchange.end()


def test_a_translated_answer_is_over_when_the_targets_is() -> None:
    exchange = translated(ChatStreamReader, WRITERS[MESSAGES])
    before = exchange.ended
    exchange.feed(STREAMS[0].sent)

    assert (before, exchange.ended) == (False, True)


def test_an_answer_in_one_piece_is_as_it_came() -> None:
    sent = b'{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1}}'
    exchange = WholeExchange(REQUEST, read_completion)
    exchange.feed(sent)

    assert exchange.end() == sent
    assert (exchange.text, exchange.usage) == (["a"], Usage(1, 0))

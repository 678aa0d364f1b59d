"""An answer in one piece is read to a limit, whoever sends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forebay.dialects import DialectError
from forebay.dialects.anthropic_messages_reader import MessageReader
from forebay.dialects.bedrock_converse_reader import ConverseReader
from forebay.dialects.canonical import AnswerReader
from forebay.dialects.exchange import MAX_REPLY_BYTES
from forebay.dialects.gemini_generate_reader import WholeReader
from forebay.dialects.openai_chat_reader import ChatWholeReader

READERS: dict[str, Callable[[], AnswerReader]] = {
    "anthropic": MessageReader,
    "bedrock": lambda: ConverseReader("id", "model"),
    "gemini": WholeReader,
    "openai": ChatWholeReader,
}


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_an_answer_that_does_not_end_is_not_read_on(make: Callable[[], AnswerReader]) -> None:
    reader = make()
    ended = []
    for part in (b" " * MAX_REPLY_BYTES, b" "):
        reader.feed(part)
        ended.append(reader.ended)

    assert ended == [False, True]
    with pytest.raises(DialectError, match="too many bytes"):
        reader.end()

"""Setting the limit of an answer's tokens."""

import json
from typing import Any

import pytest

from forebay.dialects import anthropic_messages_request, completions, openai_chat
from forebay.dialects.demand import demand_of
from forebay.dialects.openai_body import encode_request
from forebay.dialects.output_limit import LimitField, limited, with_output_limit
from forebay.dialects.question import (
    chat_question,
    completions_question,
    messages_question,
    responses_question,
)

HI = [{"role": "user", "content": "hi"}]
NEW, OLD = "max_completion_tokens", "max_tokens"


def body(**fields: Any) -> bytes:
    written = json.dumps({"model": "m", "messages": HI, **fields})
    return written[:-1].encode() + b', "odd": 1.50}'


@pytest.mark.parametrize(
    ("stated", "field", "sent"),
    [
        ({}, NEW, {NEW: 9}),
        ({}, OLD, {OLD: 9}),
        ({OLD: 5}, NEW, {OLD: 9}),
        ({NEW: 5}, NEW, {NEW: 9}),
        ({NEW: 5}, OLD, {OLD: 9}),
        ({OLD: None}, NEW, {OLD: 9}),
        ({OLD: -1}, OLD, {OLD: 9}),
        ({OLD: 5, NEW: 6}, NEW, {NEW: 9}),
        ({OLD: 5, NEW: 6}, OLD, {OLD: 9}),
    ],
)
def test_a_chat_request_has_one_limit_in_a_field_that_its_target_knows(
    stated: dict[str, Any], field: LimitField, sent: dict[str, int]
) -> None:
    request = openai_chat.parse_request(body(**stated))

    written = encode_request(with_output_limit(request, 9, field=field), model="m")

    assert json.loads(written) == {"model": "m", "messages": HI, "odd": 1.5, **sent}
    assert b"1.50" in written


def test_a_request_is_left_as_it_was() -> None:
    request = openai_chat.parse_request(body(max_tokens=5))

    with_output_limit(request, 9)

    assert bytes(request.fields["max_tokens"]) == b"5"


def test_messages_and_completions_say_max_tokens() -> None:
    messages = anthropic_messages_request.parse_request(body(max_tokens=5), {})
    completion = completions.parse_request(b'{"model":"m","prompt":"a"}')

    sent = anthropic_messages_request.encode_request(with_output_limit(messages, 9), model="m")

    assert json.loads(sent.body)["max_tokens"] == 9
    assert bytes(with_output_limit(completion, 9).fields["max_tokens"]) == b"9"


@pytest.mark.parametrize(
    "asked",
    [
        chat_question(body()),
        messages_question(body(max_tokens=5), {}),
        responses_question(b'{"model":"m","input":"hi"}'),
        responses_question(b'{"model":"m","input":"hi","max_output_tokens":5}'),
    ],
    ids=["chat", "messages", "responses", "responses with a limit"],
)
def test_a_limited_question_has_its_limit_also_where_it_is_translated(asked: Any) -> None:
    question = limited(asked, 9)

    assert question.conversation().max_output_tokens == 9
    assert demand_of(question).output_limit == 9


def test_a_limited_completion_has_its_limit() -> None:
    question = limited(completions_question(b'{"model":"m","prompt":"a"}'), 9)

    assert demand_of(question).output_limit == 9

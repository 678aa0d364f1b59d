"""The official OpenAI SDK through the whole local path."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a forebay?"}]
BEGINNING = "Water waits behind the gate"


def test_a_stream_arrives_whole_and_in_order(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="good", messages=MESSAGES, stream=True)

    chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith(BEGINNING)
    assert len(text.split()) == 20
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_usage_is_in_the_last_chunk_of_a_stream_that_asked_for_it(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="good", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )

    *_, last = stream

    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 20
    assert last.usage.model_extra is not None
    assert last.usage.model_extra["forebay"].keys() == {"cost_usd"}


def test_an_answer_in_one_piece_has_text_and_usage(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="good", messages=MESSAGES)

    assert (answer.choices[0].message.content or "").startswith(BEGINNING)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 20


def test_an_answer_says_where_it_came_from_and_what_it_cost(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="good", messages=MESSAGES)

    assert raw.headers["x-forebay-target"] == "good/script"
    assert raw.headers["x-forebay-attempts"] == "1"
    assert float(raw.headers["x-forebay-cost-usd"]) > 0
    assert len(raw.headers["x-forebay-request-id"]) == 26


def test_models_are_listed_and_found(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}

    assert {"good", "org/good", "scripted"} <= names
    assert client.models.retrieve("org/good").id == "org/good"


def test_a_stream_that_is_cut_raises_after_what_came(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="cut", messages=MESSAGES, stream=True)

    words: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        words.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    assert "".join(words).startswith(BEGINNING)
    assert raised.value.code == "upstream_cut"


def test_a_wrong_key_is_an_authentication_error(stack: DevStack) -> None:
    with (
        OpenAI(base_url=stack.base_url, api_key="fb-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        stranger.chat.completions.create(model="good", messages=MESSAGES)

    assert raised.value.code == "invalid_api_key"
    assert raised.value.request_id


def test_an_unknown_model_is_not_found_and_the_error_names_the_others(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nonsense", messages=MESSAGES)

    assert raised.value.code == "model_not_found"
    assert "org/good" in raised.value.message


def test_a_bad_request_names_the_parameter(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="good", messages=[])

    assert raised.value.param == "messages"


def test_a_providers_rate_limit_reaches_the_caller_with_its_retry_after(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="limited", messages=MESSAGES, stream=True)

    assert raised.value.response.headers["retry-after"] == "1"


def test_a_provider_that_fails_is_an_error_before_any_stream_begins(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="broken", messages=MESSAGES, stream=True)

    assert raised.value.status_code == 502

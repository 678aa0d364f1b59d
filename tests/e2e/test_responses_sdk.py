"""OpenAI's SDK with the Responses API through the whole local path, to a target of chat."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

pytestmark = pytest.mark.e2e

QUESTION = "What is a forebay?"
BEGINNING = "Water waits behind the gate"


def test_a_stream_is_accumulated_by_the_sdk(client: OpenAI) -> None:
    with client.responses.stream(model="good", input=QUESTION) as stream:
        text = "".join(
            event.delta for event in stream if event.type == "response.output_text.delta"
        )
        response = stream.get_final_response()

    assert text.startswith(BEGINNING)
    assert response.output_text == text
    assert response.usage is not None
    assert response.usage.output_tokens == 20


def test_a_streams_events_come_in_order(client: OpenAI) -> None:
    events = list(client.responses.create(model="good", input=QUESTION, stream=True))

    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_an_answer_in_one_piece_says_what_it_cost(client: OpenAI) -> None:
    response = client.responses.create(model="good", input=QUESTION, instructions="Be brief.")

    assert response.output_text.startswith(BEGINNING)
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.output_tokens == 20
    assert response.usage.model_extra is not None
    assert response.usage.model_extra["forebay"].keys() == {"cost_usd"}


def test_a_limit_ends_the_answer_with_its_reason(client: OpenAI) -> None:
    response = client.responses.create(model="good", input=QUESTION, max_output_tokens=3)

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_stream_that_is_cut_raises_after_what_came(client: OpenAI) -> None:
    stream = client.responses.create(model="cut", input=QUESTION, stream=True)

    kinds: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        kinds.extend(event.type for event in stream)

    assert "response.output_text.delta" in kinds
    assert "response.completed" not in kinds
    assert raised.value.code == "upstream_cut"


def test_what_would_have_to_be_stored_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="good", input="And then?", previous_response_id="resp_1")

    assert raised.value.param == "previous_response_id"

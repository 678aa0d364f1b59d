"""The official Anthropic SDK through the whole local path, to a target that speaks OpenAI's."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

MESSAGES: list[MessageParam] = [{"role": "user", "content": "What is a forebay?"}]
BEGINNING = "Water waits behind the gate"


@pytest.fixture
def client(stack: DevStack) -> Iterator[Anthropic]:
    """The SDK as anybody would set it up: its base URL is the host."""
    with Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as made:
        yield made


def test_a_stream_is_accumulated_by_the_sdk(client: Anthropic) -> None:
    with client.messages.stream(model="good", max_tokens=100, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()

    assert text.startswith(BEGINNING)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 20


def test_an_answer_in_one_piece(client: Anthropic) -> None:
    message = client.messages.create(model="good", max_tokens=100, messages=MESSAGES)

    assert [block.type for block in message.content] == ["text"]
    assert message.usage.output_tokens == 20


def test_a_limit_ends_the_answer_with_its_reason(client: Anthropic) -> None:
    message = client.messages.create(model="good", max_tokens=3, messages=MESSAGES)

    assert message.stop_reason == "max_tokens"


def test_a_stream_that_is_cut_raises(client: Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIError),
        client.messages.stream(model="cut", max_tokens=100, messages=MESSAGES) as stream,
    ):
        stream.until_done()


def test_tokens_are_counted_before_anything_is_asked(client: Anthropic) -> None:
    short = client.messages.count_tokens(model="good", messages=MESSAGES)
    long = client.messages.count_tokens(model="good", messages=MESSAGES, system="Be terse. " * 50)

    assert 6 < short.input_tokens < 30
    assert long.input_tokens > short.input_tokens + 100


def test_errors_have_anthropics_shape(stack: DevStack, client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="nonsense", max_tokens=1, messages=MESSAGES)
    with (
        Anthropic(base_url=stack.url, api_key="fb-wrong", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model="good", max_tokens=1, messages=MESSAGES)

    assert isinstance(unknown.value.body, dict)
    assert unknown.value.body["error"]["type"] == "not_found_error"

"""OpenAI's own SDK asks for embeddings and legacy completions; its models validate the replies."""

import asyncio
from collections.abc import Awaitable, Callable
from math import isclose
from typing import Any, TypeVar

import openai
import pytest
from openai.types import Completion, CreateEmbeddingResponse

from forebay.adapters.providers.scripted_surfaces import embed
from tests.support.gateway import GUARD_S, World
from tests.support.surfaces import SurfaceProvider, sdk, surfaces

T = TypeVar("T")


def asked(ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> tuple[T, SurfaceProvider]:
    async def main() -> tuple[T, SurfaceProvider]:
        world, provider = World(), SurfaceProvider()
        app = surfaces(world, world.gateway(provider))
        async with asyncio.timeout(GUARD_S), sdk(app, world.secret()) as client:
            return await ask(client), provider

    return asyncio.run(main())


def valid(answer: Any, model: type[Any]) -> None:
    """Validate what was received as the SDK's models define it, with nothing coerced."""
    model.model_validate(answer.model_dump(exclude_unset=True), strict=True)


def test_the_sdk_s_default_is_base64_and_it_decodes() -> None:
    answer, provider = asked(lambda client: client.embeddings.create(model="m", input="hi there"))

    valid(answer, CreateEmbeddingResponse)
    assert b'"encoding_format":"base64"' in provider.requests[0].body
    (item,) = answer.data
    pairs = zip(item.embedding, embed("hi there", 64), strict=True)
    assert all(isclose(a, b, rel_tol=1e-6) for a, b in pairs)


@pytest.mark.parametrize(
    ("given", "vectors"), [("a", 1), (["a", "b", "a"], 3), ([1, 2], 1), ([[1], [2, 3]], 2)]
)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_any_input_in_any_encoding_is_answered_in_order(
    given: Any, vectors: int, encoding: Any
) -> None:
    answer, _ = asked(
        lambda client: client.embeddings.create(
            model="m", input=given, encoding_format=encoding, dimensions=8, user="u"
        )
    )

    assert [item.index for item in answer.data] == list(range(vectors))
    assert (answer.object, answer.model) == ("list", "script-1")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_an_answer_in_floats_is_valid() -> None:
    answer, _ = asked(
        lambda client: client.embeddings.create(
            model="m", input=["a", "b"], encoding_format="float", extra_body={"new": 1}
        )
    )

    valid(answer, CreateEmbeddingResponse)


def test_a_refusal_is_the_sdk_s_own() -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        asked(lambda client: client.embeddings.create(model="m", input=""))

    assert caught.value.param == "input"


def test_a_completion_is_valid() -> None:
    answer, _ = asked(lambda client: client.completions.create(model="m", prompt=["a", "b"], n=2))

    valid(answer, Completion)
    assert [choice.text for choice in answer.choices] == ["Water waits behind"] * 4


@pytest.mark.parametrize("show_usage", [True, False])
def test_a_completion_streams(*, show_usage: bool) -> None:
    async def ask(client: openai.AsyncOpenAI) -> list[Completion]:
        chunks = await client.completions.create(
            model="m", prompt="a", stream=True, stream_options={"include_usage": show_usage}
        )
        return [chunk async for chunk in chunks]

    chunks, _ = asked(ask)
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    used = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    assert (text, used) == ("Water waits behind", [3] if show_usage else [])

"""What was asked is what is in the ledger, however it ended."""

from __future__ import annotations

import asyncio
import json
from itertools import cycle, islice

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
REQUESTS = 200
AT_ONCE = 20


async def finish(client: AsyncOpenAI) -> None:
    async for _ in await client.chat.completions.create(
        model="good", messages=MESSAGES, stream=True
    ):
        pass


async def finish_whole(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(model="good", messages=MESSAGES)


async def be_cut(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.APIError):
        async for _ in await client.chat.completions.create(
            model="cut", messages=MESSAGES, stream=True
        ):
            pass


async def abandon(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="good", messages=MESSAGES, stream=True)
    await anext(aiter(stream))
    await stream.close()


async def mixed(stack: DevStack, key: str) -> None:
    limit = asyncio.Semaphore(AT_ONCE)
    # Sandboxes of the plain mode run out, as on Lambda: the SDK's retries wait for one.
    async with AsyncOpenAI(base_url=stack.base_url, api_key=key, max_retries=20) as client:

        async def one(kind: object) -> None:
            async with limit:
                await kind(client)  # type: ignore[operator]

        kinds = cycle((finish, finish_whole, be_cut, abandon))
        await asyncio.gather(*(one(kind) for kind in islice(kinds, REQUESTS)))


def usage(stack: DevStack, *words: str) -> dict[str, object]:
    done = stack.forebay("usage", "--json", *words)
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def create_key(stack: DevStack, name: str) -> str:
    made = json.loads(stack.forebay("keys", "create", "--name", name, "--json").stdout)
    return str(made["secret"])


def test_inv2_two_hundred_mixed_requests_leave_two_hundred_rows(stack: DevStack) -> None:
    key = create_key(stack, "mixed")

    asyncio.run(mixed(stack, key))

    # An abandoned answer runs to its end; its row comes when it is there.
    total: object = None
    for _ in range(50):
        total = usage(stack, "--key", "mixed")["total"]
        if total["requests"] >= REQUESTS:  # type: ignore[index]
            break
    assert total["requests"] == REQUESTS  # type: ignore[index]


def test_a_request_costs_its_tokens_at_the_models_price(stack: DevStack) -> None:
    key = create_key(stack, "priced")
    with OpenAI(base_url=stack.base_url, api_key=key) as client:
        answer = client.chat.completions.create(model="good", messages=MESSAGES)

    rows: object = None
    for _ in range(50):
        rows = usage(stack, "--key", "priced", "--by", "model")["rows"]
        if rows:
            break

    assert answer.usage is not None
    prompt, completion = answer.usage.prompt_tokens, answer.usage.completion_tokens
    assert rows == [
        {
            "model": "good",
            "requests": 1,
            "input_tokens": prompt,
            "cached_input_tokens": 0,
            "output_tokens": completion,
            "cost_nano_usd": prompt * 1_000 + completion * 2_000,
        }
    ]


def test_a_revoked_key_is_refused(stack: DevStack) -> None:
    key = create_key(stack, "short-lived")
    with OpenAI(base_url=stack.base_url, api_key=key, max_retries=0) as client:
        client.models.list()
        assert stack.forebay("keys", "revoke", "short-lived").returncode == 0

        refused = False
        for _ in range(2_000):
            try:
                client.models.list()
            except openai.AuthenticationError:
                refused = True
                break
    assert refused

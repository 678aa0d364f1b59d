"""The provider dies while many streams run: each caller gets the whole answer all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.support.dev_stack import DevStack, dev_stack
from tests.support.storyteller import Storyteller, story, storyteller

pytestmark = pytest.mark.e2e

CONFIG = """
[providers.second]
kind = "vllm"
base_url = "{second}"

[models.second]
targets = [{{ provider = "second", model = "story", price = "free" }}]

[models.second-echo]
targets = [{{ provider = "second", model = "echo", price = "free", continuation = "echo" }}]
"""
PRIMARY = """
[providers.{name}]
kind = "vllm"
base_url = "{base_url}"

[models.{name}]
targets = [{{ provider = "{name}", model = "story", price = "free" }}]
fallbacks = ["{fallback}"]
"""
FALLBACKS = {"prefill": "second", "echo": "second-echo", "messages": "second"}
"""By the model that a test asks for; each has a primary of its own, to be killed."""

SLOWLY = {"gap_ms": 100, "words_at_once": 1}
"""40 s for a story: nobody has heard the end when the last caller hears the beginning."""
QUICKLY = {"gap_ms": 1, "words_at_once": 10}

# In the plain mode each stream has a process of its own; a hundred of them would take minutes to
# start on a small machine.
STREAMS = {"many": 100, "plain": 12}
FEW_STREAMS = 8
OPTIONS = {"many": (), "plain": ("--sandboxes", str(STREAMS["plain"]))}
WORDS_HEARD = 5
"""By each caller, before the primary is killed."""


@dataclass(frozen=True)
class Theatre:
    """A stack with a primary for each test, and a second provider that stays."""

    mode: str
    stack: DevStack
    primaries: dict[str, Storyteller]


@pytest.fixture(scope="module", params=list(STREAMS))
def theatre(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Theatre]:
    with ExitStack() as running:
        second = running.enter_context(storyteller(**QUICKLY))
        primaries = {name: running.enter_context(storyteller(**SLOWLY)) for name in FALLBACKS}
        config = CONFIG.format(second=second.base_url) + "".join(
            PRIMARY.format(name=name, base_url=primary.base_url, fallback=FALLBACKS[name])
            for name, primary in primaries.items()
        )
        folder = tmp_path_factory.mktemp(f"failover-{request.param}")
        options = ("--no-model", *OPTIONS[request.param])
        stack = running.enter_context(dev_stack(folder, *options, config=config))
        yield Theatre(request.param, stack, primaries)


@dataclass
class Heard:
    """What one caller got."""

    about: str
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """Some words are there, or it is over."""
    text: str = ""
    beginnings: set[str] = field(default_factory=set)
    """Ids that the answer bore."""
    ends: list[str] = field(default_factory=list)
    """Why it ended, each time that it was said to."""
    output_tokens: list[int] = field(default_factory=list)
    """As reported, each time."""

    def hear(self, text: str) -> None:
        self.text += text
        if self.text.count(" ") >= WORDS_HEARD:
            self.began.set()


Listen = Callable[[Heard], Awaitable[None]]


async def primary_dies(primary: Storyteller, listen: Listen, streams: int) -> list[Heard]:
    """Let all listen, kill the primary when all are in mid-answer, and wait for their ends."""
    audience = [Heard(f"Fähre{number}") for number in range(streams)]

    async def one(heard: Heard) -> None:
        try:
            await listen(heard)
        finally:
            heard.began.set()

    listening = [asyncio.create_task(one(heard)) for heard in audience]
    for heard in audience:
        await heard.began.wait()
    over = [task for task in listening if task.done()]
    primary.kill()
    await asyncio.gather(*listening)
    assert over == [], "the primary died too late"
    return audience


def chat(client: AsyncOpenAI, model: str) -> Listen:
    async def listen(heard: Heard) -> None:
        stream = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": heard.about}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            heard.beginnings.add(chunk.id)
            if chunk.usage is not None:
                heard.output_tokens.append(chunk.usage.completion_tokens)
            for choice in chunk.choices:
                heard.hear(choice.delta.content or "")
                heard.ends += [choice.finish_reason] if choice.finish_reason else []

    return listen


def messages(client: AsyncAnthropic, model: str) -> Listen:
    async def listen(heard: Heard) -> None:
        async with client.messages.stream(
            model=model, max_tokens=8_000, messages=[{"role": "user", "content": heard.about}]
        ) as stream:
            async for event in stream:
                match event.type:
                    case "message_start":
                        heard.beginnings.add(event.message.id)
                    case "text":
                        heard.hear(event.text)
                    case "message_delta":
                        heard.ends.append(event.delta.stop_reason or "")
                        heard.output_tokens.append(event.usage.output_tokens)
                    case _:
                        pass

    return listen


def create_key(stack: DevStack, name: str) -> str:
    made = json.loads(stack.forebay("keys", "create", "--name", name, "--json").stdout)
    return str(made["secret"])


def rows(stack: DevStack, key: str, at_least: int) -> int:
    """Count a key's rows in the ledger; the last ones may come a moment after their answers."""
    counted = 0
    for _ in range(50):
        report = json.loads(stack.forebay("usage", "--json", "--key", key).stdout)
        counted = int(report["total"]["requests"])
        if counted >= at_least:
            break
    return counted


def assert_whole(audience: Sequence[Heard], end: str) -> None:
    assert [heard.text == story(heard.about) for heard in audience] == [True] * len(audience)
    assert [len(heard.beginnings) for heard in audience] == [1] * len(audience)
    assert [heard.ends for heard in audience] == [[end]] * len(audience)
    assert all(len(heard.output_tokens) == 1 < heard.output_tokens[0] for heard in audience)


def test_inv4_all_streams_are_whole_though_the_primary_is_killed_under_them(
    theatre: Theatre,
) -> None:
    streams, key = STREAMS[theatre.mode], create_key(theatre.stack, "prefill")

    async def main() -> list[Heard]:
        async with AsyncOpenAI(base_url=theatre.stack.base_url, api_key=key, max_retries=0) as sdk:
            return await primary_dies(theatre.primaries["prefill"], chat(sdk, "prefill"), streams)

    audience = asyncio.run(main())

    assert_whole(audience, "stop")
    assert rows(theatre.stack, "prefill", streams) == streams


def test_inv4_a_target_that_repeats_the_last_words_goes_on_just_as_well(theatre: Theatre) -> None:
    stack = theatre.stack

    async def main() -> list[Heard]:
        async with AsyncOpenAI(base_url=stack.base_url, api_key=stack.key, max_retries=0) as sdk:
            return await primary_dies(theatre.primaries["echo"], chat(sdk, "echo"), FEW_STREAMS)

    assert_whole(asyncio.run(main()), "stop")


def test_inv4_anthropic_s_callers_get_whole_answers_from_servers_that_speak_openai_s(
    theatre: Theatre,
) -> None:
    stack = theatre.stack

    async def main() -> list[Heard]:
        async with AsyncAnthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as sdk:
            listen = messages(sdk, "messages")
            return await primary_dies(theatre.primaries["messages"], listen, FEW_STREAMS)

    assert_whole(asyncio.run(main()), "end_turn")

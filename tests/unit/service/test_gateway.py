"""The pipeline by itself: what is read, what is left, which target is asked."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from forebay.dialects.exchange import MAX_REPLY_BYTES
from forebay.dialects.question import Question, chat_question
from forebay.errors import ForebayError, ModelNotFound, UpstreamGarbled, UpstreamRefused
from forebay.model import KeyRecord, KeyStatus, LedgerRow, Outcome
from forebay.service.account import Call
from forebay.service.catalog import Catalog, Target
from forebay.service.gateway import Answer, Gateway
from forebay.service.replies import MAX_ERROR_BYTES
from forebay.service.target_dialects import OPENAI
from tests.support.gateway import PRICE, World
from tests.support.told_provider import DONE, JSON, Step, ToldProvider, chunk

KEY = KeyRecord("k", "k", "", "t", "team", (), KeyStatus.ACTIVE, 1, 0.0)
MIB = b"x" * 1024 * 1024
GOOD = b'{"choices":[{"index":0,"message":{"content":"Hello"}}]}'
ANSWER = (chunk("Hello"), chunk(finish="stop"), DONE)


def request(*, stream: bool = False, model: str = "m") -> Question:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return chat_question(json.dumps(body).encode())


def call_of(world: World) -> Call:
    return Call("id-1", KEY, arrived_at=world.clock.now(), started=world.clock.monotonic())


async def read(gateway: Gateway, world: World, asked: Question) -> tuple[Answer, bytes]:
    async with gateway.answer(asked, call_of(world)) as answer:
        return answer, b"".join([answer.first, *[part async for part in answer.rest]])


def run(provider: ToldProvider, asked: Question) -> tuple[World, Answer, bytes]:
    world = World()
    return world, *asyncio.run(read(world.gateway(provider), world, asked))


def refusal(provider: ToldProvider, asked: Question) -> tuple[World, ForebayError]:
    world = World()
    with pytest.raises(ForebayError) as caught:
        asyncio.run(read(world.gateway(provider), world, asked))
    return world, caught.value


def test_an_answer_begins_with_what_the_provider_said_first() -> None:
    _, answer, body = run(ToldProvider(*ANSWER), request(stream=True))

    assert (answer.stream, answer.first, body) == (True, ANSWER[0], b"".join(ANSWER))


def test_the_row_says_who_asked() -> None:
    world, _, _ = run(ToldProvider(GOOD, headers=JSON), request())

    (row,) = world.rows()
    assert (row.request_id, row.key_id, row.key_name, row.tenant, row.team) == (
        "id-1",
        "k",
        "k",
        "t",
        "team",
    )


def test_a_request_for_an_unknown_model_is_not_admitted_and_has_no_row() -> None:
    provider = ToldProvider()
    world, error = refusal(provider, request(model="huge"))

    assert isinstance(error, ModelNotFound)
    assert (world.rows(), world.lines, provider.requests) == ([], [], [])


@pytest.mark.parametrize(
    ("status", "stream"), [(200, True), (200, False), (500, True), (429, False)]
)
def test_a_reply_is_left_once_however_it_ends(status: int, stream: bool) -> None:  # noqa: FBT001 - a case
    provider = ToldProvider(b"garbage", status=status)
    refusal(provider, request(stream=stream))

    assert provider.left == len(provider.requests)


def test_a_reply_that_is_too_long_is_not_read_to_its_end() -> None:
    never = asyncio.Event()
    steps: Sequence[Step] = [MIB] * (MAX_REPLY_BYTES // len(MIB)) + [b"x"]
    provider = ToldProvider(*steps, never, headers=JSON)

    _, error = refusal(provider, request())

    assert isinstance(error, UpstreamGarbled)
    assert "too many bytes" in error.message
    assert not provider.waiting.is_set()


def test_a_reply_of_exactly_the_limit_is_read() -> None:
    padded = GOOD + b" " * (MAX_REPLY_BYTES - len(GOOD))

    _, answer, _ = run(ToldProvider(padded, headers=JSON), request())

    assert answer.first == padded


def test_of_an_error_only_so_much_is_read() -> None:
    never = asyncio.Event()
    provider = ToldProvider(b"x" * MAX_ERROR_BYTES, b"x", never, status=500)

    _, error = refusal(provider, request())

    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.error, provider.waiting.is_set()) == (500, None, False)


def test_an_event_that_is_too_long_is_given_up() -> None:
    never = asyncio.Event()
    steps: Sequence[Step] = [b"data: ", *[MIB] * 9]

    _, error = refusal(ToldProvider(*steps, never), request(stream=True))

    assert isinstance(error, UpstreamGarbled)


def test_a_fault_of_ours_is_settled_too() -> None:
    world = World()
    provider = ToldProvider(head=ZeroDivisionError("ours"))

    with pytest.raises(ZeroDivisionError):
        asyncio.run(read(world.gateway(provider), world, request()))

    (row,) = world.rows()
    assert (row.outcome, row.error_code) == (Outcome.FAILED, "internal_error")


def test_an_answer_that_is_left_early_is_settled_as_cancelled() -> None:
    provider = ToldProvider(chunk("a"), asyncio.Event())

    async def main() -> list[LedgerRow]:
        world = World()
        async with world.gateway(provider).answer(request(stream=True), call_of(world)):
            assert world.rows() == []
        return world.rows()

    (row,) = asyncio.run(main())
    assert (row.outcome, provider.left) == (Outcome.CANCELLED, 1)


def test_the_row_is_written_after_the_last_byte() -> None:
    async def main() -> list[int]:
        world = World()
        provider = ToldProvider(*ANSWER)
        async with world.gateway(provider).answer(request(stream=True), call_of(world)) as answer:
            counts = [len(world.rows()) async for _ in answer.rest]
            counts.append(len(world.rows()))
        return [*counts, len(world.rows())]

    assert asyncio.run(main()) == [0, 0, 0, 1]


def test_targets_are_asked_by_their_weight() -> None:
    world = World()
    light, heavy = ToldProvider(GOOD, headers=JSON), ToldProvider(GOOD, headers=JSON)
    targets = (
        Target("light", light, "x", PRICE, OPENAI, weight=1),
        Target("heavy", heavy, "y", PRICE, OPENAI, weight=9),
    )
    gateway = world.gateway_of(Catalog({"m": targets}, {}))

    async def main() -> set[str]:
        answers = [await read(gateway, world, request()) for _ in range(200)]
        return {answer.headers["x-forebay-target"] for answer, _ in answers}

    assert asyncio.run(main()) == {"light/x", "heavy/y"}
    assert len(heavy.requests) > 5 * len(light.requests)


def test_requests_at_the_same_time_do_not_touch_each_other() -> None:
    async def main() -> list[bytes]:
        world, gate = World(), asyncio.Event()
        slow, quick = ToldProvider(chunk("slow"), gate, *ANSWER[1:]), ToldProvider(*ANSWER)
        first = asyncio.create_task(read(world.gateway(slow), world, request(stream=True)))
        await slow.waiting.wait()
        _, second = await read(world.gateway(quick), world, request(stream=True))
        gate.set()
        return [second, (await first)[1]]

    assert asyncio.run(main()) == [
        b"".join(ANSWER),
        b"".join((chunk("slow"), *ANSWER[1:])),
    ]

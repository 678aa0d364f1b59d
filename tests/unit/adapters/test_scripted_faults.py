"""How the scripted provider goes wrong: always, by dice, for as long as its script says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

import pytest

from forebay.adapters.memory import SeededEntropy
from forebay.adapters.providers.scripted import BROKEN, ScriptedProvider
from forebay.adapters.providers.scripted_faults import pick_fault
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.errors import UpstreamCut, UpstreamError, UpstreamUnavailable
from forebay.model import Timeouts, UpstreamRequest
from forebay.settings import ScriptedFault, ScriptedFaults, ScriptedSettings, TimeoutSettings
from tests.support.gateway import HastyClock
from tests.support.scripted import always, no_dice, play, provider, request

STREAMED = request(stream=True)
STREAM = (200, "text/event-stream")
HEADS = {
    ScriptedFault.SLOW_FIRST_BYTE: STREAM,
    ScriptedFault.RATE_LIMITED: (429, "application/json"),
    ScriptedFault.SERVER_ERROR: (500, "application/json"),
    ScriptedFault.BAD_GATEWAY: (502, "text/html"),
    ScriptedFault.HTML: (200, "text/html"),
    ScriptedFault.WRONG_CONTENT_TYPE: (200, "text/plain"),
    ScriptedFault.EMPTY: STREAM,
    ScriptedFault.CUT: STREAM,
    ScriptedFault.STALL: STREAM,
    ScriptedFault.BROKEN_JSON: STREAM,
    ScriptedFault.DUPLICATED_CHUNK: STREAM,
    ScriptedFault.LONG_LINE: STREAM,
}
NO_REPLY = (ScriptedFault.DOWN, ScriptedFault.REFUSE)


def faulty(fault: ScriptedFault, tokens: int = 8, **more: float) -> ScriptedSettings:
    return ScriptedSettings(0, 0, 0, tokens, faults=always(fault, **more))


@pytest.mark.parametrize(("fault", "head"), HEADS.items())
def test_a_fault_begins_with_its_head(fault: ScriptedFault, head: tuple[int, str]) -> None:
    async def main() -> tuple[int, str]:
        async with await provider(faulty(fault), HastyClock()).send(STREAMED) as reply:
            return reply.status, reply.headers["content-type"]

    assert asyncio.run(main()) == head


def test_each_fault_has_a_head_or_none_on_purpose() -> None:
    assert {*HEADS, *NO_REPLY} == set(ScriptedFault)


@pytest.mark.parametrize("fault", NO_REPLY)
def test_a_refused_connection_is_no_reply_at_all(fault: ScriptedFault) -> None:
    with pytest.raises(UpstreamUnavailable, match="p refuses"):
        play(STREAMED, faulty(fault))


def test_a_limited_caller_is_told_when_to_come_again() -> None:
    async def main() -> str:
        scripted = provider(faulty(ScriptedFault.RATE_LIMITED, retry_after_s=7))
        async with await scripted.send(STREAMED) as reply:
            return reply.headers["retry-after"]

    assert asyncio.run(main()) == "7"


def test_a_slow_reply_begins_late_and_is_whole() -> None:
    clock = HastyClock()

    body = play(STREAMED, faulty(ScriptedFault.SLOW_FIRST_BYTE, slow_s=2.5), clock)

    assert (clock.monotonic(), body[-1]) == (2.5, b"data: [DONE]\n\n")


def broken_at(
    fault: ScriptedFault, after_tokens: int, *, stream: bool = True
) -> tuple[int, type[UpstreamError], float]:
    """Count the tokens before an answer of eight breaks; say how, and when."""

    async def main() -> tuple[int, type[UpstreamError], float]:
        clock, read = HastyClock(), ChatStream()
        script = faulty(fault, after_tokens=after_tokens)
        async with await provider(script, clock).send(request(stream=stream)) as reply:
            with pytest.raises(UpstreamError) as caught:
                await feed(read, reply.chunks())
        return len(read.text), caught.type, clock.monotonic()

    return asyncio.run(main())


async def feed(stream: ChatStream, parts: AsyncIterator[bytes]) -> None:
    async for part in parts:
        stream.feed(part)


@pytest.mark.parametrize(("after", "seen"), [(0, 0), (3, 3), (8, 8), (99, 8)])
def test_a_cut_comes_after_its_tokens_or_at_the_end(after: int, seen: int) -> None:
    assert broken_at(ScriptedFault.CUT, after) == (seen, UpstreamCut, 0.0)


TIMEOUTS = Timeouts(connect_s=1, first_byte_s=2, whole_answer_s=3, idle_s=4)
SLOW = ScriptedSettings(first_token_ms=500, token_gap_ms=4_001, tokens=2)


@pytest.mark.parametrize(
    ("script", "asked", "gave_up_s"),
    [
        pytest.param(
            faulty(ScriptedFault.SLOW_FIRST_BYTE), replace(STREAMED, timeouts=TIMEOUTS), 2,
            id="first byte",
        ),
        pytest.param(
            ScriptedSettings(first_token_ms=0, token_gap_ms=500, tokens=7),
            replace(request(), timeouts=TIMEOUTS), 3,
            id="whole answer",
        ),
        pytest.param(SLOW, replace(STREAMED, timeouts=TIMEOUTS), 4.5, id="between two tokens"),
        pytest.param(
            faulty(ScriptedFault.STALL), replace(STREAMED, timeouts=TIMEOUTS), 4, id="stall"
        ),
        pytest.param(SLOW, replace(STREAMED, until=1.5), 1.5, id="the request's own end"),
        pytest.param(SLOW, replace(STREAMED, until=-1.0), 0, id="an end that has passed"),
        pytest.param(
            ScriptedSettings(first_token_ms=60_001), STREAMED, 60, id="the defaults"
        ),
    ],
)  # fmt: skip
def test_no_wait_is_longer_than_the_request_has_patience(
    script: ScriptedSettings, asked: UpstreamRequest, gave_up_s: float
) -> None:
    clock = HastyClock()

    with pytest.raises(UpstreamUnavailable):
        play(asked, script, clock)

    assert clock.monotonic() == pytest.approx(gave_up_s)


def test_a_wait_of_just_that_length_is_none_too_long() -> None:
    script = ScriptedSettings(first_token_ms=2_000, token_gap_ms=4_000, tokens=2)

    assert play(replace(STREAMED, timeouts=TIMEOUTS), script)[-1] == b"data: [DONE]\n\n"


def test_a_stall_is_silence_until_the_idle_time_out() -> None:
    assert broken_at(ScriptedFault.STALL, 3) == (3, UpstreamUnavailable, TimeoutSettings().idle_s)


@pytest.mark.parametrize("fault", [ScriptedFault.CUT, ScriptedFault.STALL])
def test_an_unstreamed_answer_breaks_off_in_its_middle(fault: ScriptedFault) -> None:
    async def main() -> bytes:
        async with await provider(faulty(fault), HastyClock()).send(request()) as reply:
            begun = await anext(reply.chunks())
            with pytest.raises(UpstreamError):
                await anext(reply.chunks())
        return begun

    assert asyncio.run(main()).startswith(b'{"id"')


def test_an_empty_reply_has_no_body() -> None:
    assert play(STREAMED, faulty(ScriptedFault.EMPTY)) == []
    assert play(request(), faulty(ScriptedFault.EMPTY)) == []


def test_what_is_no_json_comes_among_what_is() -> None:
    body = play(STREAMED, faulty(ScriptedFault.BROKEN_JSON, after_tokens=1))

    assert body.index(b"data: " + BROKEN + b"\n\n") == 2  # after the role and a word
    assert play(request(), faulty(ScriptedFault.BROKEN_JSON)) == [BROKEN]


@pytest.mark.parametrize(("after", "twice"), [(0, 0), (3, 3), (8, 8), (99, 8)])
def test_the_chunk_before_the_fault_comes_twice(after: int, twice: int) -> None:
    body = play(STREAMED, faulty(ScriptedFault.DUPLICATED_CHUNK, after_tokens=after))

    once = play(STREAMED, ScriptedSettings(tokens=8))
    assert body == [*once[: twice + 1], *once[twice:]]


@pytest.mark.parametrize("stream", [True, False])
def test_a_long_line_is_longer_than_any_answer(*, stream: bool) -> None:
    body = b"".join(play(request(stream=stream), faulty(ScriptedFault.LONG_LINE)))

    assert max(len(line) for line in body.split(b"\n")) > 32 * 1024 * 1024


# --- dice


@pytest.mark.parametrize(
    ("rolled", "picked"),
    [
        (0.0, ScriptedFault.SERVER_ERROR),
        (0.19, ScriptedFault.SERVER_ERROR),
        (0.2, ScriptedFault.CUT),
        (0.49, ScriptedFault.CUT),
        (0.51, None),
        (0.99, None),
    ],
)
def test_dice_say_which_fault_strikes(rolled: float, picked: ScriptedFault | None) -> None:
    faults = ScriptedFaults(cut=0.3, server_error=0.2)

    assert pick_fault(faults, lambda: rolled) is picked


@pytest.mark.parametrize(
    ("faults", "picked"),
    [(ScriptedFaults(), None), (ScriptedFaults(stall=1.0), ScriptedFault.STALL)],
)
def test_what_is_certain_needs_no_dice(
    faults: ScriptedFaults, picked: ScriptedFault | None
) -> None:
    assert pick_fault(faults, no_dice) is picked


def struck(seed: int) -> list[int]:
    """Which of a hundred requests fail at a provider that fails three in ten."""
    script = ScriptedSettings(faults=ScriptedFaults(server_error=0.2, rate_limited=0.1))
    scripted = ScriptedProvider("p", script, HastyClock(), SeededEntropy(seed).random)

    async def main() -> list[int]:
        return [(await scripted.send(STREAMED)).status for _ in range(100)]

    return asyncio.run(main())


def test_the_same_seed_fails_the_same_way() -> None:
    assert struck(1) == struck(1) != struck(2)


def test_faults_are_as_frequent_as_they_are_probable() -> None:
    dice, faults = Random(7).random, ScriptedFaults(cut=0.25, stall=0.25)  # noqa: S311 - repeatable

    picked = [pick_fault(faults, dice) for _ in range(10_000)]

    assert picked.count(ScriptedFault.CUT) == pytest.approx(2_500, rel=0.1)
    assert picked.count(None) == pytest.approx(5_000, rel=0.1)


def refusals(scripted: ScriptedProvider, count: int) -> int:
    async def main() -> int:
        refused = 0
        for _ in range(count):
            try:
                await scripted.send(STREAMED)
            except UpstreamUnavailable:
                refused += 1
        return refused

    return asyncio.run(main())


def test_what_is_down_stays_down_until_its_script_lifts_it() -> None:
    rolls = iter([0.5, 0.05])
    script = ScriptedSettings(faults=ScriptedFaults(down=0.1))
    scripted = ScriptedProvider("p", script, HastyClock(), lambda: next(rolls))

    refused = refusals(scripted, 10)  # the second roll was the last
    scripted.script = replace(script, faults=ScriptedFaults())

    assert (refused, refusals(scripted, 10)) == (9, 0)


def test_a_provider_that_was_lifted_does_not_fall_back() -> None:
    scripted = provider(faulty(ScriptedFault.DOWN), HastyClock())
    refusals(scripted, 1)
    scripted.script = ScriptedSettings()
    refusals(scripted, 1)
    scripted.script = ScriptedSettings(faults=ScriptedFaults(down=1e-9))
    scripted._roll = SeededEntropy(1).random

    assert refusals(scripted, 10) == 0

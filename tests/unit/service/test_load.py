"""Counts are exact however a call ends, and what is old is forgotten."""

from __future__ import annotations

import asyncio
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.memory.clock import ManualClock
from forebay.routing import UNKNOWN, Load
from forebay.service.load import FORGET_S, MEMORY_S, Loads

TARGET, OTHER = "p/m", "q/m"


class Broke(Exception):
    pass


def test_of_a_target_that_was_never_asked_nothing_is_known() -> None:
    assert Loads(ManualClock()).load(TARGET) == UNKNOWN


def test_calls_count_while_they_run() -> None:
    loads = Loads(ManualClock())

    with loads.calling(TARGET), loads.calling(TARGET), loads.calling(OTHER):
        assert loads.load(TARGET).in_flight == 2
        assert loads.load(OTHER).in_flight == 1

    assert loads.load(TARGET).in_flight == loads.load(OTHER).in_flight == 0


def test_a_call_that_fails_counts_no_longer() -> None:
    loads = Loads(ManualClock())

    with pytest.raises(Broke), loads.calling(TARGET):
        raise Broke

    assert loads.load(TARGET).in_flight == 0


def test_calls_that_are_cancelled_count_no_longer() -> None:
    loads = Loads(ManualClock())

    async def call(begun: asyncio.Event) -> None:
        with loads.calling(TARGET):
            begun.set()
            await asyncio.Event().wait()

    async def main() -> None:
        events = [asyncio.Event() for _ in range(5)]
        tasks = [asyncio.create_task(call(begun)) for begun in events]
        # One more is cancelled before it begins, and never counts.
        early = asyncio.create_task(call(asyncio.Event()))
        early.cancel()
        for begun in events:
            await begun.wait()
        assert loads.load(TARGET).in_flight == 5
        for task in tasks[:3]:
            task.cancel()
        await asyncio.wait(tasks[:3])
        assert loads.load(TARGET).in_flight == 2
        for task in tasks[3:]:
            task.cancel()
        await asyncio.wait([*tasks, early])

    asyncio.run(main())

    assert loads.load(TARGET).in_flight == 0


@given(st.lists(st.tuples(st.sampled_from([TARGET, OTHER]), st.booleans()), max_size=60))
def test_counts_are_those_of_the_calls_that_run(steps: list[tuple[str, bool]]) -> None:
    loads = Loads(ManualClock())
    running = {TARGET: [loads.calling(TARGET)][:0], OTHER: [loads.calling(OTHER)][:0]}
    for target, begins in steps:
        if begins:
            call = loads.calling(target)
            call.__enter__()
            running[target].append(call)
        elif running[target]:
            running[target].pop().__exit__(None, None, None)
        assert [loads.load(name).in_flight for name in running] == [
            len(calls) for calls in running.values()
        ]


# --- first tokens


def test_a_first_token_is_remembered() -> None:
    loads = Loads(ManualClock())

    loads.spoke(TARGET, 0.4)

    assert loads.load(TARGET) == Load(0, 0.4)
    assert loads.load(OTHER) == UNKNOWN


def test_first_tokens_at_the_same_moment_count_alike() -> None:
    loads = Loads(ManualClock())

    for seconds in (0.2, 0.4, 0.9):
        loads.spoke(TARGET, seconds)

    assert loads.load(TARGET).first_token_s == pytest.approx(0.5)


def test_an_older_first_token_counts_less() -> None:
    clock = ManualClock()
    loads = Loads(clock)
    loads.spoke(TARGET, 4.0)
    clock.advance(MEMORY_S)
    loads.spoke(TARGET, 0.4)

    weight = exp(-1)
    assert loads.load(TARGET).first_token_s == pytest.approx((4.0 * weight + 0.4) / (weight + 1))


def test_a_target_that_recovered_is_soon_known_to_be_fast() -> None:
    clock = ManualClock()
    loads = Loads(clock)
    for seconds in [4.0] * 100 + [0.4] * 100:
        loads.spoke(TARGET, seconds)
        clock.advance(0.3)

    assert loads.load(TARGET).first_token_s == pytest.approx(0.6, abs=0.05)


def test_after_a_while_nothing_is_known() -> None:
    clock = ManualClock()
    loads = Loads(clock)
    loads.spoke(TARGET, 4.0)
    clock.advance(FORGET_S)
    assert loads.load(TARGET).first_token_s == 4.0

    clock.advance(0.001)

    assert loads.load(TARGET) == UNKNOWN


def test_a_frozen_process_forgets_too() -> None:
    clock = ManualClock()
    loads = Loads(clock)
    loads.spoke(TARGET, 4.0)

    clock.freeze(FORGET_S + 1)

    assert loads.load(TARGET) == UNKNOWN


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(-10_000, 10_000)), min_size=1, max_size=50))
def test_the_mean_lies_among_what_was_noted(notes: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    loads = Loads(clock)
    for seconds, passing_s in notes:
        clock.freeze(passing_s)  # a wall clock may be set back
        loads.spoke(TARGET, seconds)

    mean_s = loads.load(TARGET).first_token_s

    assert mean_s is not None
    noted = [seconds for seconds, _ in notes]
    assert min(noted) - 1e-6 <= mean_s <= max(noted) + 1e-6


# --- cooling


def test_a_target_cools_down_for_as_long_as_it_asked() -> None:
    clock = ManualClock()
    loads = Loads(clock)

    loads.cool(TARGET, 7.0)

    clock.advance(6.9)
    assert loads.load(TARGET).cooling
    assert not loads.load(OTHER).cooling
    clock.advance(0.1)
    assert not loads.load(TARGET).cooling


def test_a_shorter_wish_does_not_end_a_longer_one() -> None:
    clock = ManualClock()
    loads = Loads(clock)
    loads.cool(TARGET, 30.0)
    loads.cool(TARGET, 1.0)

    clock.advance(20.0)

    assert loads.load(TARGET).cooling

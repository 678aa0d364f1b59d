"""Ports `Clock` and `Entropy`: what every clock and all dice do, and what the manual ones add."""

import asyncio

import pytest

from forebay.adapters.memory import ManualClock, SeededEntropy
from forebay.adapters.system import SystemClock, SystemEntropy
from forebay.ports import Clock, Entropy

CLOCKS = [pytest.param(SystemClock(), id="system"), pytest.param(ManualClock(), id="manual")]
DICE = [pytest.param(SystemEntropy(), id="system"), pytest.param(SeededEntropy(7), id="seeded")]


@pytest.mark.parametrize("clock", CLOCKS)
def test_time_does_not_go_back(clock: Clock) -> None:
    assert clock.monotonic() <= clock.monotonic()
    assert clock.now() > 1_700_000_000


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("seconds", [0, -1])
def test_sleeping_for_no_time_returns(clock: Clock, seconds: float) -> None:
    asyncio.run(clock.sleep(seconds))


@pytest.mark.parametrize("dice", DICE)
def test_dice_are_in_their_range_and_differ(dice: Entropy) -> None:
    throws = [dice.random() for _ in range(100)]
    assert all(0 <= throw < 1 for throw in throws)
    assert len(set(throws)) == 100


@pytest.mark.parametrize("dice", DICE)
def test_tokens_have_their_length_and_differ(dice: Entropy) -> None:
    assert [len(dice.token_bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert dice.token_bytes(16) != dice.token_bytes(16)


def test_one_seed_gives_one_sequence() -> None:
    first, second, other = SeededEntropy(1), SeededEntropy(1), SeededEntropy(2)
    tokens = [dice.token_bytes(8) for dice in (first, second, other)]
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_manual_clock_advances_both_its_times() -> None:
    clock = ManualClock(now=100.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (105.0, 5.0)


def test_a_frozen_sandbox_s_monotonic_time_stands_still() -> None:
    clock = ManualClock(now=100.0)
    clock.freeze(600)
    assert (clock.now(), clock.monotonic()) == (700.0, 0.0)


def test_sleepers_wake_when_they_are_due_and_in_order() -> None:
    async def main() -> list[tuple[str, float]]:
        clock = ManualClock()
        woken: list[tuple[str, float]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((name, clock.monotonic()))

        async with asyncio.TaskGroup() as tasks:
            for name, seconds in (("late", 10), ("early", 2), ("early too", 2)):
                tasks.create_task(sleeper(name, seconds))
            await clock.until_sleeping(3)
            clock.advance(9)
            await clock.until_sleeping(1)
            await asyncio.sleep(0)
            woken.append(("nobody", clock.monotonic()))
            clock.advance(1)
        return woken

    assert asyncio.run(main()) == [
        ("early", 9.0),
        ("early too", 9.0),
        ("nobody", 9.0),
        ("late", 10.0),
    ]


def test_a_sleeper_that_was_cancelled_is_forgotten() -> None:
    async def main() -> None:
        clock = ManualClock()
        sleeper = asyncio.create_task(clock.sleep(5))
        await clock.until_sleeping()
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        waiting = asyncio.create_task(clock.until_sleeping())
        await asyncio.sleep(0)
        assert not waiting.done()
        other = asyncio.create_task(clock.sleep(1))
        await waiting
        clock.advance(5)
        await other

    asyncio.run(main())

"""Two answers in a race, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from forebay.errors import UpstreamCut, UpstreamError, UpstreamUnavailable
from forebay.service.hedging import first_to_speak
from tests.support.virtual_time import run_virtual

PATIENCE_S = 1.0


@dataclass
class Speaker:
    """An answer of three parts.

    Args:
        name: Each of its parts.
        after_s: Until the first one.
        error: Raised in place of the first part.
        error_later: Raised in place of the third.
    """

    name: bytes
    after_s: float
    error: Exception | None = None
    error_later: Exception | None = None
    asked: int = 0
    ended: int = 0

    async def speak(self) -> AsyncGenerator[bytes]:
        self.asked += 1
        try:
            await asyncio.sleep(self.after_s)
            if self.error:
                raise self.error
            yield self.name
            yield self.name
            if self.error_later:
                raise self.error_later
            yield self.name
        finally:
            self.ended += 1


@dataclass
class Race:
    primary: Speaker
    rival: Speaker | None
    failures: list[UpstreamError] = field(default_factory=list)

    def parts(self) -> AsyncGenerator[bytes]:
        async def ask() -> AsyncGenerator[bytes] | None:
            return self.rival.speak() if self.rival else None

        return first_to_speak(
            self.primary.speak(), ask, patience_s=PATIENCE_S, failed=self.failures.append
        )

    def run(self) -> bytes:
        async def collect() -> bytes:
            return b"".join([part async for part in self.parts()])

        try:
            return run_virtual(collect())
        finally:
            speakers = [each for each in (self.primary, self.rival) if each]
            assert [each.ended for each in speakers] == [each.asked for each in speakers]


def broken() -> UpstreamUnavailable:
    return UpstreamUnavailable("down", target="t/m")


def test_a_primary_in_time_has_no_rival() -> None:
    race = Race(Speaker(b"p", 0.9), Speaker(b"r", 0))

    assert race.run() == b"ppp"
    assert race.rival is not None
    assert race.rival.asked == 0


def test_a_late_primary_loses_against_a_fast_rival_and_is_ended() -> None:
    race = Race(Speaker(b"p", 60), Speaker(b"r", 0.5))

    assert race.run() == b"rrr"
    assert race.primary.ended == 1


def test_a_late_primary_may_still_win() -> None:
    assert Race(Speaker(b"p", 1.2), Speaker(b"r", 5)).run() == b"ppp"


def test_without_a_rival_the_primary_is_waited_for() -> None:
    assert Race(Speaker(b"p", 60), None).run() == b"ppp"


def test_if_both_speak_at_once_the_primary_wins() -> None:
    assert Race(Speaker(b"p", 1.5), Speaker(b"r", 0.5)).run() == b"ppp"


def test_a_primary_that_fails_early_is_not_hedged() -> None:
    race = Race(Speaker(b"p", 0.1, broken()), Speaker(b"r", 0))

    with pytest.raises(UpstreamUnavailable):
        race.run()
    assert race.rival is not None
    assert race.rival.asked == 0


@pytest.mark.parametrize(
    ("primary", "rival", "said"),
    [
        pytest.param(Speaker(b"p", 2, broken()), Speaker(b"r", 5), b"rrr", id="primary"),
        pytest.param(Speaker(b"p", 5), Speaker(b"r", 1, broken()), b"ppp", id="rival"),
    ],
)
def test_the_failure_of_one_leaves_the_other_running(
    primary: Speaker, rival: Speaker, said: bytes
) -> None:
    race = Race(primary, rival)

    assert race.run() == said
    assert len(race.failures) == 1


def test_if_both_fail_the_last_error_is_raised() -> None:
    last = UpstreamCut("cut", target="t/m")
    race = Race(Speaker(b"p", 2, broken()), Speaker(b"r", 5, last))

    with pytest.raises(UpstreamCut):
        race.run()
    assert len(race.failures) == 1


def test_a_winner_that_breaks_off_raises_its_error() -> None:
    race = Race(Speaker(b"p", 60), Speaker(b"r", 0.5, error_later=UpstreamCut("cut", target="t")))

    with pytest.raises(UpstreamCut):
        race.run()


def test_a_fault_of_ours_is_not_taken_for_the_provider_s() -> None:
    with pytest.raises(ZeroDivisionError):
        Race(Speaker(b"p", 2, ZeroDivisionError()), Speaker(b"r", 5)).run()


@pytest.mark.parametrize("left_after_s", [0.5, 1.2, 1.6, 2.5])
def test_who_leaves_leaves_nothing_running(left_after_s: float) -> None:
    race = Race(Speaker(b"p", 60), Speaker(b"r", 1.0))

    async def leave() -> None:
        async def read() -> None:
            async for _ in race.parts():
                await asyncio.sleep(60)

        reading = asyncio.create_task(read())
        await asyncio.sleep(left_after_s)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.get_running_loop().shutdown_asyncgens()

    run_virtual(leave())

    assert race.rival is not None
    assert race.primary.ended == race.primary.asked == 1
    assert race.rival.ended == race.rival.asked

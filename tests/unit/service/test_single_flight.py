"""Equal requests in flight share one upstream call, whoever comes, leaves or fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest

from forebay.adapters.memory.entropy import SeededEntropy
from forebay.errors import ForebayError, UpstreamCut, UpstreamRefused
from forebay.service.beginning import begun
from forebay.service.single_flight import Flights, Seat
from tests.support.virtual_time import run_virtual

PARTS = (b"a", b"b", b"c", b"d")
STEP_S = 1.0
"""Between two parts of an upstream answer."""


@dataclass
class Upstream:
    """Answers calls, a part each second; the first `failing` calls fail before a part."""

    failing: int = 0
    cut_after: int | None = None
    calls: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def call(self, caller: str) -> Callable[[], AsyncGenerator[bytes]]:
        return lambda: self._answer(caller)

    async def _answer(self, caller: str) -> AsyncGenerator[bytes]:
        self.calls.append(caller)
        number = len(self.calls)
        try:
            await asyncio.sleep(STEP_S)
            if number <= self.failing:
                raise UpstreamRefused(
                    f"call {number}", target="p/m", status=500, headers={}, error=None
                )
            for index, part in enumerate(PARTS):
                if index == self.cut_after:
                    raise UpstreamCut(f"call {number}", target="p/m")
                yield part
                await asyncio.sleep(STEP_S)
        finally:
            self.closed.append(caller)


@dataclass
class World:
    upstream: Upstream = field(default_factory=Upstream)
    flights: Flights[str] = field(default_factory=Flights)

    def sit(self, caller: str, key: str = "question") -> Seat[str]:
        return self.flights.join(key, caller, self.upstream.call(caller))

    async def read(self, caller: str, key: str = "question", pause_s: float = 0.0) -> bytes:
        read = b""
        async with aclosing(self.sit(caller, key)) as seat:
            async for part in seat:
                read += part
                await asyncio.sleep(pause_s)
        return read

    async def fail(self, caller: str) -> ForebayError:
        with pytest.raises(ForebayError) as caught:
            await self.read(caller)
        return caught.value


def test_a_hundred_equal_requests_are_one_upstream_call() -> None:
    world = World()

    async def main() -> list[bytes]:
        return await asyncio.gather(*(world.read(f"{number}") for number in range(100)))

    assert run_virtual(main()) == [b"".join(PARTS)] * 100
    assert (world.upstream.calls, len(world.flights)) == (["0"], 0)


@pytest.mark.parametrize("late_s", [0.5, 1.5, 2.5, 4.5])
def test_who_comes_late_gets_all_from_the_beginning(late_s: float) -> None:
    world = World()

    async def main() -> bytes:
        leading = asyncio.create_task(world.read("leader"))
        await asyncio.sleep(late_s)
        read = await world.read("late")
        await leading
        return read

    assert run_virtual(main()) == b"".join(PARTS)
    assert world.upstream.calls == ["leader"]


def test_who_comes_after_the_end_asks_anew() -> None:
    world = World()

    async def main() -> None:
        await world.read("first")
        await world.read("second")

    run_virtual(main())
    assert world.upstream.calls == ["first", "second"]


def test_inv5_another_key_is_another_flight() -> None:
    world = World()

    async def main() -> None:
        await asyncio.gather(
            world.read("acme", "acme/question"), world.read("other", "other/question")
        )

    run_virtual(main())
    assert sorted(world.upstream.calls) == ["acme", "other"]


def test_a_slow_reader_slows_nobody() -> None:
    world = World()

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        slow = asyncio.create_task(world.read("slow", pause_s=100.0))
        await asyncio.sleep(0)
        await world.read("quick")
        quick_s = loop.time()
        await slow
        return quick_s, loop.time()

    assert run_virtual(main()) == (5.0, 401.0)


def test_a_part_is_passed_on_when_it_comes() -> None:
    world = World()

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        async with aclosing(world.sit("leader")), aclosing(world.sit("follower")) as seat:
            return [loop.time() async for _ in seat]

    assert run_virtual(main()) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("leaves_after_s", [0.0, 0.5, 1.0, 1.5, 2.5, 4.5])
@pytest.mark.parametrize("followers", [1, 5])
def test_a_leader_that_is_cancelled_anywhere_does_not_end_the_flight(
    leaves_after_s: float, followers: int
) -> None:
    world = World()

    async def main() -> list[bytes]:
        leader = asyncio.create_task(world.read("leader"))
        await asyncio.sleep(0)
        following = [asyncio.create_task(world.read(f"{n}")) for n in range(followers)]
        await asyncio.sleep(leaves_after_s)
        leader.cancel()
        return await asyncio.gather(*following)

    assert run_virtual(main()) == [b"".join(PARTS)] * followers
    assert (world.upstream.calls, world.upstream.closed) == (["leader"], ["leader"])
    assert len(world.flights) == 0


@pytest.mark.parametrize("steps", range(40))
def test_wherever_the_leader_is_cancelled_its_follower_has_it_all_and_nothing_is_left(
    steps: int,
) -> None:
    """The loop turns so many times before; time passes only when all wait."""
    world = World()

    async def main() -> bytes:
        leader = asyncio.create_task(world.read("leader"))
        following = asyncio.create_task(world.read("follower"))
        for _ in range(steps):
            await asyncio.sleep(0.125)
        leader.cancel()
        return await following

    assert run_virtual(main()) == b"".join(PARTS)
    assert (world.upstream.closed, len(world.flights)) == (world.upstream.calls, 0)


@pytest.mark.parametrize("turns", range(12))
def test_a_flight_that_all_leave_is_over_and_its_call_is_closed(turns: int) -> None:
    world = World()

    async def main() -> list[str]:
        reading = [asyncio.create_task(world.read(name)) for name in ("leader", "follower")]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)
        await asyncio.sleep(STEP_S / 2)
        return list(world.upstream.closed)

    assert run_virtual(main()) == world.upstream.calls
    assert len(world.flights) == 0


def test_the_last_to_leave_ends_the_call_of_a_leader_that_left_before() -> None:
    world = World()

    async def main() -> list[str]:
        leader, follower = world.sit("leader"), world.sit("follower")
        await anext(leader)
        await leader.aclose()
        await follower.aclose()
        await leader.landed()
        return list(world.upstream.closed)

    assert run_virtual(main()) == ["leader"]


def test_a_leader_that_left_pays_until_the_flight_s_end() -> None:
    world = World()

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        seat = world.sit("leader")
        following = asyncio.create_task(world.read("follower"))
        await anext(seat)
        await seat.aclose()
        left_at = loop.time()
        await seat.landed()
        landed_at = loop.time()
        await following
        return left_at, landed_at

    assert run_virtual(main()) == (1.0, 5.0)


def test_who_only_followed_need_not_wait_for_the_end() -> None:
    world = World()

    async def main() -> float:
        leading = asyncio.create_task(world.read("leader"))
        await asyncio.sleep(0)
        seat = world.sit("follower")
        await anext(seat)
        await seat.aclose()
        await seat.landed()
        now = asyncio.get_running_loop().time()
        await leading
        return now

    assert run_virtual(main()) == 1.0


def test_waiting_for_the_end_can_be_given_up_without_ending_the_flight() -> None:
    world = World()

    async def main() -> bytes:
        seat = world.sit("leader")
        following = asyncio.create_task(world.read("follower"))
        await anext(seat)
        await seat.aclose()
        waiting = asyncio.create_task(seat.landed())
        await asyncio.sleep(0)
        waiting.cancel()
        return await following

    assert run_virtual(main()) == b"".join(PARTS)


def test_each_seat_knows_who_leads_and_whether_it_is_it() -> None:
    world = World()

    async def main() -> list[tuple[bool, str]]:
        async with aclosing(world.sit("leader")) as leader, aclosing(world.sit("other")) as other:
            return [(seat.led, seat.pilot) for seat in (leader, other)]

    assert run_virtual(main()) == [(True, "leader"), (False, "leader")]


def test_a_leader_that_fails_before_a_byte_is_replaced_by_one_follower() -> None:
    world = World(Upstream(failing=1))

    async def main() -> tuple[ForebayError, bytes, bytes, bytes]:
        return await asyncio.gather(
            world.fail("leader"), world.read("first"), world.read("second"), world.read("third")
        )

    error, *read = run_virtual(main())
    assert isinstance(error, UpstreamRefused)
    assert read == [b"".join(PARTS)] * 3
    assert (world.upstream.calls, len(world.flights)) == (["leader", "first"], 0)


def test_the_follower_that_replaces_a_leader_leads_and_the_leader_keeps_what_is_its_own() -> None:
    world = World(Upstream(failing=1))

    async def main() -> list[tuple[bool, str]]:
        seats = [world.sit(name) for name in ("leader", "first", "second")]
        with pytest.raises(UpstreamRefused):
            await anext(seats[0])
        await anext(seats[2])
        who = [(seat.led, seat.pilot) for seat in seats]
        for seat in seats:
            await seat.aclose()
        return who

    assert run_virtual(main()) == [(True, "leader"), (True, "first"), (False, "first")]


def test_who_comes_between_failure_and_success_gets_the_success() -> None:
    world = World(Upstream(failing=1))

    async def main() -> bytes:
        others = [
            asyncio.create_task(world.fail("leader")),
            asyncio.create_task(world.read("heir")),
        ]
        await asyncio.sleep(1.5)
        read = await world.read("late")
        await asyncio.gather(*others)
        return read

    assert run_virtual(main()) == b"".join(PARTS)
    assert world.upstream.calls == ["leader", "heir"]


def test_a_leader_that_left_before_it_failed_is_replaced_too() -> None:
    world = World(Upstream(failing=1))

    async def main() -> bytes:
        leader = asyncio.create_task(world.read("leader"))
        following = asyncio.create_task(world.read("follower"))
        await asyncio.sleep(0.5)
        leader.cancel()
        return await following

    assert run_virtual(main()) == b"".join(PARTS)
    assert world.upstream.calls == ["leader", "follower"]


def test_a_leader_without_followers_fails_for_itself() -> None:
    world = World(Upstream(failing=1))

    assert isinstance(run_virtual(world.fail("leader")), UpstreamRefused)
    assert (world.upstream.calls, len(world.flights)) == (["leader"], 0)


def test_after_two_failures_all_get_the_error() -> None:
    world = World(Upstream(failing=3))

    async def main() -> list[ForebayError]:
        return await asyncio.gather(*(world.fail(f"{number}") for number in range(5)))

    errors = run_virtual(main())
    assert [error.message for error in errors] == ["call 1", *["call 2"] * 4]
    assert (world.upstream.calls, len(world.flights)) == (["0", "1"], 0)


def test_an_answer_that_is_cut_is_cut_for_all_at_the_same_byte() -> None:
    world = World(Upstream(cut_after=2))
    received: dict[str, bytes] = {}

    async def read(name: str) -> None:
        async with aclosing(world.sit(name)) as seat:
            async for part in seat:
                received[name] = received.get(name, b"") + part

    async def main() -> list[BaseException | None]:
        reading = (read(f"{number}") for number in range(3))
        return await asyncio.gather(*reading, return_exceptions=True)

    assert [type(error) for error in run_virtual(main())] == [UpstreamCut] * 3
    assert received == {"0": b"ab", "1": b"ab", "2": b"ab"}
    assert (world.upstream.calls, len(world.flights)) == (["0"], 0)


def test_each_gets_an_error_of_its_own_with_all_that_it_says() -> None:
    world = World(Upstream(failing=2))

    async def main() -> list[ForebayError]:
        return await asyncio.gather(*(world.fail(f"{number}") for number in range(4)))

    _, own, *copies = run_virtual(main())
    assert len({id(error) for error in (own, *copies)}) == 3
    assert [(type(copy), vars(copy), str(copy)) for copy in copies] == [
        (UpstreamRefused, vars(own), str(own))
    ] * 2
    assert [copy.__cause__ for copy in copies] == [own] * 2


def test_a_fault_of_ours_reaches_all_and_tells_followers_its_class_alone() -> None:
    world = World()

    async def broken() -> AsyncGenerator[bytes]:
        await asyncio.sleep(STEP_S)
        if world.upstream.calls:  # never: it only makes this a generator
            yield b""
        raise ValueError("CANARY")

    async def read() -> BaseException:
        async with aclosing(world.flights.join("question", "x", broken)) as seat:
            with pytest.raises((ValueError, ForebayError)) as caught:
                await anext(seat)
            return caught.value

    async def main() -> list[BaseException]:
        return await asyncio.gather(*(read() for _ in range(3)))

    errors = run_virtual(main())
    assert [type(error) for error in errors] == [ValueError, ValueError, ForebayError]
    assert "CANARY" not in str(errors[2])
    assert len(world.flights) == 0


def test_a_run_that_was_cancelled_from_elsewhere_is_an_error_not_the_reader_s_cancellation() -> (
    None
):
    world = World()

    async def cancelled() -> AsyncGenerator[bytes]:
        yield b"a"
        raise asyncio.CancelledError

    async def main() -> None:
        async with aclosing(world.flights.join("question", "x", cancelled)) as seat:
            assert await anext(seat) == b"a"
            await anext(seat)

    with pytest.raises(ForebayError):
        run_virtual(main())


def test_a_seat_that_is_closed_has_no_more_parts() -> None:
    world = World()

    async def main() -> list[bytes]:
        seat = world.sit("leader")
        await seat.aclose()
        await seat.aclose()
        return [part async for part in seat]

    assert run_virtual(main()) == []
    assert len(world.flights) == 0


def test_a_seat_that_nobody_read_from_is_given_back() -> None:
    world = World()

    async def main() -> None:
        async with aclosing(world.sit("leader")):
            pass

    run_virtual(main())
    assert (len(world.flights), world.upstream.closed) == (0, world.upstream.calls)


def test_an_error_thrown_into_a_seat_comes_out_and_leaves_it() -> None:
    world = World()

    async def main() -> None:
        seat = world.sit("leader")
        await seat.asend(None)
        await seat.athrow(UpstreamCut("thrown", target="p/m"))

    with pytest.raises(UpstreamCut, match="thrown"):
        run_virtual(main())
    assert (len(world.flights), world.upstream.closed) == (0, ["leader"])


def test_a_run_has_the_context_of_the_caller_whose_it_is() -> None:
    trace: ContextVar[str] = ContextVar("trace", default="")
    flights: Flights[str] = Flights()
    seen: list[str] = []

    async def failing() -> AsyncGenerator[bytes]:
        seen.append(trace.get())
        await asyncio.sleep(STEP_S)
        if not seen:  # never: it only makes this a generator
            yield b""
        raise UpstreamCut("cut", target="p/m")

    async def ask(name: str) -> None:
        trace.set(name)
        async with aclosing(flights.join("question", name, failing)) as seat:
            with pytest.raises(UpstreamCut):
                await anext(seat)

    async def main() -> None:
        await asyncio.gather(ask("leader"), ask("heir"))

    run_virtual(main())
    assert seen == ["leader", "heir"]


def test_a_seat_begins_like_any_answer() -> None:
    world = World()

    async def main() -> list[bytes]:
        seat = world.sit("leader")
        async with begun(seat, patience_s=0.5, sign_of_life=b"alive") as (first, rest):
            return [first, *[part async for part in rest]]

    assert run_virtual(main()) == [b"alive", *PARTS]
    assert len(world.flights) == 0


@pytest.mark.parametrize("seed", range(60))
def test_inv3_whoever_comes_leaves_or_fails_nobody_takes_a_part_for_the_whole(seed: int) -> None:
    """Callers come and leave at random; calls fail, are cut, or answer."""
    dice = SeededEntropy(seed).random
    cut_after = [None, None, 0, 2][int(dice() * 4)]
    world = World(Upstream(failing=int(dice() * 3), cut_after=cut_after))
    ends: list[bytes | BaseException] = []

    async def visit(caller: str, comes_after_s: float, stays_s: float) -> None:
        await asyncio.sleep(comes_after_s)
        try:
            async with asyncio.timeout(stays_s):
                ends.append(await world.read(caller, pause_s=dice()))
        except (ForebayError, TimeoutError) as error:
            ends.append(error)

    async def main() -> None:
        async with asyncio.TaskGroup() as visits:
            for number in range(20):
                visits.create_task(visit(f"{number}", dice() * 12, dice() * 20))
        await asyncio.sleep(0)

    run_virtual(main())
    assert len(ends) == 20
    assert {end for end in ends if isinstance(end, bytes)} <= {b"".join(PARTS)}
    assert (len(world.flights), sorted(world.upstream.closed)) == (0, sorted(world.upstream.calls))

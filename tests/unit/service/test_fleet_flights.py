"""Equal requests in several processes share one upstream call, or run alone; none is stuck."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from forebay.adapters.memory.entropy import SeededEntropy
from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.adapters.telemetry import JsonLines
from forebay.admission.idempotency import LEASE_MARGIN_S, RunRecord
from forebay.errors import StoreUnavailable, UpstreamCut, UpstreamRefused
from forebay.service.fleet_flights import MAX_LEADERS, MAX_POLL_S, STORED_S, FleetFlights, FleetRun
from forebay.service.recording import Head
from tests.support.loop_clock import LoopClock
from tests.support.virtual_time import run_virtual

PARTS = (b"a", b"b", b"c")
TAKES_S = 5.0
RUNS_S = 60.0


class Down(MemoryIdempotencyRecords):
    """Fails in the methods that are `broken`."""

    def __init__(self, *broken: str) -> None:
        super().__init__()
        self.broken = broken

    def _done(self, method: str) -> None:
        if method in self.broken:
            raise StoreUnavailable("no reply in time")

    @override
    async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
        self._done("begin")
        return await super().begin(record, now=now)

    @override
    async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
        self._done("complete")
        await super().complete(record, content, expires_at=expires_at)

    @override
    async def content(self, record: RunRecord) -> bytes:
        self._done("content")
        return await super().content(record)

    @override
    async def remove(self, record: RunRecord) -> None:
        self._done("remove")
        await super().remove(record)


@dataclass
class Fleet:
    """Processes on one store; the first `failing` upstream calls fail."""

    records: MemoryIdempotencyRecords = field(default_factory=MemoryIdempotencyRecords)
    failing: int = 0
    parts: tuple[bytes, ...] = PARTS
    is_cut: bool = False
    """After its parts."""
    calls: list[str] = field(default_factory=list)
    found: list[tuple[str, Head]] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)

    async def read(self, process: str, key: str = "question") -> bytes:
        clock = LoopClock()
        lines = JsonLines(lambda line: self.incidents.append(line.decode()), clock, "Test")
        flights = FleetFlights(self.records, lines, clock, SeededEntropy(sum(process.encode())))
        run = FleetRun(
            process,
            clock.now() + RUNS_S,
            lambda: self._answer(process),
            lambda: Head({"x-forebay-target": process}, stream=True),
            lambda head: self.found.append((process, head)),
        )
        async with aclosing(flights.share(key, run)) as parts:
            return b"".join([part async for part in parts])

    async def _answer(self, process: str) -> AsyncGenerator[bytes]:
        self.calls.append(process)
        number = len(self.calls)
        await asyncio.sleep(TAKES_S)
        if number <= self.failing:
            raise UpstreamRefused("no", target="p/m", status=500, headers={}, error=None)
        for part in self.parts:
            yield part
        if self.is_cut:
            raise UpstreamCut("cut", target="p/m")

    async def read_all(self, processes: int) -> list[bytes | BaseException]:
        reading = (self.read(f"{number}") for number in range(processes))
        return await asyncio.gather(*reading, return_exceptions=True)


def test_many_processes_share_one_upstream_call() -> None:
    fleet = Fleet()

    assert run_virtual(fleet.read_all(16)) == [b"abc"] * 16
    assert fleet.calls == ["0"]


def test_who_waits_has_the_answer_soon_after_it_is_whole() -> None:
    async def main() -> float:
        await Fleet().read_all(16)
        return asyncio.get_running_loop().time()

    assert TAKES_S <= run_virtual(main()) <= TAKES_S + MAX_POLL_S


def test_who_gets_another_s_answer_is_told_so_and_whose_it_is() -> None:
    fleet = Fleet()
    run_virtual(fleet.read_all(2))

    assert fleet.found == [("1", Head({"x-forebay-target": "0"}, stream=True))]


def test_inv5_another_key_is_another_flight() -> None:
    fleet = Fleet()

    async def main() -> None:
        await asyncio.gather(fleet.read("0", "acme"), fleet.read("1", "other"))

    run_virtual(main())
    assert sorted(fleet.calls) == ["0", "1"]


def test_an_answer_can_be_picked_up_for_a_minute_not_longer() -> None:
    fleet = Fleet()

    async def main() -> list[int]:
        calls: list[int] = []
        for pause_s in (0, STORED_S - 1, 2):
            await asyncio.sleep(pause_s)
            await fleet.read(f"{len(calls)}")
            calls.append(len(fleet.calls))
        return calls

    assert run_virtual(main()) == [1, 1, 2]


def test_a_leader_that_fails_is_replaced_by_one_who_waits() -> None:
    fleet = Fleet(failing=1)
    first, *others = run_virtual(fleet.read_all(5))

    assert isinstance(first, UpstreamRefused)
    assert others == [b"abc"] * 4
    assert len(fleet.calls) == 2


def test_an_answer_that_was_cut_is_nobody_else_s() -> None:
    fleet = Fleet(is_cut=True)
    ends = run_virtual(fleet.read_all(2))

    assert [type(end) for end in ends] == [UpstreamCut] * 2
    assert (fleet.found, len(fleet.records)) == ([], 0)


def test_who_has_waited_for_two_in_vain_runs_alone() -> None:
    fleet = Fleet(failing=100)

    async def main() -> float:
        await fleet.read_all(6)
        return asyncio.get_running_loop().time()

    took_s = run_virtual(main())
    assert sorted(fleet.calls) == ["0", "1", "2", "3", "4", "5"]
    assert took_s <= (MAX_LEADERS + 1) * (TAKES_S + MAX_POLL_S)
    assert (len(fleet.records), fleet.incidents) == (0, [])


def test_a_leader_that_died_is_replaced_when_its_invocation_is_over() -> None:
    fleet = Fleet()

    async def main() -> float:
        now = LoopClock().now()
        dead = RunRecord(
            "flight#question", "question", "dead", began_at=now, expires_at=now + RUNS_S
        )
        await fleet.records.begin(dead, now=now)
        await fleet.read("0")
        return asyncio.get_running_loop().time()

    assert RUNS_S <= run_virtual(main()) <= RUNS_S + LEASE_MARGIN_S + MAX_POLL_S + TAKES_S


@pytest.mark.parametrize("turns", range(8))
def test_a_leader_that_leaves_makes_way(turns: int) -> None:
    fleet = Fleet()

    async def main() -> None:
        reading = asyncio.create_task(fleet.read("0"))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})

    run_virtual(main())
    assert len(fleet.records) == 0


def test_one_that_leaves_while_it_is_put_down_makes_way() -> None:
    stored = asyncio.Event()

    class Slow(MemoryIdempotencyRecords):
        @override
        async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
            met = await super().begin(record, now=now)
            stored.set()
            await asyncio.sleep(1)
            return met

    fleet = Fleet(Slow())

    async def main() -> None:
        reading = asyncio.create_task(fleet.read("0"))
        await stored.wait()
        reading.cancel()
        await asyncio.wait({reading})

    run_virtual(main())
    assert (len(fleet.records), fleet.calls) == (0, [])


def test_one_that_leaves_while_it_waits_leaves_nothing_and_disturbs_nobody() -> None:
    fleet = Fleet()

    async def main() -> bytes:
        leading = asyncio.create_task(fleet.read("0"))
        waiting = asyncio.create_task(fleet.read("1"))
        await asyncio.sleep(1)
        waiting.cancel()
        return await leading

    assert run_virtual(main()) == b"abc"
    assert fleet.calls == ["0"]


@pytest.mark.parametrize("broken", ["begin", "content"])
def test_without_the_store_each_runs_alone_and_the_operator_is_told(broken: str) -> None:
    fleet = Fleet(Down(broken))

    assert run_virtual(fleet.read_all(2)) == [b"abc"] * 2
    assert sorted(fleet.calls) == ["0", "1"]
    assert "flight_not_shared" in fleet.incidents[0]


@pytest.mark.parametrize(
    ("broken", "failing"), [("complete", 0), ("remove", 1)], ids=["whole", "failed"]
)
def test_a_store_that_fails_at_the_end_changes_nothing_for_the_caller(
    broken: str, failing: int
) -> None:
    fleet = Fleet(Down(broken), failing=failing)
    run_virtual(fleet.read_all(1))

    assert ["flight_not_ended" in line for line in fleet.incidents] == [True]


def test_an_answer_too_large_to_store_makes_way() -> None:
    fleet = Fleet(parts=tuple(os.urandom(1024 * 1024) for _ in range(6)))

    assert run_virtual(fleet.read("0")) == b"".join(fleet.parts)
    assert len(fleet.records) == 0


def test_a_damaged_answer_is_not_taken() -> None:
    class Damaged(MemoryIdempotencyRecords):
        @override
        async def content(self, record: RunRecord) -> bytes:
            return b"nonsense"

    fleet = Fleet(Damaged())

    assert run_virtual(fleet.read_all(2)) == [b"abc"] * 2
    assert "flight_not_shared" in fleet.incidents[0]

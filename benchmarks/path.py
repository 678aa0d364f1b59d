"""What the whole local path adds: front, Runtime API, bootstrap, gateway, DynamoDB's emulator.

Run: `python -m benchmarks.path`. Prints first-token times through the gateway beside those of a
direct call, and the CPU that the gateway's process takes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.client import Timing, ask, percentile
from benchmarks.stack import KEY, Stack, gateway_pid, running_stack
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.system import SystemClock
from forebay_cli.client import for_url

CALLS = 300
WARM_UP = 50
SHORT = {"tokens": 1, "gap_ms": 0}
KEYS = 400
"""Each short request has a key that was not read in the last second, so it costs its table read."""
LOADS: tuple[tuple[str, int, int, Mapping[str, float], bool], ...] = (
    ("a short request, 1 caller", 1, KEYS, SHORT, False),
    ("a short request, 8 callers", 8, KEYS, SHORT, False),
    ("500 chunks as fast as they come", 1, 50, {"tokens": 500, "gap_ms": 0}, True),
    ("500 chunks, 10 ms apart", 1, 4, {"tokens": 500, "gap_ms": 10}, True),
)
"""Name, callers at a time, requests, what is asked for, whether streamed."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


async def added_first_token(stack: Stack) -> None:
    """One caller: the same call direct and through the gateway, by turns."""
    pool = ConnectionPool(SystemClock())
    direct: list[Timing] = []
    through: list[Timing] = []
    for _ in range(WARM_UP + CALLS):
        direct.append(await ask(pool, stack.direct_url, "", SHORT, stream=True))
        through.append(await ask(pool, stack.gateway_url, KEY, SHORT, stream=True))
    if not all(timing.complete for timing in direct + through):
        raise RuntimeError("an answer was not complete")
    added = [
        (b.first - a.first) * 1000 for a, b in zip(direct[WARM_UP:], through[WARM_UP:], strict=True)
    ]
    p50, p99 = percentile(added, 0.5), percentile(added, 0.99)
    print(f"added time to first token, 1 caller: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    pool.close()


async def cpu_a_request(stack: Stack) -> None:
    """CPU of the gateway's process, beside that of a relay that does nothing."""
    gateway, keys = gateway_pid(stack), created_keys(stack)
    for label, callers, count, bench, stream in LOADS:
        load = Load(callers, count, bench, stream=stream)
        floor = await cpu_ms(stack.relay_pid, stack.relay_url, load, keys)
        ours = await cpu_ms(gateway, stack.gateway_url, load, keys)
        print(f"CPU, {label:32} gateway {ours:7.2f} ms   bare relay {floor:7.2f} ms")


def created_keys(stack: Stack) -> list[str]:
    """Make keys through the admin API."""
    with for_url(stack.gateway_url) as admin:
        return [str(admin.create_key({"name": f"bench-{n}"})["secret"]) for n in range(KEYS)]


@dataclass(frozen=True)
class Load:
    """So many requests, so many at a time."""

    callers: int
    count: int
    bench: Mapping[str, float]
    stream: bool = field(kw_only=True)


async def cpu_ms(pid: int, url: str, load: Load, keys: list[str]) -> float:
    """CPU that a process takes for a request of a load."""
    pool = ConnectionPool(SystemClock())
    await ask(pool, url, keys[0], load.bench, stream=load.stream)
    turns = iter(range(load.count))

    async def caller() -> None:
        for turn in turns:
            await ask(pool, url, keys[turn % KEYS], load.bench, stream=load.stream)

    before = cpu_s(pid)
    await asyncio.gather(*(caller() for _ in range(load.callers)))
    pool.close()
    return (cpu_s(pid) - before) / load.count * 1000


async def measure(stack: Stack) -> None:
    """Both."""
    await added_first_token(stack)
    await cpu_a_request(stack)


def main() -> None:
    """Start the stack, measure, end it."""
    with running_stack() as stack:
        asyncio.run(measure(stack))


if __name__ == "__main__":
    main()

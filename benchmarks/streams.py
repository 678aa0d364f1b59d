"""Two hundred streams at once through one gateway process.

Run: `python -m benchmarks.streams`. Prints how many were incomplete, how late chunks were beside
a direct call of the same kind, and the gateway's peak memory.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.client import Timing, ask, percentile
from benchmarks.stack import KEY, Stack, gateway_pid, running_stack
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.system import SystemClock

STREAMS = 200
TOKENS = 200
GAP_MS = 50
"""20 tokens a second for 10 seconds."""
START_WITHIN_S = 1.0
"""All are under way after that: this measures streams, not a burst of new ones."""


async def burst(url: str) -> list[Timing]:
    """All streams, started one after the other."""
    pool = ConnectionPool(SystemClock())
    bench = {"tokens": TOKENS, "gap_ms": GAP_MS}

    async def one(index: int) -> Timing:
        await asyncio.sleep(index * START_WITHIN_S / STREAMS)
        return await ask(pool, url, KEY, bench, stream=True)

    timings = await asyncio.gather(*(one(index) for index in range(STREAMS)))
    pool.close()
    return timings


def delays_ms(timings: list[Timing]) -> list[float]:
    """How late each chunk was, counted from its stream's request, milliseconds."""
    late: list[float] = []
    for timing in timings:
        seen = 0
        for at, chunks in timing.arrivals:
            # The first two chunks (role, first word) are due at once, each further a gap later.
            due = range(seen, min(seen + chunks, TOKENS + 1))
            late += [at * 1000 - max(0, index - 1) * GAP_MS for index in due]
            seen += chunks
    return late


def peak_memory_mb(pid: int) -> float:
    """The most that a process had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(stack: Stack) -> None:
    """Direct, then through the gateway."""
    await ask(ConnectionPool(SystemClock()), stack.gateway_url, KEY, {"tokens": 1}, stream=True)
    direct = await burst(stack.direct_url)
    through = await burst(stack.gateway_url)
    incomplete = sum(not timing.complete for timing in through)
    base, ours = percentile(delays_ms(direct), 0.99), percentile(delays_ms(through), 0.99)
    first = percentile([timing.first for timing in through], 0.99) * 1000
    print(f"{STREAMS} streams of {1000 // GAP_MS} tokens/s for {TOKENS * GAP_MS // 1000} s:")
    print(f"  incomplete {incomplete}, p99 first byte {first:.0f} ms")
    print(f"  p99 chunk delay: {ours:.0f} ms, {ours - base:.0f} ms over direct")
    print(f"  peak memory of the gateway's process {peak_memory_mb(gateway_pid(stack)):.0f} MB")


def main() -> None:
    """Start the stack, measure, end it."""
    with running_stack() as stack:
        asyncio.run(measure(stack))


if __name__ == "__main__":
    main()

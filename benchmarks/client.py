"""A client that only measures: one request, the moment of each chunk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from forebay.adapters.http.pool import ConnectionPool, Origin

WAIT_S = 60.0


@dataclass
class Timing:
    """What one answer's arrival looked like; seconds from the request on."""

    status: int = 0
    first: float = 0.0
    """The first byte of the body."""
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """When how many chunks had come."""
    total: float = 0.0
    complete: bool = False


async def ask(
    pool: ConnectionPool, base_url: str, key: str, bench: Mapping[str, float], *, stream: bool
) -> Timing:
    """Ask for an answer as `benchmarks.upstream` understands it."""
    body = json.dumps(
        {
            "model": "bench",
            "stream": stream,
            "messages": [{"role": "user", "content": "hello"}],
            "bench": bench,
        }
    ).encode()
    head = (
        f"POST {urlsplit(base_url).path}/chat/completions HTTP/1.1\r\n"
        f"host: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    timing = Timing()
    started = time.perf_counter()
    reply = await pool.send(
        Origin.of(base_url), head.encode() + body, connect_s=WAIT_S, head_s=WAIT_S
    )
    timing.status = reply.status
    tail = b""
    while part := await reply.read(timeout_s=WAIT_S):
        now = time.perf_counter() - started
        timing.first = timing.first or now
        timing.arrivals.append((now, part.count(b"data: ")))
        tail = (tail + part)[-64:]
    timing.total = time.perf_counter() - started
    timing.complete = b"[DONE]" in tail if stream else timing.status == 200
    await reply.release()
    return timing


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

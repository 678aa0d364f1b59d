"""HTTP calls that end by a deadline and note when each part of the answer came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

import httpx2

from forebay_cli.checks.finding import CheckFailed

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Most that is kept of an answer; the longest that a check asks for is below 0.1 MB."""

CONNECT_S = 10.0


class Clock(Protocol):
    """Measures and waits."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class MachineClock:
    """This machine's clock."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: TID251 - the clock itself: this is what a `Clock` is made of


class Ending(StrEnum):
    """How an answer ended."""

    WHOLE = "ended"
    BROKEN = "broke off"
    OVERDUE = "was still going on at the deadline"
    ENOUGH = "was left"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and its answer; times are seconds of one `Clock`.

    Args:
        headers: Of the answer; names in any case.
        tls: The version, `TLSv1.3`; None: plain HTTP.
        began_s: When the call was sent.
        reads: What came of the body, each part with the time of its arrival.
        ended_s: When the answer ended.
    """

    status: int
    headers: httpx2.Headers
    tls: str | None
    began_s: float
    reads: tuple[tuple[float, bytes], ...]
    ended_s: float
    ending: Ending

    @property
    def body(self) -> bytes:
        """All of the body that came."""
        return b"".join(data for _, data in self.reads)

    def ms(self, moment_s: float) -> int:
        """Milliseconds from the call's beginning."""
        return round((moment_s - self.began_s) * 1000)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked.

    Args:
        path: Below `/v1`, beginning with `/`.
        secret: Of a gateway key, sent as a bearer token.
        authorization: The whole header field instead.
        enough: Told of each part of the body; True: the rest is not waited for.
    """

    method: str
    path: str
    secret: str | None = None
    authorization: str | None = None
    content: bytes | None = None
    enough: Callable[[bytes], bool] = lambda _: False

    def headers(self) -> dict[str, str]:
        """Header fields that the call needs."""
        fields = {} if self.content is None else {"Content-Type": "application/json"}
        authorization = self.authorization or (self.secret and f"Bearer {self.secret}")
        return fields | ({"Authorization": authorization} if authorization else {})


class Caller:
    """Calls one base URL.

    Args:
        base_url: With `/v1`.
        deadline_s: Seconds that a call may take; one that falls silent as its time runs out may
            take twice as long.
        trust_env: Whether proxies of the environment are asked.
        clock: Times the answers.
    """

    def __init__(self, base_url: str, *, deadline_s: float, trust_env: bool, clock: Clock) -> None:
        self.base_url = base_url
        self._deadline_s = deadline_s
        self._clock = clock
        timeout = httpx2.Timeout(deadline_s, connect=min(deadline_s, CONNECT_S))
        self._http = httpx2.Client(timeout=timeout, trust_env=trust_env)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def exchange(self, call: Call) -> Exchange:
        """Call, and read the answer to its end, as far as it goes.

        Raises:
            CheckFailed: There was no answer, not even a head.
        """
        began_s = self._clock.now()
        stream = self._http.stream(
            call.method, self.base_url + call.path, content=call.content, headers=call.headers()
        )
        try:
            with stream as response:
                reads, ending = self._read(response, call, began_s)
                return Exchange(
                    status=response.status_code,
                    headers=response.headers,
                    tls=_tls_version(response),
                    began_s=began_s,
                    reads=tuple(reads),
                    ended_s=self._clock.now(),
                    ending=ending,
                )
        except httpx2.TimeoutException as fault:
            raise CheckFailed(
                f"{call.method} {call.path}: no answer within {self._deadline_s:g} s "
                f"({type(fault).__name__})"
            ) from fault
        except (httpx2.HTTPError, httpx2.InvalidURL) as fault:
            raise CheckFailed(
                f"{call.method} {call.path}: no answer ({type(fault).__name__}: {fault})"
            ) from fault

    def _read(
        self, response: httpx2.Response, call: Call, began_s: float
    ) -> tuple[list[tuple[float, bytes]], Ending]:
        reads: list[tuple[float, bytes]] = []
        size = 0
        try:
            for data in response.iter_raw():
                now_s = self._clock.now()
                reads.append((now_s, data))
                size += len(data)
                if call.enough(data):
                    return reads, Ending.ENOUGH
                if now_s - began_s > self._deadline_s or size > MAX_BODY_BYTES:
                    return reads, Ending.OVERDUE
        except httpx2.TimeoutException:
            return reads, Ending.OVERDUE
        except httpx2.HTTPError:
            return reads, Ending.BROKEN
        return reads, Ending.WHOLE


def json_or_none(data: bytes) -> Any:
    """Decode JSON; None if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _tls_version(response: httpx2.Response) -> str | None:
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    return tls.version() if tls else None

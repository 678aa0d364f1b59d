"""Equal requests that are in flight in one process share one upstream call.

A *flight* is a table entry, a log of the answer's bytes, and one task that fills it. Whoever asks
has a *seat* and reads the log from its beginning at its own pace, so a slow reader slows nobody.
The task belongs to the flight: whoever leads may leave, and it ends when nobody is left::

    join      no flight: take off, with the first seat as its pilot | one: sit down
    leave     last seat: the pilot's run is cancelled, the flight is gone
    run ends  whole: all reach the end of the log
              failed before the first byte: the pilot gets the error, and another seat becomes the
              pilot with a run of its own; the `MAX_FAILURES`th error is everybody's
              failed after it: everybody has the same bytes, so everybody gets the error

The log lives as long as the flight or a seat in it; it is bounded by the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import copy_context
from types import TracebackType
from typing import Final, Generic, TypeVar

from typing_extensions import override

from forebay.errors import ForebayError

MAX_FAILURES: Final = 2
"""Runs that may fail before a byte until all get the error: one may be bad luck or the pilot's
own (its key, its deadline), two are the answer."""

Pilot = TypeVar("Pilot")
Make = Callable[[], AsyncGenerator[bytes]]


class Flights(Generic[Pilot]):
    """The flights of one process, by the key of what is asked. Belongs to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[Pilot]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: str, pilot: Pilot, make: Make) -> Seat[Pilot]:
        """Take a seat: in the flight that there is, or in one that takes off now.

        Args:
            key: Names the question and who may share its answer (invariant 5).
            pilot: What this caller knows of its own run; others see it if it leads.
            make: Makes this caller's own run. It is called if it leads, once, in a task of the
                flight, and closed there.

        Returns:
            The answer. Must be closed.
        """
        flying = self._flights.get(key)
        flight = flying or _Flight(lambda: self._flights.pop(key))
        seat = Seat(flight, pilot, make)
        flight.board(seat)
        if flying is None:
            self._flights[key] = flight
            flight.take_off(seat)
        return seat


class _Flight(Generic[Pilot]):
    """One shared answer. Its methods do not wait, so what they do is done at once.

    Args:
        landed: Called once, when nobody may join any more.
    """

    pilot: Seat[Pilot]
    """Who leads; there is one from the first take-off on."""
    _run: asyncio.Task[None]

    def __init__(self, landed: Callable[[], object]) -> None:
        self.log: list[bytes] = []
        self.over = False
        self.error: BaseException | None = None
        """Why it ended before the answer was whole."""
        self.news = asyncio.Event()
        """Of the next byte or the end; a new one each time, so each reader has its own wait."""
        self._landed = landed
        self._failures = 0
        self._seats: dict[Seat[Pilot], None] = {}  # in the order in which they came

    def board(self, seat: Seat[Pilot]) -> None:
        self._seats[seat] = None

    def leave(self, seat: Seat[Pilot]) -> None:
        """Free a seat; without passengers there is no flight."""
        if seat not in self._seats:
            return
        del self._seats[seat]
        if not self._seats and not self.over:
            self._land(None)
            self._run.cancel()

    def take_off(self, seat: Seat[Pilot]) -> None:
        self.pilot = seat
        run = asyncio.get_running_loop().create_task(self._fly(seat), context=seat.context)
        run.add_done_callback(self._run_ended)
        self._run = seat.run = run

    async def _fly(self, seat: Seat[Pilot]) -> None:
        async with aclosing(seat.make()) as parts:
            async for part in parts:
                self.log.append(part)
                self._tell()

    def _run_ended(self, run: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if run.cancelled() else run.exception()
        if self.over:  # nobody was left to tell
            return
        if error is None or self.log:
            self._land(error)
            return
        self._failures += 1
        heir = next((seat for seat in self._seats if seat is not self.pilot), None)
        if heir is None or self._failures >= MAX_FAILURES:
            self._land(error)
            return
        self._eject(error)
        self.take_off(heir)

    def _eject(self, error: BaseException) -> None:
        """Let the pilot go with its error; the flight goes on without it."""
        if self.pilot in self._seats:
            del self._seats[self.pilot]
            self.pilot.error = error
        self._tell()

    def _land(self, error: BaseException | None) -> None:
        self.over, self.error = True, error
        self._landed()
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class Seat(AsyncGenerator[bytes, None], Generic[Pilot]):
    """One caller's view of a shared answer: its bytes from the beginning.

    Iterating raises what the run raised: the pilot the error itself, the others a copy of it (one
    instance raised in many tasks would gather all their tracebacks).
    """

    def __init__(self, flight: _Flight[Pilot], pilot: Pilot, make: Make) -> None:
        self._flight = flight
        self.own = pilot
        self._read = 0
        self._closed = False
        self.make = make
        self.context = copy_context()  # its trace, for the case that it leads
        self.run: asyncio.Task[None] | None = None
        """Its own run, if it leads or has led."""
        self.error: BaseException | None = None
        """Why its own run failed, if the flight goes on without it."""

    @property
    def led(self) -> bool:
        """Whether its own run was started: it pays for it."""
        return self.run is not None

    @property
    def pilot(self) -> Pilot:
        """What is known of the run whose bytes these are."""
        return self.own if self.error is not None else self._flight.pilot.own

    async def landed(self) -> None:
        """Wait until its own run has ended, if it had one: then what it took is known.

        To be called after `aclose`; while others listen, a run goes on without its caller.
        """
        if self.run is not None:
            await asyncio.wait({self.run})

    @override
    async def __anext__(self) -> bytes:
        flight = self._flight
        while not self._closed:
            if self._read < len(flight.log) and self.error is None:
                self._read += 1
                return flight.log[self._read - 1]
            if self.error is not None or flight.over:
                await self.aclose()
                self._raise(self.error or flight.error)
                break
            await flight.news.wait()
        raise StopAsyncIteration

    @override
    async def asend(self, value: None) -> bytes:
        """Return the next part; nothing can be sent."""
        return await self.__anext__()

    @override
    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """Leave, and raise."""
        await self.aclose()
        raise typ

    @override
    async def aclose(self) -> None:
        """Leave. If that ends the flight, its run has ended on return."""
        self._closed = True
        self._flight.leave(self)
        if self.run is not None and self.run.cancelling():
            await self.landed()

    def _raise(self, error: BaseException | None) -> None:
        if error is None:
            return
        if self.led and isinstance(error, Exception):
            raise error
        raise _told(error) from error


def _told(error: BaseException) -> ForebayError:
    """Return an error to raise for one that happened in another task."""
    if not isinstance(error, ForebayError):
        return ForebayError(f"the shared call failed ({type(error).__qualname__})")
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy

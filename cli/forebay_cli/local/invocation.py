"""One invocation of a function: its event on the way in, its answer on the way out."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Final, Protocol

MAX_EVENT_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit of a synchronous invocation's payload


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an invocation has no whole answer, in the Runtime API's words.

    Attributes:
        type: `Runtime.ExitError`, `Sandbox.Timedout`, or what the function raised.
        message: for a person.
    """

    type: str
    message: str

    @property
    def summary(self) -> str:
        """One line of it; a runtime that could has logged the stack trace itself."""
        return f"{self.type}: {self.message.partition(chr(10))[0]}"


class ThrottledError(Exception):
    """All sandboxes are taken: Lambda's 429 `TooManyRequestsException`."""


class TooLargeError(Exception):
    """The event is over `MAX_EVENT_BYTES`: Lambda's 413 `RequestTooLargeException`."""


class Sink(Protocol):
    """Where an answer goes. Both are called on the event loop; neither may block."""

    def chunk(self, data: bytes) -> None:
        """Take the next bytes, as soon as the function posted them."""

    def finish(self, failure: Failure | None) -> None:
        """Know that nothing follows; called exactly once. With a failure, the answer is cut."""


class Invocation:
    """An event that waits for a sandbox, or is with one.

    Args:
        payload: the event, JSON in UTF-8.
        sink: takes the answer.
    """

    __slots__ = (
        "_finished",
        "_paused",
        "claimed",
        "deadline",
        "id",
        "payload",
        "request_id",
        "sink",
        "source",
    )

    def __init__(self, payload: bytes, sink: Sink) -> None:
        self.payload = payload
        self.sink = sink
        self.request_id = str(uuid.uuid4())
        self.id = str(uuid.uuid4())  # `Lambda-Runtime-Invocation-Id`, to be echoed
        self.deadline: asyncio.TimerHandle | None = None  # runs from the hand-over to a sandbox
        self.source: asyncio.Transport | None = None  # the connection its response comes by
        self.claimed = False  # its response has begun; a second one is refused
        self._paused = False
        self._finished = False

    def respond_from(self, source: asyncio.Transport) -> None:
        """Note where the response comes from, so that a slow client can slow it."""
        self.source = source
        if self._paused:
            source.pause_reading()

    def pause(self) -> None:
        """Take no more of the response: the client's buffer is full."""
        self._paused = True
        if self.source is not None:
            self.source.pause_reading()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        if self.source is not None:
            self.source.resume_reading()

    def finish(self, failure: Failure | None) -> None:
        """End it, once; a second end (a time-out beside a crash) changes nothing."""
        if self._finished:
            return
        self._finished = True
        self.source = None
        if self.deadline is not None:
            self.deadline.cancel()
        self.sink.finish(failure)

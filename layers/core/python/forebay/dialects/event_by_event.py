"""Streams that are passed on event by event, as they came."""

from __future__ import annotations

from abc import ABC, abstractmethod

from forebay.dialects import DialectError, sse


class EventByEvent(ABC):
    """Passes events on until the stream ends.

    What is no event of the dialect ends it too: `_check` raises it at the end, so that what came
    before is not lost.
    """

    ended: bool
    """Whether there is no more to wait for."""
    _events: sse.EventReader
    _failure: DialectError | None

    def feed(self, received: bytes) -> bytes:
        """Take bytes of the target and return what they mean for the caller, maybe nothing."""
        passed_on: list[bytes] = []
        try:
            for data in self._events.feed(received):
                if self.ended:
                    break
                passed_on.append(self._pass_on(data))
        except DialectError as error:
            self._failure, self.ended = error, True
        return b"".join(passed_on)

    @abstractmethod
    def _pass_on(self, data: bytes) -> bytes:
        """Take one event's data and return what the caller gets for it, maybe nothing.

        Raises:
            DialectError: It is none of the dialect's.
        """

    def _check(self) -> None:
        """Raise what `feed` met."""
        if self._failure is not None:
            raise self._failure

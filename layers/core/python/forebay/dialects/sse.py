r"""Server-sent events, read from bytes as they come.

Source: WHATWG HTML, 9.2.6 "Interpreting an event stream". A line ends in CR, LF or CRLF and in
nothing else: U+2028 and U+0085, at which `str.splitlines` splits too, are legal within JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.dialects import DialectError

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""Longest event that is kept in memory; a whole answer in one chunk stays far below."""

COMMENT = b": keep-alive\n\n"
"""Says that the stream lives; readers pass over it."""

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class EventReader:
    """Collects the `data` of each event; comments and other fields are passed over."""

    _partial_line: list[bytes] = field(default_factory=list)
    _data: list[bytes] = field(default_factory=list)
    _data_bytes: int = 0
    _pending_bytes: int = 0
    _last_was_cr: bool = False
    _at_start: bool = True

    def feed(self, received: bytes) -> list[bytes]:
        """Take what arrived and return the data of the events that it completes.

        Raises:
            DialectError: An event is longer than `MAX_EVENT_BYTES`.
        """
        received = self._with_plain_line_ends(received)
        if b"\n" not in received:
            self._hold(received)
            return []
        *lines, rest = received.split(b"\n")
        if self._partial_line:
            lines[0] = b"".join((*self._partial_line, lines[0]))
            self._partial_line.clear()
        events: list[bytes] = []
        for line in lines:
            self._take_line(line, events)
        self._pending_bytes = self._data_bytes
        self._hold(rest)
        return events

    def _with_plain_line_ends(self, received: bytes) -> bytes:
        """Turn CR and CRLF into LF, also where a CRLF is split between two reads."""
        if self._last_was_cr and received.startswith(b"\n"):
            received = received[1:]
            self._last_was_cr = False
        if received:
            self._last_was_cr = received.endswith(b"\r")
        if b"\r" in received:
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return received

    def _hold(self, rest: bytes) -> None:
        if rest:
            self._partial_line.append(rest)
            self._pending_bytes += len(rest)
        if self._pending_bytes > MAX_EVENT_BYTES:
            raise DialectError(f"an event of over {MAX_EVENT_BYTES} bytes")

    def _take_line(self, line: bytes, events: list[bytes]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._data_bytes += len(line)
        elif line == b"data":
            self._data.append(b"")
            self._data_bytes += len(line)


def event(data: bytes, *, name: str | None = None) -> bytes:
    """Write one event; a line break in `data` (legal between JSON's tokens) makes a line of it."""
    named = b"" if name is None else b"event: %b\n" % name.encode()
    return named + b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"

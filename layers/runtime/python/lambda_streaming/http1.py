"""Parse HTTP/1.1 responses: bytes in, one response out; no socket.

Only what a client of the Runtime API needs (RFC 9112, sections 4-7): status line, headers, and a
body by Content-Length, by chunks, or up to the end of the connection. The standard library's parser
reads from blocking files, and h11 would be the layer's only dependency, for these 120 lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Client context and Cognito identity come as headers of /next; Lambda bounds them at about 3.5 KB.
MAX_HEAD_BYTES = 65_536


class MalformedResponse(ConnectionError):
    """The peer does not speak HTTP/1.1; the connection cannot be used further."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response; header names in lower case, of repeated ones the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool


class ResponseParser:
    """Read one response from bytes that arrive in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body = bytearray()
        self._step: Callable[[], bool] = self._read_head
        self._status = 0
        self._headers: dict[str, str] = {}
        self._left = 0  # bytes missing of the body (or of the chunk)
        self._ends_with_connection = False
        self._response: Response | None = None

    @property
    def untouched(self) -> bool:
        """Whether no byte of a response has come yet."""
        return not (self._buffer or self._status)

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; return the response once it is whole.

        Raises:
            MalformedResponse: these bytes are no HTTP/1.1 response.
        """
        self._buffer += data
        while self._response is None and self._step():
            pass
        return self._response

    def end(self) -> Response | None:
        """The connection has ended: return the response if that is what completes it."""
        if self._response is None and self._ends_with_connection:
            self._body += self._buffer
            self._complete()
        return self._response

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise MalformedResponse(f"response head over {MAX_HEAD_BYTES} bytes")
        if end < 0:
            return False
        status_line, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self._status = _status(status_line)
        self._headers = dict(map(_header, lines))
        if self._status >= 200:  # 1xx: the real head follows
            self._step = self._body_reader()
        return True

    def _body_reader(self) -> Callable[[], bool]:
        if self._status in {204, 304}:
            return self._read_fixed
        if self._headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunk_size
        length = self._headers.get("content-length")
        if length is None:
            self._ends_with_connection = True
            return lambda: False
        self._left = _number(length, 10)
        return self._read_fixed

    def _read_fixed(self) -> bool:
        if not self._take():
            return False
        self._complete()
        return True

    def _read_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._left = _number(line.partition(b";")[0].decode("latin-1").strip(), 16)
        self._step = self._read_chunk if self._left else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        if not self._take() or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise MalformedResponse("a chunk is longer than its size says")
        del self._buffer[:2]
        self._step = self._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        line = self._line()
        if line == b"":
            self._complete()
        return line is not None

    def _take(self) -> bool:
        piece = self._buffer[: self._left]
        self._body += piece
        self._left -= len(piece)
        del self._buffer[: len(piece)]
        return self._left == 0

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise MalformedResponse(f"line over {MAX_HEAD_BYTES} bytes")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _complete(self) -> None:
        closing = self._headers.get("connection", "").lower() == "close"
        keep_alive = not closing and not self._ends_with_connection and not self._buffer
        self._response = Response(self._status, self._headers, bytes(self._body), keep_alive)


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        raise MalformedResponse(f"no HTTP/1.1 status line: {line[:80]!r}")
    return int(code)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise MalformedResponse(f"no header: {line[:80]!r}")
    return name.lower(), value.strip()


def _number(text: str, base: int) -> int:
    digits = "0123456789abcdef"[:base]
    if not text or len(text) > 16 or any(c not in digits for c in text.lower()):
        raise MalformedResponse(f"no length: {text[:80]!r}")
    return int(text, base)

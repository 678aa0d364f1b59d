"""An answer in storage: its head and its parts, just as the caller got them, compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import msgspec

from forebay.errors import StoreError

MAX_STORED_BYTES: Final = 4 * 1024 * 1024
"""Of a compressed answer; that is some 20 MB of streamed JSON."""

LEVEL: Final = 1
"""Of compression: 40 MB/s on one core, and JSON still shrinks to a fifth."""

_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Head:
    """What goes before an answer's body."""

    headers: Mapping[str, str]
    """For the caller: `x-forebay-…`."""
    stream: bool


class Recorder:
    """Takes an answer's parts as they pass. Holds `MAX_STORED_BYTES` at most.

    Args:
        head: Of the answer.
    """

    def __init__(self, head: Head) -> None:
        self._stored = BytesIO()
        self._writer = gzip.GzipFile(fileobj=self._stored, mode="wb", compresslevel=LEVEL, mtime=0)
        self._too_large = False
        self.add(msgspec.json.encode(head))

    def add(self, part: bytes) -> None:
        """Take the next part."""
        if self._too_large:
            return
        self._writer.write(len(part).to_bytes(_LENGTH_BYTES, "big") + part)
        self._too_large = self._stored.tell() > MAX_STORED_BYTES

    def content(self) -> bytes | None:
        """Return what to store, once; None if it is too large. No part may come after."""
        self._writer.close()
        content = self._stored.getvalue()
        return None if len(content) > MAX_STORED_BYTES else content


def replay(content: bytes) -> tuple[Head, Iterator[bytes]]:
    """Return the head and the parts of a stored answer; the parts are unpacked one by one.

    Raises:
        StoreError: It is damaged; iterating over the parts raises it, too.
    """
    frames = _frames(content)
    try:
        head = msgspec.json.decode(next(frames), type=Head)
    except (StopIteration, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError("a stored answer cannot be read: no head") from error
    return head, frames


def _frames(content: bytes) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as reader:
            while length := reader.read(_LENGTH_BYTES):
                yield reader.read(int.from_bytes(length, "big"))
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"a stored answer cannot be read: {error}") from error

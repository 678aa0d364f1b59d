"""AWS's binary event stream, as lines of JSON that a dialect reads.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html (the frames),
https://smithy.io/2.0/aws/amazon-eventstream.html (their headers).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from botocore.eventstream import EventStreamMessage

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


class BrokenFrame(Exception):
    """Bytes that are no frame, or not those that were sent (a checksum differs)."""


class EventStreamDecoder:
    r"""Makes lines of frames: `{"contentBlockDelta":{…}}\n`, `{"exception":{…}}\n`.

    botocore's parser does the reading. It works on bytes in memory, so it blocks nothing; its
    import takes 4 ms, so it waits for the first stream.
    """

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer, ParserError  # noqa: PLC0415 - see above

        self._frames = EventStreamBuffer()
        # A frame whose checksums are right can still have headers that are none.
        self._faults = (ParserError, struct.error, KeyError, UnicodeDecodeError)

    def feed(self, received: bytes) -> tuple[bytes, BrokenFrame | None]:
        """Take what came.

        Returns:
            The lines of the frames that it completes, and what is wrong with the next one.
        """
        lines: list[bytes] = []
        self._frames.add_data(received)
        try:
            lines.extend(_line(frame) for frame in self._frames)
        except self._faults as error:
            broken = BrokenFrame("the event stream is damaged")
            broken.__cause__ = error
            return b"".join(lines), broken
        return b"".join(lines), None


def _line(frame: EventStreamMessage) -> bytes:
    headers: Any = frame.headers  # a dict, whatever the type stubs say
    match headers.get(":message-type"):
        case "exception":
            kind = headers.get(":exception-type")
            return _exception(kind, _message(frame.payload))
        case "error":
            return _exception(headers.get(":error-code"), headers.get(":error-message"))
        case _:
            name = msgspec.json.encode(str(headers[":event-type"]))
            # A line break in JSON stands between its tokens, or it is none.
            payload = frame.payload.replace(b"\n", b" ") or b"{}"
            return b"{" + name + b":" + payload + b"}\n"


def _exception(kind: object, message: object) -> bytes:
    error = {"type": str(kind), "message": str(message or "")}
    return msgspec.json.encode({"exception": error}) + b"\n"


def _message(payload: bytes) -> object:
    try:
        return _decode_fields(payload).get("message")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

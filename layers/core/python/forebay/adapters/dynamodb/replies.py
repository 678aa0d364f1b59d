"""Bytes of one HTTP/1.1 reply in, the reply out: no socket here.

The grammar is httptools' business (Node's llhttp in C; decision 0004 has the figures).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_REPLY_BYTES = 16_777_216
"""DynamoDB's largest reply is a batch of 16 MB; pages of a query hold 1 MB."""


class GarbledReply(Exception):
    """The peer sent what is no reply to one request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    keep_alive: bool
    """Whether its connection may carry another request."""


class ReplyReader:
    """Collect one reply, however its bytes are cut."""

    def __init__(self) -> None:
        self.started = False
        """Whether a byte has come."""
        self._parser = HttpResponseParser(self)
        self._received_bytes = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._reply: Reply | None = None
        self._excess = False

    def feed(self, data: bytes) -> Reply | None:
        """Take the next bytes; return the reply once it is whole.

        Raises:
            GarbledReply: Not HTTP, larger than `MAX_REPLY_BYTES`, or more than one reply.
        """
        self.started = True
        self._received_bytes += len(data)
        if self._received_bytes > MAX_REPLY_BYTES:
            raise GarbledReply(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise GarbledReply(f"not an HTTP reply: {error}") from error
        if self._excess:
            raise GarbledReply("bytes after the end of the reply")
        return self._reply

    # What httptools calls, by these names.

    def on_message_begin(self) -> None:
        """A status line follows."""
        self._excess = self._reply is not None

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Some of the body, freed from its transfer coding."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The reply is whole."""
        status = self._parser.get_status_code()
        if status < 200:  # an interim reply (100 Continue): the real one follows
            self._headers = {}
            return
        self._reply = Reply(
            status=status,
            headers=self._headers,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive(),
        )

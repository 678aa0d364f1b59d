"""From a function's answer to the client's connection: streamed chunk by chunk, or whole."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final, Protocol

from typing_extensions import override

from forebay_cli.local.gateway_responses import MALFORMED_RESPONSE, GatewayError
from forebay_cli.local.http1 import LAST_CHUNK, Request, chunk, response_head
from forebay_cli.local.invocation import Failure, Invocation, Sink
from forebay_cli.local.prelude import Head, MalformedError, read_buffered, split_prelude

BODILESS: Final = frozenset({204, 304})


class Client(Protocol):
    """The front's end of the connection to whoever asked."""

    def write(self, data: bytes) -> None:
        """Send at once; what a client that is gone would get is dropped."""

    def refuse(self, error: GatewayError) -> None:
        """Send an answer of the gateway's own."""

    def cut(self) -> None:
        """Close without the last chunk: the answer is not whole."""

    def complete(self) -> None:
        """The answer is whole; go on with the next request, or close."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a relay knows of the request that it answers.

    Attributes:
        now: seconds on a clock that only goes forward.
    """

    request: Request
    request_id: str
    log: Callable[[str], None]
    now: Callable[[], float]


class Relay(Sink, abc.ABC):
    """Takes a function's answer. After `give_up` it swallows the rest: a function is not told."""

    def __init__(self, client: Client, exchange: Exchange) -> None:
        self._client = client
        self._exchange = exchange
        self._done = False
        self.invocation: Invocation | None = None
        self.last_byte_s = exchange.now()

    def give_up(self, error: GatewayError) -> None:
        """End the client's side now: by an answer if none has begun, else by a cut."""
        if self._done:
            return
        self._done = True
        if self.begun:
            self._client.cut()
        else:
            self._client.refuse(error)

    @property
    @abc.abstractmethod
    def begun(self) -> bool:
        """Whether the client has seen a byte of the answer."""

    def _head(self, head: Head, framing: list[tuple[str, str]]) -> bytes:
        own = [
            ("Date", formatdate(usegmt=True)),
            ("x-amzn-RequestId", self._exchange.request_id),
            ("Connection", "keep-alive" if self._exchange.request.keep_alive else "close"),
        ]
        return response_head(head.status, [*head.headers, *framing, *own])

    def _malformed(self, error: MalformedError) -> None:
        self._exchange.log(f"malformed answer: {error}")
        self.give_up(MALFORMED_RESPONSE)

    def _has_body(self, head: Head) -> bool:
        return self._exchange.request.method != "HEAD" and head.status not in BODILESS


class StreamRelay(Relay):
    """Passes each chunk on as it comes, in one write."""

    def __init__(self, client: Client, exchange: Exchange) -> None:
        super().__init__(client, exchange)
        self._prelude: bytearray | None = bytearray()
        self._chunked = exchange.request.version == "1.1"
        self._bodiless = False

    @property
    @override
    def begun(self) -> bool:
        return self._prelude is None

    @override
    def chunk(self, data: bytes) -> None:
        self.last_byte_s = self._exchange.now()
        if self._done:
            return
        if self._prelude is not None:
            self._begin(data)
        elif not self._bodiless:
            self._client.write(chunk(data) if self._chunked else data)

    @override
    def finish(self, failure: Failure | None) -> None:
        if self._done:
            return
        if self._prelude is not None:
            self.give_up(MALFORMED_RESPONSE)
        elif failure is not None:
            self._done = True
            self._client.cut()
        else:
            self._done = True
            if self._chunked and not self._bodiless:
                self._client.write(LAST_CHUNK)
            self._client.complete()

    def _begin(self, data: bytes) -> None:
        assert self._prelude is not None  # noqa: S101 - narrows the type for `chunk`'s sake
        self._prelude += data
        try:
            split = split_prelude(self._prelude)
        except MalformedError as error:
            self._malformed(error)
            return
        if split is None:
            return
        head, rest = split
        self._prelude = None
        self._bodiless = not self._has_body(head)
        framing = [("Transfer-Encoding", "chunked")] if self._chunked and not self._bodiless else []
        start = self._head(head, framing)
        if not self._bodiless:
            start += chunk(rest) if self._chunked else rest
        self._client.write(start)


class BufferedRelay(Relay):
    """Waits for the whole answer."""

    def __init__(self, client: Client, exchange: Exchange) -> None:
        super().__init__(client, exchange)
        self._answer = bytearray()

    @property
    @override
    def begun(self) -> bool:
        return False

    @override
    def chunk(self, data: bytes) -> None:
        self.last_byte_s = self._exchange.now()
        if not self._done:
            self._answer += data

    @override
    def finish(self, failure: Failure | None) -> None:
        if self._done:
            return
        if failure is not None:
            self.give_up(MALFORMED_RESPONSE)
            return
        try:
            head, body = read_buffered(bytes(self._answer))
        except MalformedError as error:
            self._malformed(error)
            return
        self._done = True
        sized = head.status not in BODILESS
        start = self._head(head, [("Content-Length", str(len(body)))] if sized else [])
        self._client.write(start + (body if self._has_body(head) else b""))
        self._client.complete()

"""DynamoDB's own protocol, JSON 1.0 over HTTP, for the path where every request passes.

botocore costs 0.6 ms CPU a call and blocks a thread; this costs a sixth, on the event loop
(decision 0004). What it leaves out on purpose: retries (the caller knows its deadline and what
may be done twice), paging, and any knowledge of items beyond passing them on.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import isnan, nan
from typing import Any
from urllib.parse import urlsplit

import msgspec

from forebay.adapters.aws.credentials import CredentialSource
from forebay.adapters.aws.sigv4 import Signer
from forebay.adapters.dynamodb.failures import failure
from forebay.adapters.http.connection import ConnectionLost
from forebay.adapters.http.pool import ConnectionPool, Origin, Reply
from forebay.errors import ConfigurationError, StoreError, StoreUnavailable
from forebay.ports import Clock

API_VERSION = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"

MAX_REPLY_BYTES = 16_777_216
"""DynamoDB's largest reply is a batch of 16 MB; pages of a query hold 1 MB."""


@dataclass(frozen=True, slots=True)
class DynamoDbSettings:
    """Where DynamoDB is and how long it may take."""

    region: str
    endpoint_url: str | None = None
    """None: AWS's own for the region."""
    call_timeout_s: float = 5.0
    """Of a whole call: its turn, connection, reply. AWS answers 99 of 100 within 20 ms."""
    connect_timeout_s: float = 1.0
    """TCP and TLS; a few milliseconds within a region."""
    concurrent_calls: int = 64
    """At once, each on its connection; further calls wait their turn. A call takes about 5 ms, so
    this is 10,000 calls/s; a connection costs about 50 KB with TLS."""

    @property
    def endpoint(self) -> Origin:
        """The address, read.

        Raises:
            ConfigurationError: It is none.
        """
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        url = self.endpoint_url or f"https://dynamodb.{self.region}.{domain}"
        try:
            origin = Origin.of(url)
        except ValueError as error:
            raise ConfigurationError([f"endpoint {url!r}: {error}"]) from error
        if urlsplit(url).path.strip("/"):
            raise ConfigurationError([f"endpoint {url!r}: expected https://host[:port], no path"])
        return origin


class DynamoDb:
    """A DynamoDB client. Requests and replies have DynamoDB's own JSON shape.

    No call is repeated, save one case: the kept-alive connection that carried it was closed
    before a byte of the reply came, and doing it twice is harmless. Reads always are. Writes are
    not, unless their caller says so (`repeatable`): once handed to the socket, nobody can tell
    whether they were done.

    Args:
        settings: See `DynamoDbSettings`.
        credentials: See `credentials_from`.
        clock: Signs with its wall clock.
    """

    def __init__(
        self,
        settings: DynamoDbSettings,
        credentials: CredentialSource,
        clock: Clock,
    ) -> None:
        self._endpoint = settings.endpoint
        self._host = self._endpoint.authority
        self._settings = settings
        self._credentials = credentials
        self._clock = clock
        self._signer = Signer(service="dynamodb", region=settings.region)
        self._pool = ConnectionPool(clock)
        self._turns = asyncio.Semaphore(settings.concurrent_calls)
        self._date: tuple[str | None, float] = (None, 0.0)

    async def get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`GetItem`; see `call`."""
        return await self.call("GetItem", request, repeatable=True)

    async def query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`Query`, one page; see `call`."""
        return await self.call("Query", request, repeatable=True)

    async def put_item(
        self, request: Mapping[str, Any], *, repeatable: bool = False
    ) -> dict[str, Any]:
        """`PutItem`; see `call`."""
        return await self.call("PutItem", request, repeatable=repeatable)

    async def update_item(
        self, request: Mapping[str, Any], *, repeatable: bool = False
    ) -> dict[str, Any]:
        """`UpdateItem`; see `call`."""
        return await self.call("UpdateItem", request, repeatable=repeatable)

    async def call(
        self, operation: str, request: Mapping[str, Any], *, repeatable: bool
    ) -> dict[str, Any]:
        """Do one operation.

        Args:
            operation: e.g. `GetItem`.
            request: Its parameters, e.g. `{"TableName": "keys", "Key": {"key_id": {"S": "…"}}}`.
            repeatable: Whether doing it twice is harmless.

        Returns:
            The reply, e.g. `{"Item": {"key_id": {"S": "…"}}}`.

        Raises:
            ConditionFailed: With the item as DynamoDB has it, if the request asks for
                `ReturnValuesOnConditionCheckFailure: ALL_OLD`.
            StoreUnavailable: Throttled, out of reach, too slow, or the reply was damaged. A
                write may have been done all the same, unless it was throttled.
            StoreError: DynamoDB refused it for good.
        """
        try:
            body = msgspec.json.encode(request)
        except (TypeError, ValueError) as error:
            raise StoreError(f"{operation}: the request cannot be written: {error}") from error
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                head = await self._head(operation, body)
                async with self._turns:
                    reply, content = await self._exchange(head + body, repeatable=repeatable)
        except TimeoutError as error:
            raise StoreUnavailable(f"DynamoDB {operation}: no reply in time") from error
        except OSError as error:
            raise StoreUnavailable(f"DynamoDB {operation}: {error}") from error
        self._date = (reply.headers.get("date"), self._clock.now())
        return _read(operation, reply, content)

    @property
    def ahead_s(self) -> float:
        """How far DynamoDB's clock is ahead of ours, by its last reply, to half a second.

        0 before the first, and where it does not say.
        """
        date, received_at = self._date
        ahead_s = nan if date is None else _epoch_s(date) + 0.5 - received_at
        return 0.0 if isnan(ahead_s) else ahead_s

    def close(self) -> None:
        """Close the idle connections. The client stays usable."""
        self._pool.close()

    async def _exchange(self, request: bytes, *, repeatable: bool) -> tuple[Reply, bytes]:
        """Send a request; once more on a fresh connection if a kept one died before it answered."""
        try:
            reply = await self._send(request)
        except ConnectionLost as lost:
            if lost.began or not lost.reused or not repeatable:
                raise
            reply = await self._send(request, reuse=False)
        return reply, await reply.whole(limit_bytes=MAX_REPLY_BYTES, timeout_s=None)

    async def _send(self, request: bytes, *, reuse: bool = True) -> Reply:
        # No time-out for the reply: `call` has set one for all of it.
        connect_s = self._settings.connect_timeout_s
        return await self._pool.send(
            self._endpoint, request, connect_s=connect_s, head_s=None, reuse=reuse
        )

    async def _head(self, operation: str, body: bytes) -> bytes:
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Target": f"{API_VERSION}.{operation}",
        }
        credentials = await self._credentials.current()
        signed = self._signer.sign(headers, body, credentials, now=self._clock.now())
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        return f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")


@lru_cache(maxsize=2)
def _epoch_s(date: str) -> float:
    """Read an HTTP date (RFC 9110, section 5.6.7); within a second all replies have the same."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return nan


def _read(operation: str, reply: Reply, body: bytes) -> dict[str, Any]:
    """Return what a reply holds, or raise what it says."""
    checksum = reply.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(body)):
        raise StoreUnavailable(f"DynamoDB {operation}: the reply was damaged on its way")
    try:
        content = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        content = {}
        if reply.status == 200:
            raise StoreUnavailable(f"DynamoDB {operation}: the reply is no JSON object") from error
    if reply.status == 200:
        return content
    raise _refusal(operation, reply.status, content)


def _refusal(operation: str, status: int, content: Mapping[str, Any]) -> StoreError:
    # `com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException`; proxies send no JSON.
    code = str(content.get("__type", f"HTTP {status}")).rpartition("#")[2]
    # `Message` in the errors of AWS's front door (signature, access), `message` in DynamoDB's.
    explanation = str(content.get("message") or content.get("Message") or "no explanation")
    return failure(operation, status, code, explanation, content.get("Item"))

"""What the services need from the world, in their own words.

Each port has an adapter that talks to the world and, in `adapters/memory/`, a twin that passes
the same contract tests. Errors are those of `forebay.errors`; no vendor's exception gets out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Protocol, Self

from forebay.model import KeyRecord, LedgerRow, UpstreamRequest


class Clock(Protocol):
    """Time. Nothing else in the library asks for it."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; stand still while a sandbox is frozen."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Entropy(Protocol):
    """Dice and ids."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def token_bytes(self, count: int) -> bytes:
        """Unpredictable bytes, fit for secrets."""
        ...


class Keys(Protocol):
    """The hot path's view of the keys: one read."""

    async def find(self, key_id: str) -> KeyRecord | None:
        """Read a key, at most a moment old (eventually consistent, half a read unit).

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        ...


class KeyAdministration(Protocol):
    """The operator's view of the keys. Synchronous: it serves the admin function."""

    def create(self, record: KeyRecord) -> None:
        """Store a new key.

        Raises:
            ConditionFailed: A key with this id exists.
            StoreUnavailable: The store did not answer.
        """
        ...

    def get(self, key_id: str) -> KeyRecord | None:
        """Read a key, strongly consistent."""
        ...

    def list_all(self) -> Iterable[KeyRecord]:
        """All keys, in no order; reads the table page by page."""
        ...

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        """Close a key for good and return it as it is now; None if there is none.

        Revoking a revoked key changes nothing: the first `revoked_at` stays.
        """
        ...


class Ledger(Protocol):
    """Where each request ends, exactly once."""

    async def put(self, row: LedgerRow) -> LedgerRow:
        """Store the row unless its request has one; return the row that is stored.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        ...


class LedgerReader(Protocol):
    """The operator's view of the ledger. Synchronous: it serves the admin function."""

    def rows(self, *, first_day: str, last_day: str) -> Iterable[LedgerRow]:
        """Rows of the UTC days `first_day` to `last_day` (`2026-11-23`, both included)."""
        ...


class UpstreamReply(Protocol):
    """A provider's reply: its head is here, its body comes."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields, names in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            UpstreamCut: The connection broke.
            UpstreamUnavailable: It was silent for too long.
        """
        ...

    async def __aenter__(self) -> Self:
        """Hold the connection."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connection back; one with an unread body is closed."""
        ...


class Provider(Protocol):
    """One upstream. It carries bytes; what they mean is its dialect's business."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Send a request and wait for the head of the reply, whatever its status.

        Raises:
            UpstreamUnavailable: No connection, or no head in time.
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens where no provider did."""

    async def count(self, text: str, *, model: str) -> int:
        """Tokens of `text` in the vocabulary of `model` (or the nearest that is known)."""
        ...


class Telemetry(Protocol):
    """Where it is told how requests went."""

    def request_ended(self, row: LedgerRow) -> None:
        """One log line and its metrics. Never blocks, never fails."""
        ...

    def incident(self, code: str, message: str, **fields: str | float | None) -> None:
        """Something an operator should see, apart from a request's line."""
        ...

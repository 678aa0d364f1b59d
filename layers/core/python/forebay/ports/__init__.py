"""What the services need from the world, in their own words.

Each port has an adapter that talks to the world and, in `adapters/memory/`, a twin that passes
the same contract tests. Errors are those of `forebay.errors`; no vendor's exception gets out.

Here are those that serve a request. `background` has those of settler and controller,
`administration` those of the admin function: the gateway imports neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Protocol, Self

from forebay.admission.idempotency import RunRecord
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.model import KeyRecord, LedgerRow, UpstreamRequest
from forebay.resilience.breaker import Breaker, BreakerRecord, Replacement
from forebay.resilience.fleet_view import FleetSnapshot
from forebay.resilience.window import Window


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


class Ledger(Protocol):
    """Where each request ends, exactly once."""

    async def put(self, row: LedgerRow) -> LedgerRow:
        """Store the row unless its request has one; return the row that is stored.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        ...


class FleetStore(Protocol):
    """What the processes of the fleet tell each other of their targets' health.

    A target has a record; all records' breakers are together in one snapshot, which is what
    requests read. A new state goes into the record first, where its version decides who wins, and
    then into the snapshot. Whoever crashes in between leaves a snapshot behind its record: it is
    published by the next who sees such a record, and by the controller each minute.

    Each method raises `StoreUnavailable` when the store does not answer in time.
    """

    async def snapshot(self) -> FleetSnapshot:
        """Read it, at most a moment old (eventually consistent, half a read unit for 4 KB)."""
        ...

    async def report(self, target: str, told: Window) -> BreakerRecord:
        """Add to a target's counts and return its record as it is now. One write."""
        ...

    async def replace(self, target: str, breaker: Breaker) -> Replacement:
        """Store a target's next state, if its version is the one after the stored one. One write.

        Two writers may have the very same state in mind: `won` alone says whose it is.
        """
        ...

    async def publish(self, record: BreakerRecord) -> None:
        """Put a target's state into the snapshot, unless a later version is there. One write."""
        ...

    async def spend_credit(self, target: str) -> float | None:
        """Spend one of the target's retry credit; return what is left, None if there was none."""
        ...


class Limits(Protocol):
    """The leaves: what keys may still spend and how fast, changed whole or not at all.

    Each method is one conditional write that does what the function of the same name in
    `forebay.admission.leaf` does, and hands back the leaf that it left or met. All can be done
    twice: the second changes nothing. A write costs a unit for each kilobyte of the leaf, also
    when it is refused, and a leaf takes 1,000 units a second.

    Each raises `StoreUnavailable` when the store does not answer in time (it may be done all the
    same) or throttles (it is not).
    """

    async def create(self, leaf: Leaf) -> LeafWrite:
        """Store a new leaf, unless there is one of its scope."""
        ...

    async def admit(self, scope: str, entry: Entry) -> LeafWrite:
        """Take a hold and charge the rates."""
        ...

    async def top_up(self, scope: str, change: TopUp) -> LeafWrite:
        """Enlarge a hold."""
        ...

    async def settle(self, scope: str, change: Settlement) -> LeafWrite:
        """End a hold."""
        ...

    async def renew(self, change: Renewal) -> LeafWrite:
        """Change a leaf's terms."""
        ...


class IdempotencyRecords(Protocol):
    """Which requests run or have run, and the answers of those that have.

    Each method raises `StoreUnavailable` when the store does not answer in time; what it wrote
    may be stored all the same. All can be done twice.
    """

    async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
        """Store a run, unless there is another that has not expired; return that one.

        Of many at once, one gets None. One write.
        """
        ...

    async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
        """Store a run's answer, until `expires_at` (epoch seconds). Two writes or more.

        Raises:
            ConditionFailed: Its record is gone, or another run's who found it expired.
        """
        ...

    async def content(self, record: RunRecord) -> bytes:
        """Read a completed run's answer. A read for each of its parts.

        Raises:
            StoreError: It is gone or damaged.
        """
        ...

    async def remove(self, record: RunRecord) -> None:
        """Forget a run that stored no answer; one that did stays. One write."""
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


class Tokenizer(Protocol):
    """Counts tokens where a bound is needed: an estimate would not do."""

    async def count_exactly(self, text: str, *, model: str) -> int | None:
        """Tokens of `text` in the vocabulary of `model`; None where that is not at hand."""
        ...


class Telemetry(Protocol):
    """Where it is told how requests went."""

    def request_ended(self, row: LedgerRow) -> None:
        """One log line and its metrics. Never blocks, never fails."""
        ...

    def incident(self, code: str, message: str, **fields: str | float | None) -> None:
        """Something an operator should see, apart from a request's line."""
        ...

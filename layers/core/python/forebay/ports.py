"""What the services need from the world, in their own words.

Each port has an adapter that talks to the world and, in `adapters/memory/`, a twin that passes
the same contract tests. Errors are those of `forebay.errors`; no vendor's exception gets out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from forebay.admission.escrow import AtLeaf, AtParent, LeafPool, Parent, Pool, Step
from forebay.admission.idempotency import RunRecord
from forebay.admission.leaf import Entry, Leaf, LeafWrite, Renewal, Settlement, TopUp
from forebay.model import AuditEntry, KeyRecord, LedgerRow, ScopePolicy, UpstreamRequest
from forebay.resilience.breaker import Breaker, BreakerRecord, Replacement
from forebay.resilience.fleet_view import Figures, FleetSnapshot
from forebay.resilience.window import Window
from forebay.rollups import Dimension, MinuteSpend, RollUp, SpendState, Tally, Totals


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

    def replace(self, record: KeyRecord) -> None:
        """Store a key's next state, whose version is one above the stored one's.

        Raises:
            ConditionFailed: There is no such key, it is revoked, or somebody else changed it.
            StoreUnavailable: The store did not answer; it may be stored all the same.
        """
        ...

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        """Close a key for good and return it as it is now; None if there is none.

        Revoking a revoked key changes nothing: the first `revoked_at` stays.
        """
        ...


class ScopePolicies(Protocol):
    """The operator's view of what teams, tenants and the account may do. Synchronous, likewise.

    Each method raises `StoreUnavailable` when the store does not answer.
    """

    def get(self, scope: str) -> ScopePolicy | None:
        """Read a scope's policy by `ScopePolicy.scope`, strongly consistent."""
        ...

    def list_all(self) -> Iterable[ScopePolicy]:
        """All of them, in no order; reads the table page by page."""
        ...

    def put(self, policy: ScopePolicy) -> None:
        """Store a scope's first policy, or the one whose version is one above the stored one's.

        Raises:
            ConditionFailed: Somebody else changed it.
        """
        ...


class AuditTrail(Protocol):
    """What operators did. Synchronous: it serves the admin function."""

    def add(self, entry: AuditEntry) -> None:
        """Store an entry, for `AUDIT_RETENTION_DAYS`; storing it again changes nothing.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        ...

    def entries(self) -> Iterable[AuditEntry]:
        """All entries, in no order; reads the table page by page."""
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

    def page(self, day: str, *, after: str | None) -> tuple[Sequence[LedgerRow], str | None]:
        """Rows of a UTC day, some at a time, each row on one page.

        Args:
            day: `2026-11-23`.
            after: Where the page before ended; None: the first page.

        Returns:
            The rows, and where they end; None: there are no more.

        Raises:
            ValueError: `day` is no date, or `after` no place that was returned.
            StoreUnavailable: The store did not answer.
        """
        ...


class UsageBooks(Protocol):
    """Where the ledger's stream is added up, exactly."""

    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        """Add to a shard's part of a roll-up, unless it has counted a row from `tally.first` on.

        One write. It may be done twice: the second time finds its rows counted.

        Returns:
            None: It is added. Else nothing is, and this is the number up to which rows are counted.

        Raises:
            StoreUnavailable: The store did not answer in time; it may be added all the same.
        """
        ...


class UsageReader(Protocol):
    """The operator's view of the roll-ups. Synchronous: it serves the admin function."""

    def roll_ups(
        self, dimension: Dimension, *, first_day: str, last_day: str
    ) -> Iterable[tuple[RollUp, Totals]]:
        """Read the roll-ups of the UTC days `first_day` to `last_day`, both included.

        A roll-up comes once for each of its parts. What is added is read at once.

        Raises:
            ValueError: A day is no date.
            StoreUnavailable: The store did not answer.
        """
        ...


class SpendBooks(Protocol):
    """Where the fleet's spend of the last hour is."""

    async def add_spend(self, entry: MinuteSpend) -> SpendState:
        """Add rows of a shard, unless it has counted one from `entry.first` on. One write.

        Raises:
            StoreUnavailable: The store did not answer in time; they may be added all the same.
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


class FleetBooks(Protocol):
    """What settler and controller enter of targets' health, beside `FleetStore`."""

    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        """Add what the ledger's stream brought; return the record as it is now. One or two writes.

        Args:
            target: `provider/model`.
            window: Attempts by the bucket in which they ended.
            batch: A name of the stream's batch, the same when it is delivered again: what was added
                to this target before is not added again.
            successes: Whole answers; they earn retry credit.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        ...

    async def publish_figures(self, target: str, figures: Figures) -> None:
        """Put a target's figures into the snapshot, if there is room for them. One write.

        `Figures()`, which says nothing, takes them out.
        """
        ...

    def records(self) -> AsyncIterator[BreakerRecord]:
        """All records, in no order; reads the table page by page."""
        ...

    async def forget(self, record: BreakerRecord) -> None:
        """Take a closed target's state out of the snapshot, if it is still this one. One write.

        For states that are older than any copy: absent means closed, too.
        """
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


class OpenHolds(Protocol):
    """Which leaves hold money for longer than any request lives. For the sweep.

    Each method raises `StoreUnavailable` when the store does not answer in time.
    """

    def due(self, *, now: float) -> AsyncIterator[str]:
        """Scopes of leaves that are to be swept, each once; an index, behind by a moment."""
        ...

    async def read(self, scope: str) -> Leaf | None:
        """Read a leaf, strongly consistent. One read unit for 4 KB."""
        ...

    async def sweep_at(self, leaf: Leaf, at: int | None) -> None:
        """Say when a leaf is to be swept next; None: not before its next hold. One write.

        Nothing is changed if another sweep did, or if None is said while a hold is open.
        """
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


class Escrow(Protocol):
    """Where allowances are: parents, and what leaves keep of their pools.

    The halves of a step are writes of their own; see `forebay.admission.escrow` for what holds
    however they fall apart. Each method raises `StoreUnavailable` when the store does not answer
    in time; what it wrote may be stored all the same, and can be written again: a half that is done
    is refused.
    """

    async def parent(self, pool: Pool) -> Parent | None:
        """Read a pool's parent, strongly consistent; None: its scope has no such limit yet."""
        ...

    async def leaves(self, pool: Pool, leaves: Iterable[str]) -> Mapping[str, LeafPool]:
        """Read what leaves keep of a pool, strongly consistent. One call a hundred leaves.

        A leaf that has drawn nothing yet keeps `LeafPool()`; one that does not exist is left out.
        """
        ...

    async def step_parent(self, step: Step) -> AtParent:
        """Do a step's half at the parent. One write; two if it is the first of a period."""
        ...

    async def step_leaf(self, step: Step) -> AtLeaf:
        """Do a step's half at the leaf. One write; two if it is the leaf's first of a period."""
        ...

    async def set_budget(self, pool: Pool) -> Parent:
        """Make a pool's parent, or give it the pool's limit if that is of a later version.

        Two writes at most.
        """
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


class Gauges(Protocol):
    """Where it is told how much there is of something."""

    def gauge(self, name: str, value: float) -> None:
        """One metric, named in `telemetry.METRICS`. Never blocks, never fails."""
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

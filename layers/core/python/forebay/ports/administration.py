"""What the admin function needs of the world. Synchronous, as its adapters are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from forebay.model import AuditEntry, KeyRecord, LedgerRow, ScopePolicy
from forebay.rollups import Dimension, RollUp, Totals


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

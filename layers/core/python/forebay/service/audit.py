"""The audit trail: which operator did what, when, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from typing import Any

import msgspec

from forebay.errors import InvalidRequest
from forebay.model import AuditEntry
from forebay.ports import Clock, Entropy
from forebay.ports.administration import AuditTrail
from forebay.service.ids import new_ulid

DEFAULT_ENTRIES = 100
MAX_ENTRIES = 1_000
"""Of the usual size, 1 KB, that is a sixth of what a reply may have."""


class Audit:
    """Keeps and shows the audit trail.

    Args:
        trail: Where the entries are.
        clock: Dates them.
        entropy: Names them.
    """

    def __init__(self, trail: AuditTrail, clock: Clock, entropy: Entropy) -> None:
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def entry(
        self,
        action: str,
        subject: str,
        *,
        actor: str | None,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> AuditEntry:
        """Describe what was done, now; `before` and `after` must be fit for anybody's eyes."""
        now = self._clock.now()
        return AuditEntry(
            entry_id=new_ulid(now, self._entropy.token_bytes(10)),
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            before=_json(before),
            after=_json(after),
        )

    def add(self, entry: AuditEntry) -> None:
        """Store an entry.

        Raises:
            StoreError: It may not be stored.
        """
        self._trail.add(entry)

    def latest(self, *, subject: str | None, limit: int) -> list[AuditEntry]:
        """Return the latest entries, the newest first. Cost: a scan of the keys table.

        Args:
            subject: Of this key or scope alone; None: of all.
            limit: At most so many, 1 to `MAX_ENTRIES`.

        Raises:
            InvalidRequest: `limit` is out of range.
            StoreUnavailable: The store did not answer.
        """
        if not 1 <= limit <= MAX_ENTRIES:
            raise InvalidRequest(f"`limit` must be 1 to {MAX_ENTRIES}.", param="limit")
        wanted = (e for e in self._trail.entries() if subject is None or e.subject == subject)
        return nlargest(limit, wanted, key=lambda entry: entry.entry_id)


def _json(shown: Mapping[str, Any] | None) -> str | None:
    return None if shown is None else msgspec.json.encode(shown).decode()

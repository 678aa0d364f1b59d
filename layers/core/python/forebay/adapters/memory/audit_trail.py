"""Port `AuditTrail` in memory."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.model import AuditEntry


class MemoryAuditTrail:
    """The audit trail in a dict."""

    def __init__(self) -> None:
        self._entries: dict[str, AuditEntry] = {}

    def add(self, entry: AuditEntry) -> None:
        """Store an entry; storing it again changes nothing."""
        self._entries[entry.entry_id] = entry

    def entries(self) -> Iterator[AuditEntry]:
        """All entries as they are now, in no order."""
        return iter(list(self._entries.values()))

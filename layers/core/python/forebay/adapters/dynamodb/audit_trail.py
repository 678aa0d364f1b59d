"""Port `AuditTrail` on DynamoDB: items `audit#<ulid>` of the keys table, by PynamoDB.

They are in the keys table because whoever may change a key must be able to write here, and few are
written: a table of its own would be one more thing to create, protect and pay for.
"""

from __future__ import annotations

from collections.abc import Iterator

from forebay.adapters.dynamodb.tables import AuditItem, TableLocation, located
from forebay.adapters.dynamodb.translation import store_errors
from forebay.model import AuditEntry

AUDIT_RETENTION_DAYS = 400
"""A year, and the month in which somebody asks about it."""

_PREFIX = "audit#"
_SECONDS_PER_DAY = 86_400


class DynamoAuditTrail:
    """Write and read the audit trail.

    Args:
        location: The keys table.
    """

    def __init__(self, location: TableLocation) -> None:
        self._model = located(AuditItem, location)

    def add(self, entry: AuditEntry) -> None:
        """Store an entry; storing it again changes nothing. 1 write unit a KB.

        Raises:
            StoreUnavailable: DynamoDB did not answer.
        """
        item = self._model(
            _PREFIX + entry.entry_id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            before=entry.before,
            after=entry.after,
            gone_at=int(entry.at) + AUDIT_RETENTION_DAYS * _SECONDS_PER_DAY,
        )
        with store_errors("PutItem"):
            item.save()

    def entries(self) -> Iterator[AuditEntry]:
        """All entries, in no order; reads the table page by page (0.5 read units for 4 KB)."""
        with store_errors("Scan"):
            for item in self._model.scan(filter_condition=AuditItem.key_id.startswith(_PREFIX)):
                yield AuditEntry(
                    entry_id=item.key_id.removeprefix(_PREFIX),
                    at=float(item.at),
                    actor=item.actor,
                    action=item.action,
                    subject=item.subject,
                    before=item.before,
                    after=item.after,
                )

"""Port `KeyAdministration` on DynamoDB, by PynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.adapters.dynamodb.items import item_to_key, key_to_item
from forebay.adapters.dynamodb.tables import KeyItem, TableLocation, located
from forebay.adapters.dynamodb.translation import store_errors
from forebay.errors import ConditionFailed
from forebay.model import KeyRecord, KeyStatus

_IS_KEY = ~KeyItem.key_id.contains("#")
"""The table also holds `audit#…` and `scope#…`; ids of keys are base62."""


class DynamoKeyAdministration:
    """Make, read and close keys.

    Args:
        location: The keys table.
    """

    def __init__(self, location: TableLocation) -> None:
        self._model = located(KeyItem, location)

    def create(self, record: KeyRecord) -> None:
        """Store a new key. 1 write unit.

        Raises:
            ConditionFailed: A key with this id exists.
            StoreUnavailable: DynamoDB did not answer.
        """
        key = self._model()
        key.from_dynamodb_dict(key_to_item(record))
        with store_errors("PutItem"):
            key.save(condition=KeyItem.key_id.does_not_exist())

    def get(self, key_id: str) -> KeyRecord | None:
        """Read a key, strongly consistent; None if there is none. 1 read unit."""
        with store_errors("GetItem"):
            try:
                return _record(self._model.get(key_id, consistent_read=True))
            except self._model.DoesNotExist:
                return None

    def list_all(self) -> Iterator[KeyRecord]:
        """All keys, in no order; reads the table page by page (0.5 read units for 4 KB)."""
        with store_errors("Scan"):
            for key in self._model.scan(filter_condition=_IS_KEY):
                yield _record(key)

    def replace(self, record: KeyRecord) -> None:
        """Store a key's next state, whose version is one above the stored one's. 1 write unit.

        Raises:
            ConditionFailed: There is no such key, it is revoked, or somebody else changed it.
            StoreUnavailable: DynamoDB did not answer; it may be stored all the same.
        """
        key = self._model()
        key.from_dynamodb_dict(key_to_item(record))
        is_before = KeyItem.version == record.version - 1
        with store_errors("PutItem"):
            key.save(condition=is_before & (KeyItem.status == KeyStatus.ACTIVE.value))

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        """Close a key for good and return it as it is now; None if there is none.

        The first revocation counts, whoever races: the condition lets one pass. 1 write unit.
        """
        key = self._model(key_id)
        try:
            with store_errors("UpdateItem"):
                key.update(
                    actions=[
                        KeyItem.status.set(KeyStatus.REVOKED.value),
                        KeyItem.revoked_at.set(at),
                        KeyItem.version.add(1),
                    ],
                    condition=KeyItem.status == KeyStatus.ACTIVE.value,
                )
                return _record(key)
        except ConditionFailed:  # revoked before, or never there
            return self.get(key_id)


def _record(key: KeyItem) -> KeyRecord:
    return item_to_key(key.to_dynamodb_dict())

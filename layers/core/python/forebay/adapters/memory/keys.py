"""Ports `Keys` and `KeyAdministration` in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Lock

from forebay.errors import ConditionFailed
from forebay.model import KeyRecord, KeyStatus


class MemoryKeys:
    """Keys in a dict. Its reads are never behind its writes."""

    def __init__(self) -> None:
        self._keys: dict[str, KeyRecord] = {}
        self._lock = Lock()  # administration is synchronous, so it may be called from threads

    async def find(self, key_id: str) -> KeyRecord | None:
        """Read a key."""
        return self._keys.get(key_id)

    def create(self, record: KeyRecord) -> None:
        """Store a new key.

        Raises:
            ConditionFailed: A key with this id exists.
        """
        with self._lock:
            if record.key_id in self._keys:
                raise ConditionFailed(f"key {record.key_id} exists", item=None)
            self._keys[record.key_id] = record

    def get(self, key_id: str) -> KeyRecord | None:
        """Read a key."""
        return self._keys.get(key_id)

    def list_all(self) -> Iterator[KeyRecord]:
        """All keys as they are now, in no order."""
        return iter(list(self._keys.values()))

    def replace(self, record: KeyRecord) -> None:
        """Store a key's next state, whose version is one above the stored one's.

        Raises:
            ConditionFailed: There is no such key, it is revoked, or somebody else changed it.
        """
        with self._lock:
            stored = self._keys.get(record.key_id)
            if (
                stored is None
                or stored.status is not KeyStatus.ACTIVE
                or stored.version != record.version - 1
            ):
                raise ConditionFailed(f"key {record.key_id} was changed", item=None)
            self._keys[record.key_id] = record

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        """Close a key for good and return it as it is now; None if there is none."""
        with self._lock:
            record = self._keys.get(key_id)
            if record is not None and record.status is KeyStatus.ACTIVE:
                record = replace(
                    record, status=KeyStatus.REVOKED, revoked_at=at, version=record.version + 1
                )
                self._keys[key_id] = record
            return record

"""Port `IdempotencyRecords` in memory."""

from __future__ import annotations

from dataclasses import replace

from forebay.admission.idempotency import RunRecord
from forebay.errors import ConditionFailed, StoreError


class MemoryIdempotencyRecords:
    """Records in a dict. What has expired is forgotten when somebody comes upon it."""

    def __init__(self) -> None:
        self._records: dict[str, RunRecord] = {}
        self._contents: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._records)

    async def begin(self, record: RunRecord, *, now: float) -> RunRecord | None:
        """Store a run, unless there is one; return the one that is there."""
        earlier = self._records.setdefault(record.record_id, record)
        if earlier.run_id == record.run_id:
            return None
        if earlier.expires_at <= now:
            self._forget(earlier)
            self._records[record.record_id] = record
            return None
        return earlier

    async def complete(self, record: RunRecord, content: bytes, *, expires_at: float) -> None:
        """Store a run's answer.

        Raises:
            ConditionFailed: Its record is gone, or another run's.
        """
        stored = self._records.get(record.record_id)
        if stored is None or stored.run_id != record.run_id:
            raise ConditionFailed(f"run {record.run_id} is not the one that is stored", item=None)
        self._records[record.record_id] = replace(stored, expires_at=expires_at, parts=1)
        self._contents[record.run_id] = content

    async def content(self, record: RunRecord) -> bytes:
        """Read a completed run's answer.

        Raises:
            StoreError: It is gone.
        """
        try:
            return self._contents[record.run_id]
        except KeyError as error:
            raise StoreError(f"the answer of run {record.run_id} is gone") from error

    async def remove(self, record: RunRecord) -> None:
        """Forget a run that stored no answer."""
        stored = self._records.get(record.record_id)
        if stored is not None and stored.run_id == record.run_id and not stored.completed:
            self._forget(stored)

    def _forget(self, record: RunRecord) -> None:
        del self._records[record.record_id]
        self._contents.pop(record.run_id, None)

"""Leaves, entries and requests for tests."""

from __future__ import annotations

from dataclasses import replace

from forebay.adapters.memory.clock import EPOCH_S
from forebay.admission.escrow import LeafPool
from forebay.admission.gcra import Charge
from forebay.admission.hold import Hold, held_id, made_ms, short_id
from forebay.admission.leaf import Entry, Leaf
from forebay.model import Budget, KeyPolicy, KeyRecord, KeyStatus
from forebay.money import NanoUsd
from forebay.service.grants import AdmissionRequest
from forebay.service.ids import new_ulid

SCOPE = "leaf#aB3dE6gH9j#0"
MONTH = "key.202701"
NOW = int(EPOCH_S)


def request_id(number: int = 0, *, now: float = EPOCH_S) -> str:
    """Make the id of a request, another one for each number."""
    return held_id(new_ulid(now, number.to_bytes(10, "little")))


def leaf(room: int = 100, *, slot: str = MONTH, version: int = 1) -> Leaf:
    """Make a leaf that nobody has used."""
    return Leaf(SCOPE, version, NOW - 60, {slot: LeafPool(room)})


def entry(number: int = 0, nano_usd: int = 10, *slots: str, most_holds: int = 30) -> Entry:
    """Make an entry that knows version 1."""
    made = request_id(number)
    hold = Hold(nano_usd, made_ms(made), NOW + 960, slots or (MONTH,))
    return Entry(short_id(made), hold, version=1, at=NOW, most_holds=most_holds)


def charged(base: Entry, *, requests: Charge | None = None, tokens: Charge | None = None) -> Entry:
    """Add charges of rates to an entry."""
    return replace(base, requests=requests, tokens=tokens)


def month(nano_usd: int) -> Budget:
    """Make a budget of a month."""
    return Budget(NanoUsd(nano_usd), "month")


def key(policy: KeyPolicy, *, version: int = 1, status: KeyStatus = KeyStatus.ACTIVE) -> KeyRecord:
    """Make a key of a policy."""
    return KeyRecord(
        key_id="aB3dE6gH9j",
        name="test",
        secret_sha256="0" * 64,
        tenant="acme",
        team=None,
        models=(),
        status=status,
        version=version,
        created_at=0.0,
        policy=policy,
    )


def asking(
    record: KeyRecord, number: int = 0, *, nano_usd: int = 10, tokens: int = 0, now: float = EPOCH_S
) -> AdmissionRequest:
    """Make a request of a key."""
    return AdmissionRequest(record, request_id(number, now=now), nano_usd, tokens)

"""Leaves and items of the table `limits`.

::

    {"scope": "leaf#aB3…#0", "version": 4, "period": 1800000000,
     "key.202611": {"r": 7000000, "c": 3000000, "d": 0, "b": 0, "g": 0},
     "holds": {"7ZZ…": <16 bytes>}, "tat_requests": 1800000001500000, "tat_tokens": 0,
     "sweep_at": 1800000960, "sweep_shard": "3"}

An attribute with a dot in its name is a slot: what the leaf keeps of a pool.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from forebay.adapters.dynamodb.attributes import Item, encode_item
from forebay.admission.escrow import LeafPool
from forebay.admission.hold import Hold
from forebay.admission.leaf import Leaf
from forebay.errors import StoreError

SWEEP_SHARDS = 4
"""The index is written to a hundred times less than the table; four keep it off any limit."""


class StoredHolds(Mapping[str, Hold]):
    """A leaf's holds, each read when it is asked for.

    A request is concerned with its own; reading all thirty took a third of an admission's CPU.
    """

    def __init__(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        self._stored = stored

    @override
    def __getitem__(self, short_id: str) -> Hold:
        stored = self._stored[short_id]
        try:
            return Hold.unpack(b64decode(stored["B"]))
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(f"limits: hold {short_id} cannot be read: {error}") from error

    @override
    def __contains__(self, short_id: object) -> bool:
        return short_id in self._stored

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    @override
    def __len__(self) -> int:
        return len(self._stored)


def key(scope: str) -> Item:
    """Return the key of a scope's item."""
    return {"scope": {"S": scope}}


def sweep_shard(scope: str) -> str:
    """Return the part of the sweep's index that a scope is in."""
    return str(zlib.crc32(scope.encode()) % SWEEP_SHARDS)


def leaf_to_item(leaf: Leaf) -> Item:
    """Return a leaf as an item, whole: no attribute that an update touches is missing."""
    numbers = {
        "version": leaf.version,
        "period": leaf.since,
        "tat_requests": leaf.tat_requests_us,
        "tat_tokens": leaf.tat_tokens_us,
    }
    item = key(leaf.scope) | encode_item(numbers)
    item |= {slot: {"M": encode_item(pool_fields(pool))} for slot, pool in leaf.pools.items()}
    item["holds"] = {"M": {short: _packed(hold) for short, hold in leaf.holds.items()}}
    if leaf.sweep_at is not None:
        item |= encode_item({"sweep_at": leaf.sweep_at, "sweep_shard": sweep_shard(leaf.scope)})
    return item


def item_to_leaf(item: Mapping[str, Mapping[str, Any]]) -> Leaf:
    """Read an item.

    Raises:
        StoreError: It is no leaf.
    """
    try:
        return Leaf(
            scope=item["scope"]["S"],
            version=int(item["version"]["N"]),
            since=int(item["period"]["N"]),
            pools={slot: read_pool(item[slot]["M"]) for slot in item if "." in slot},
            holds=StoredHolds(item["holds"]["M"]),
            tat_requests_us=int(item["tat_requests"]["N"]),
            tat_tokens_us=int(item["tat_tokens"]["N"]),
            sweep_at=int(item["sweep_at"]["N"]) if "sweep_at" in item else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        name = item.get("scope", {}).get("S", "?")
        raise StoreError(f"limits: item {name} cannot be read: {error}") from error


def _packed(hold: Hold) -> dict[str, str]:
    return {"B": b64encode(hold.pack()).decode()}


def pool_fields(pool: LeafPool) -> dict[str, int]:
    """Return what a slot's map holds."""
    return {
        "r": pool.room,
        "c": pool.committed,
        "d": pool.drawn,
        "b": pool.returned,
        "g": pool.gave,
    }


def read_pool(kept: Mapping[str, Mapping[str, Any]]) -> LeafPool:
    """Read what `pool_fields` made."""
    room, committed, drawn, returned, gave = (int(kept[name]["N"]) for name in "rcdbg")
    return LeafPool(room, committed, drawn, returned, gave)

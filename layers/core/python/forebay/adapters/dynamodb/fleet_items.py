"""Items of the table `breakers`: one a target, and the snapshot of them all.

A target's item::

    target       "openai/gpt-5-mini"
    state, since, until, lease_until, reopenings, version      absent: closed, version 0
    credit                                                     absent: full
    tc897621, tf897621, ts897621, tw897621      told: calls, faults, slow ones, those with a first
                                      token, of bucket 897621
    sc897621, sf897621, ss897621, sw897621      streamed: the same
    b1f0c2a9e    897621               a batch of the stream that is in the counts, its newest bucket

Counts are attributes of their own since `ADD` takes no path into a map; it makes them when they are
missing, so a report needs no condition. Buckets and batches out of reach are removed by the next
write of a process that has seen them.

The snapshot::

    target       "#fleet"
    breakers     {"openai/gpt-5-mini": {"s": "open", "a": since, "u": until, "l": lease_until,
                                        "r": reopenings, "v": version}}
    figures      {"openai/gpt-5-mini": {"p": p95_first_token_s, "c": credit}}

Each target's entry is written by its path, so writers of different targets do not meet. The first
writer of all finds no item and makes it whole: a path into a missing map is an error.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from forebay.adapters.dynamodb.attributes import Item, Value, decode_item
from forebay.errors import StoreError
from forebay.resilience.breaker import Breaker, BreakerRecord, BreakerState
from forebay.resilience.credit import BURST
from forebay.resilience.fleet_view import Figures, FleetSnapshot
from forebay.resilience.window import Counts, Window, is_stale

SNAPSHOT = "#fleet"
"""Its key; no target's, which has the form `provider/model`."""

EMPTY_SNAPSHOT: Item = {
    "target": {"S": SNAPSHOT},
    "breakers": {"M": {}},
    "figures": {"M": {}},
}
"""A snapshot in which nothing stands yet."""

TOLD, STREAMED = "t", "s"

Entry = TypeVar("Entry")

_COUNT = re.compile(r"([ts])([cfsw])(\d+)")
_BATCH = re.compile(r"b[0-9a-f]{8}")


def count_attributes(source: str, window: Window) -> dict[str, int]:
    """Return the attributes that a window's counts are in, without zeros.

    Args:
        source: `TOLD` or `STREAMED`.
        window: The counts.
    """
    return {
        f"{source}{kind}{bucket}": count
        for bucket, counts in window.items()
        for kind, count in (
            ("c", counts.calls),
            ("f", counts.faults),
            ("s", counts.slow),
            ("w", counts.spoke),
        )
        if count
    }


def batch_attribute(batch: str) -> str:
    """Return the attribute that marks a batch as counted.

    Of 2^32 names some 40 are in an item at a time: one batch in 10^8 is taken for another.
    """
    return f"b{zlib.crc32(batch.encode()):08x}"


def stale_attributes(item: Mapping[str, Mapping[str, Any]], *, newest: int) -> frozenset[str]:
    """Return what may be removed from a target's item, seen from this bucket."""
    return frozenset(
        name
        for name, attribute in item.items()
        if (bucket := _bucket(name, attribute)) is not None and is_stale(bucket, newest=newest)
    )


def item_to_record(item: Mapping[str, Mapping[str, Any]]) -> BreakerRecord:
    """Return an item of the table `breakers` as a record.

    Raises:
        StoreError: An attribute is of another kind.
    """
    try:
        fields = decode_item(item)
        return BreakerRecord(
            target=fields["target"],
            breaker=Breaker(
                state=BreakerState(fields.get("state", BreakerState.CLOSED)),
                since=float(fields.get("since", 0)),
                until=float(fields.get("until", 0)),
                probe_lease_until=float(fields.get("lease_until", 0)),
                reopenings=int(fields.get("reopenings", 0)),
                version=int(fields.get("version", 0)),
            ),
            told=_window(TOLD, fields),
            streamed=_window(STREAMED, fields),
            credit=float(fields.get("credit", BURST)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(item, error) from error


def breaker_attributes(breaker: Breaker) -> dict[str, Value]:
    """Return a state as attributes of its target's item."""
    return {
        "state": breaker.state.value,
        "since": breaker.since,
        "until": breaker.until,
        "lease_until": breaker.probe_lease_until,
        "reopenings": breaker.reopenings,
        "version": breaker.version,
    }


def breaker_entry(breaker: Breaker) -> dict[str, Value]:
    """Return a state as it is in the snapshot: short names, since all share 4 KB."""
    return {
        "s": breaker.state.value,
        "a": breaker.since,
        "u": breaker.until,
        "l": breaker.probe_lease_until,
        "r": breaker.reopenings,
        "v": breaker.version,
    }


def figures_entry(figures: Figures) -> dict[str, Value]:
    """Return figures as they are in the snapshot, to the millisecond."""
    entry: dict[str, Value] = {"c": round(figures.credit, 1)}
    if figures.p95_first_token_s is not None:
        entry["p"] = round(figures.p95_first_token_s, 3)
    return entry


def item_to_snapshot(item: Mapping[str, Mapping[str, Any]]) -> FleetSnapshot:
    """Return the snapshot's item as a snapshot.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    try:
        return FleetSnapshot(
            breakers=_entries(item["breakers"], _breaker),
            figures=_entries(item["figures"], _figures),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(item, error) from error


def _bucket(name: str, attribute: Mapping[str, Any]) -> int | None:
    """Return the bucket that an attribute belongs to, if it is a count or a batch."""
    count = _COUNT.fullmatch(name)
    if count is not None:
        return int(count[3])
    return int(attribute["N"]) if _BATCH.fullmatch(name) else None


def _window(source: str, fields: Mapping[str, Any]) -> Window:
    window: defaultdict[int, Counts] = defaultdict(Counts)
    for kind, bucket, count in _counts(source, fields):
        window[bucket] += Counts(**{kind: count})
    return dict(window)


def _counts(source: str, fields: Mapping[str, Any]) -> Iterable[tuple[str, int, int]]:
    kinds = {"c": "calls", "f": "faults", "s": "slow", "w": "spoke"}
    for name, count in fields.items():
        match = _COUNT.fullmatch(name)
        if match is not None and match[1] == source:
            yield kinds[match[2]], int(match[3]), int(count)


def _entries(
    attribute: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Entry]
) -> dict[str, Entry]:
    return {name: read(decode_item(entry["M"])) for name, entry in attribute["M"].items()}


def _breaker(entry: Mapping[str, Any]) -> Breaker:
    return Breaker(
        state=BreakerState(entry["s"]),
        since=float(entry["a"]),
        until=float(entry["u"]),
        probe_lease_until=float(entry["l"]),
        reopenings=int(entry["r"]),
        version=int(entry["v"]),
    )


def _figures(entry: Mapping[str, Any]) -> Figures:
    p95_s = entry.get("p")
    return Figures(None if p95_s is None else float(p95_s), float(entry["c"]))


def _unreadable(item: Mapping[str, Mapping[str, Any]], error: Exception) -> StoreError:
    name = item.get("target", {}).get("S", "?")
    return StoreError(f"breakers: item {name} cannot be read: {type(error).__name__}: {error}")

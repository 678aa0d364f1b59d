"""Sums of the ledger by day, key, team, model and tag: what counts where.

A **roll-up** is the sum of a day's rows that have one value in common. It is kept in parts, one for
each shard of the ledger's stream, since a shard is what has an order: a part knows the number of
the last row it has counted, and counts only what is behind it. So a row counts once, however often
it is delivered (decision 0019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum

from forebay.model import LedgerRow
from forebay.money import NanoUsd

LONGEST_VALUE_BYTES = 256
"""Of a value in UTF-8. It is part of an item's key, which takes 1,024 bytes."""

_NOTHING = NanoUsd(0)


class Dimension(StrEnum):
    """What usage is told apart by."""

    DAY = "day"
    """UTC day of the request's admission, `2026-11-23`."""
    KEY = "key"
    TEAM = "team"
    """Within its tenant; requests of keys without a team are together, tenant by tenant."""
    MODEL = "model"
    """The model that callers named."""
    TAG = "tag"
    """A request counts for each of its tags, and for none if it has none."""


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """A value of a dimension.

    Of a key its name and id, of a team its name and `tenant/name`, else the same text twice.
    """

    label: str
    id: str


@dataclass(frozen=True, slots=True)
class RollUp:
    """Names a roll-up."""

    day: str
    """UTC, `2026-11-23`."""
    dimension: Dimension
    group: Group


@dataclass(slots=True)
class Totals:
    """What some requests used together."""

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    """Counted within `input_tokens`."""
    cache_write_input_tokens: int = 0
    """Counted within `input_tokens`, whether kept for minutes or for an hour."""
    output_tokens: int = 0
    cost_nano_usd: NanoUsd = _NOTHING

    def add(self, row: LedgerRow) -> None:
        """Count a request."""
        usage = row.usage
        self.requests += 1
        self.input_tokens += usage.input_tokens
        self.cached_input_tokens += usage.cached_input_tokens
        self.cache_write_input_tokens += (
            usage.cache_write_input_tokens + usage.cache_write_1h_input_tokens
        )
        self.output_tokens += usage.output_tokens
        self.cost_nano_usd = NanoUsd(self.cost_nano_usd + row.cost_nano_usd)

    def include(self, other: Totals) -> None:
        """Count what others used as well."""
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def is_within(self, other: Totals) -> bool:
        """Whether none of its counters is above the other's."""
        return all(getattr(self, name) <= getattr(other, name) for name in COUNTERS)


COUNTERS = tuple(field.name for field in fields(Totals))


@dataclass(frozen=True, slots=True)
class NumberedRow:
    """A row with its place in its shard of the ledger's stream."""

    number: str
    """Later rows have greater ones, compared as text."""
    row: LedgerRow


@dataclass(frozen=True, slots=True)
class LedgerBatch:
    """Rows as the ledger's stream delivers them."""

    name: str
    """The same when just these are delivered again."""
    shard: str
    rows: tuple[NumberedRow, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What some rows of a shard add to a roll-up."""

    first: str
    """Number of the first of them."""
    last: str
    totals: Totals

    @classmethod
    def of(cls, rows: Sequence[NumberedRow]) -> Tally:
        """Add up rows, at least one, in the order of their numbers."""
        totals = Totals()
        for each in rows:
            totals.add(each.row)
        return cls(rows[0].number, rows[-1].number, totals)


@dataclass(frozen=True, slots=True)
class MinuteSpend:
    """What some rows of a shard of the ledger's stream cost, by the minute."""

    shard: str
    first: str
    """Number of the first of them; later rows have greater ones, compared as text."""
    last: str
    minutes: Mapping[int, NanoUsd]
    """By the minute in which the request ended: epoch seconds divided by 60."""
    now: int
    """The minute it is."""


@dataclass(frozen=True, slots=True)
class SpendState:
    """The last hour, as it is now; older minutes may be there, too."""

    minutes: Mapping[int, NanoUsd]
    counted_to: str | None
    """None: the rows are added. Else they are not, and this is the shard's last counted number."""


def day_of(epoch_s: float) -> str:
    """Return the UTC day of a moment, `2026-11-23`."""
    return datetime.fromtimestamp(epoch_s, UTC).date().isoformat()


def groups_of(row: LedgerRow, dimension: Dimension) -> tuple[Group, ...]:
    """Return the values of a row: one, but of tags as many as it has."""
    match dimension:
        case Dimension.DAY:
            return (_group(day_of(row.created_at)),)
        case Dimension.KEY:
            return (_group(row.key_name, row.key_id),)
        case Dimension.TEAM:
            return (_group(row.team or "", f"{row.tenant}/{row.team or ''}"),)
        case Dimension.MODEL:
            return (_group(row.request_model),)
        case Dimension.TAG:
            return tuple(map(_group, dict.fromkeys(row.tags)))


def roll_ups_of(row: LedgerRow) -> list[RollUp]:
    """Return where a row counts."""
    day = day_of(row.created_at)
    return [RollUp(day, each, group) for each in Dimension for group in groups_of(row, each)]


def rows_by_roll_up(rows: Iterable[NumberedRow]) -> dict[RollUp, list[NumberedRow]]:
    """Return the rows of each roll-up, in the order of their numbers, none of them twice."""
    found: dict[RollUp, list[NumberedRow]] = {}
    by_number = {each.number: each for each in rows}
    for _, each in sorted(by_number.items()):
        for roll_up in roll_ups_of(each.row):
            found.setdefault(roll_up, []).append(each)
    return found


def _group(label: str, group_id: str | None = None) -> Group:
    return Group(_bounded(label), _bounded(label if group_id is None else group_id))


def _bounded(text: str) -> str:
    """Shorten a text that is too long for a key; different ones stay different."""
    content = text.encode(errors="replace")
    if len(content) <= LONGEST_VALUE_BYTES:
        return text
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"{content[:200].decode(errors='ignore')}…{digest}"

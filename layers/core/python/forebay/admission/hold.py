"""A hold: money set aside for one request until it is settled, packed to 16 bytes.

A leaf keeps up to 30 of them and is to stay below a kilobyte, so a hold has nothing that can be
found elsewhere: the name of its request is put together from the hold's short id and the time. ::

    5 bytes  nano-dollars       up to 1,099 USD
    6 bytes  when the request was made, epoch milliseconds
    2 bytes  seconds from then to its expiry, up to 18 hours
    3 bytes  the slots of its leaf in which it counts: for key, team, tenant and account six bits,
             day (2: none, or the day before UTC's, UTC's own, the day after), month (2), total,
             calls in flight

A slot is named after scope and period: `key.202611`, `team.parallel`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from forebay.admission.escrow import PARALLEL
from forebay.admission.period import TOTAL

MAX_HOLD_NANO_USD: Final = (1 << 40) - 1
MAX_LIFE_S: Final = (1 << 16) - 1
PACKED_BYTES: Final = 16

SCOPES: Final = ("key", "team", "tenant", "account")
"""What a limit is set for, from the inside out."""

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS: Final = {digit: value for value, digit in enumerate(_CROCKFORD)}
_TOTAL, _PARALLEL = 16, 32


@dataclass(frozen=True, slots=True)
class Hold:
    """What one request may cost at most, from its admission to its settlement."""

    nano_usd: int
    made_ms: int
    """When its request was made, epoch milliseconds: the time within the request's id."""
    expires_at: int
    """Epoch seconds from which on the sweep may settle it; no live request outlasts it."""
    slots: tuple[str, ...] = ()
    """Where it counts, chosen at admission; in the order in which they are packed."""

    def moves(self, nano_usd: int, *, calls: int) -> dict[str, int]:
        """Return by slot what is to be committed: money, or calls where those are limited."""
        return {slot: calls if slot.endswith(PARALLEL) else nano_usd for slot in self.slots}

    def pack(self) -> bytes:
        """Write it as 16 bytes.

        Raises:
            ValueError: It does not fit; with a clock that is right, only by its amount.
        """
        try:
            return (
                self.nano_usd.to_bytes(5, "big")
                + self.made_ms.to_bytes(6, "big")
                + (self.expires_at - self.made_ms // 1000).to_bytes(2, "big")
                + _pack_slots(self.slots, self.made_ms).to_bytes(3, "big")
            )
        except OverflowError as error:
            raise ValueError(f"a hold that cannot be written: {self}") from error

    @classmethod
    def unpack(cls, packed: bytes) -> Hold:
        """Read what `pack` wrote.

        Raises:
            ValueError: It did not.
        """
        if len(packed) != PACKED_BYTES:
            raise ValueError(f"a hold of {len(packed)} bytes; expected {PACKED_BYTES}")
        made_ms = int.from_bytes(packed[5:11], "big")
        return cls(
            nano_usd=int.from_bytes(packed[:5], "big"),
            made_ms=made_ms,
            expires_at=made_ms // 1000 + int.from_bytes(packed[11:13], "big"),
            slots=_unpack_slots(int.from_bytes(packed[13:], "big"), made_ms),
        )


def held_id(ulid: str) -> str:
    """Turn a ULID into the id of a request that may hold money.

    Its last six characters become a checksum of the others, so that ten characters and the time
    are enough to know it whole. 50 of its 80 random bits stay: at a million requests in one
    millisecond, two have the same with a chance of one in 2,000.
    """
    return ulid[:20] + _checksum(ulid[:20])


def short_id(request_id: str) -> str:
    """Return the ten characters that stand for a request in its leaf.

    Raises:
        ValueError: The id does not come from `held_id`.
    """
    if len(request_id) != 26 or request_id[20:] != _checksum(request_id[:20]):
        raise ValueError(f"{request_id!r} is not an id that `held_id` made")
    return request_id[10:20]


def made_ms(request_id: str) -> int:
    """Return the time within a request's id, epoch milliseconds."""
    number = 0
    for digit in request_id[:10]:
        number = number << 5 | _DIGITS[digit]
    return number


def request_id_of(short: str, hold: Hold) -> str:
    """Put the request's id together again."""
    head = _digits(hold.made_ms, 10) + short
    return head + _checksum(head)


def _checksum(head: str) -> str:
    return _digits(zlib.crc32(head.encode()) >> 2, 6)


def _digits(number: int, count: int) -> str:
    shifts = range(5 * (count - 1), -1, -5)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in shifts)


def _pack_slots(slots: tuple[str, ...], at_ms: int) -> int:
    day, packed = _utc_day(at_ms), 0
    for slot in slots:
        scope, _, period = slot.partition(".")
        packed |= _pack_period(period, day) << 6 * SCOPES.index(scope)
    return packed


def _pack_period(period: str, day: date) -> int:
    if period == PARALLEL:
        return _PARALLEL
    if period == TOTAL:
        return _TOTAL
    if len(period) == 8:
        return _beside(_read_day(period).toordinal() - day.toordinal())
    return _beside(_read_month(period) - _months(day)) << 2


def _unpack_slots(packed: int, at_ms: int) -> tuple[str, ...]:
    day = _utc_day(at_ms)
    return tuple(
        f"{scope}.{period}"
        for place, scope in enumerate(SCOPES)
        for period in _unpack_periods(packed >> 6 * place & 63, day)
    )


def _unpack_periods(bits: int, day: date) -> list[str]:
    periods = []
    if bits & 3:
        periods.append(f"{day + timedelta(days=(bits & 3) - 2):%Y%m%d}")
    if bits >> 2 & 3:
        year, month = divmod(_months(day) + (bits >> 2 & 3) - 2, 12)
        periods.append(f"{year:04d}{month + 1:02d}")
    if bits & _TOTAL:
        periods.append(TOTAL)
    if bits & _PARALLEL:
        periods.append(PARALLEL)
    return periods


def _utc_day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def _read_day(period: str) -> date:
    return date(int(period[:4]), int(period[4:6]), int(period[6:]))


def _read_month(period: str) -> int:
    return 12 * int(period[:4]) + int(period[4:]) - 1


def _months(day: date) -> int:
    return 12 * day.year + day.month - 1


def _beside(distance: int) -> int:
    if not -1 <= distance <= 1:
        raise OverflowError(distance)
    return distance + 2

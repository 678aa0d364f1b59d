"""What DynamoDB lets an item do in a second: capacity units by its size, and throttling.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
and …/bp-partition-key-design.html (1,000 write units a second for one item).
"""

from __future__ import annotations

from forebay.admission.escrow import LeafPool, Parent, Pool
from forebay.admission.hold import PACKED_BYTES
from forebay.admission.leaf import Leaf
from forebay.errors import StoreUnavailable
from forebay.ports import Clock

WRITE_UNITS_A_SECOND = 1000
UNIT_BYTES = 1024

SWEEP_SHARD_BYTES = len("sweep_shard") + 1


def leaf_bytes(leaf: Leaf) -> int:
    """Return the size of a leaf's item: names and values of its attributes, as DynamoDB counts."""
    size = len("scope") + len(leaf.scope) + len("holds") + 3
    size += sum(1 + len(short) + PACKED_BYTES for short in leaf.holds)
    numbers = {
        "version": leaf.version,
        "period": leaf.since,
        "tat_requests": leaf.tat_requests_us,
        "tat_tokens": leaf.tat_tokens_us,
    }
    if leaf.sweep_at is not None:
        numbers["sweep_at"] = leaf.sweep_at
        size += SWEEP_SHARD_BYTES
    size += sum(len(slot) + _pool_bytes(pool) for slot, pool in leaf.pools.items())
    return size + sum(len(name) + _number_bytes(value) for name, value in numbers.items())


def parent_bytes(pool: Pool, parent: Parent) -> int:
    """Return the size of a parent's item, whose leaves are named without their `leaf#`."""
    numbers = {
        "budget": parent.budget,
        "version": parent.version,
        "left": parent.budget - parent.granted,
    }
    size = len("scope") + len(pool.parent) + len("period") + len(parent.period) + len("grants") + 3
    size += sum(len(name) + _number_bytes(value) for name, value in numbers.items())
    for leaf, grant in parent.grants.items():
        counts = (grant.drawn, grant.amount, round(grant.drawn_at * 1000), grant.returned)
        size += 1 + len(leaf) - len("leaf#") + 3 + sum(2 + _number_bytes(each) for each in counts)
    return size


def _pool_bytes(pool: LeafPool) -> int:
    """A map: three bytes, and for each of its numbers a byte, a name of one letter, and itself."""
    numbers = (pool.room, pool.committed, pool.drawn, pool.returned, pool.gave)
    return 3 + sum(2 + _number_bytes(number) for number in numbers)


def _number_bytes(value: int) -> int:
    """A byte for each two digits, one more, and one for a minus; zeros at either end are free."""
    digits = str(abs(value)).strip("0")
    return 1 + (len(digits) + 1) // 2 + (value < 0)


class Capacity:
    """Counts the write units of each item and refuses those beyond a second's.

    Args:
        clock: Tells the second, by the wall clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._spent: dict[str, int] = {}
        self.units = 0
        """All that were spent."""
        self.throttled = 0
        """Writes that were refused for want of them."""

    def spend(self, scope: str, size_bytes: int) -> None:
        """Charge one write, done or refused by its condition.

        Raises:
            StoreUnavailable: The item has no units left in this second.
        """
        second = int(self._clock.now())
        if second != self._second:
            self._second, self._spent = second, {}
        units = max(1, -(-size_bytes // UNIT_BYTES))
        spent = self._spent.get(scope, 0) + units
        if spent > WRITE_UNITS_A_SECOND:
            self.throttled += 1
            raise StoreUnavailable(f"limits: {scope} is throttled")
        self._spent[scope] = spent
        self.units += units

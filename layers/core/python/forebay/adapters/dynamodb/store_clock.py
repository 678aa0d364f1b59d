"""Port `Clock`, corrected by DynamoDB's own."""

from __future__ import annotations

from typing import Final

from forebay.adapters.dynamodb.wire import DynamoDb
from forebay.ports import Clock

TOLERANCE_S: Final = 2.0
"""A `Date` is exact to a second, and its reply was on its way; less than this proves nothing."""


class StoreClock:
    """All processes that share leaves must agree on the time to about two seconds.

    Args:
        clock: The machine's.
        database: Whose replies say what time it is.
    """

    def __init__(self, clock: Clock, database: DynamoDb) -> None:
        self._clock = clock
        self._database = database

    def now(self) -> float:
        """Wall clock, epoch seconds; DynamoDB's where the machine's is off by over 2 s."""
        ahead_s = self._database.ahead_s
        return self._clock.now() + (ahead_s if abs(ahead_s) > TOLERANCE_S else 0.0)

    def monotonic(self) -> float:
        """The machine's."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)

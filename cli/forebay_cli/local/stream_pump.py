"""A table's stream, delivered to a function as Lambda's event source mapping does.

ministack has such mappings too. They would do, but for one thing: they take no notice of what the
function's answer says of its records (`batchItemFailures`), so what should come again never does.

Nothing is kept over a restart, as ministack keeps no stream: a row that was written in the last
second before the end is not delivered.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html and
services-ddb-batchfailurereporting.html beside it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from forebay_cli.local.event_sources import StreamMapping
from forebay_cli.local.invoke import InvokeError
from forebay_cli.local.tumbling_window import TumblingWindow

POLL_S: Final = 0.25  # Lambda's base rate: four times a second
FIRST_BACKOFF_S: Final = 0.25  # before a batch is tried again, doubled up to the maximum
MAX_BACKOFF_S: Final = 10.0

Record = Mapping[str, Any]
Records = Sequence[Record]


class StreamError(Exception):
    """The stream cannot be read now."""


class Stream(Protocol):
    """A shard of a table's stream, read from its beginning."""

    @property
    def shard_id(self) -> str:
        """Its name, once something was read."""

    async def read(self) -> list[Record]:
        """Return what is new, oldest first; nothing if nothing is.

        Raises:
            StreamError: it cannot be read now; what is new comes with the next call.
        """


@dataclass(frozen=True, slots=True)
class PumpParts:
    """What a pump works with.

    Attributes:
        invoke: gives an event to the function, and returns its answer; raises `InvokeError`.
        give_up: is told which records were not delivered, after how many tries, and why.
        now: seconds since the epoch.
        sleep: waits so many seconds.
    """

    stream: Stream
    invoke: Callable[[Mapping[str, Any]], Awaitable[Any]]
    give_up: Callable[[Records, int, str], Awaitable[None]]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    log: Callable[[str], None]


class StreamPump:
    """Reads, gathers, filters, delivers; tries again what failed; gives up in the end."""

    def __init__(self, mapping: StreamMapping, parts: PumpParts) -> None:
        self._mapping = mapping
        self._parts = parts
        self._pending: list[Record] = []
        length_s = mapping.tumbling_window_s
        self._window = TumblingWindow(length_s, mapping.stream_arn) if length_s else None

    async def run(self) -> None:
        """Deliver what the stream brings, forever."""
        while True:
            records = await self._gather()
            await self._end_window()
            await self.deliver(records)

    async def deliver(self, records: Records) -> None:
        """Give a batch to the function until it is done with it, or it is given up."""
        tries = 0
        while records := await self._young_enough(records, tries):
            tries += 1
            rest = await self._unfinished(records)
            if rest is None and self._mapping.bisect and len(records) > 1:
                middle = len(records) // 2
                await self.deliver(records[:middle])
                records, tries = records[middle:], 0
                continue
            rest = records if rest is None else rest
            if len(rest) < len(records):
                tries = 0  # it got on
            elif self._mapping.max_retries is not None and tries > self._mapping.max_retries:
                await self._parts.give_up(rest, tries, "RetryAttemptsExhausted")
                return
            records = rest
            if records:
                await self._parts.sleep(min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(tries, 10)))

    async def _gather(self) -> Records:
        """Wait for records; take a batch as soon as it is full, or its window is over."""
        first_at: float | None = self._parts.now() if self._pending else None
        while len(self._pending) < self._mapping.batch_size:
            if not self._pending and self._window_is_over():
                break
            if (
                first_at is not None
                and self._parts.now() - first_at >= self._mapping.batch_window_s
            ):
                break
            self._pending += [
                record for record in await self._read() if self._mapping.passes(record)
            ]
            if first_at is None and self._pending:
                first_at = self._parts.now()
            if len(self._pending) < self._mapping.batch_size:
                await self._parts.sleep(POLL_S)
        size = self._mapping.batch_size
        batch, self._pending = self._pending[:size], self._pending[size:]
        return batch

    async def _read(self) -> list[Record]:
        try:
            return await self._parts.stream.read()
        except StreamError as error:
            self._parts.log(f"{self._mapping.name}: {error}")
            await self._parts.sleep(MAX_BACKOFF_S)
            return []

    async def _young_enough(self, records: Records, tries: int) -> Records:
        """Give up those that are older than the mapping allows; return the rest."""
        max_age_s = self._mapping.max_age_s
        if max_age_s is None:
            return records
        oldest = self._parts.now() - max_age_s
        kept = [record for record in records if created_at(record) >= oldest]
        if len(kept) < len(records):
            late = [record for record in records if created_at(record) < oldest]
            await self._parts.give_up(late, tries, "MaximumRecordAgeExceeded")
        return kept

    async def _unfinished(self, records: Records) -> Records | None:
        """Invoke; return the records that are to come again. None: the invocation itself failed."""
        if self._window is not None:
            self._window.open(created_at(records[0]))
        try:
            answer = await self._parts.invoke(self._event(records))
        except InvokeError as error:
            self._parts.log(f"{self._mapping.name}: {error}")
            return None
        if self._window is not None and not self._window.take(answer):
            self._parts.log(f"{self._mapping.name}: the answer has no state")
            return None
        if not self._mapping.partial or not answer:
            return []
        try:
            failed = {str(item["itemIdentifier"]) for item in answer["batchItemFailures"] or []}
        except (KeyError, TypeError):
            return records  # an answer that says nothing counts as a failure of them all
        numbers = [sequence_number(record) for record in records]
        if not failed <= set(numbers):
            return records
        # From the earliest that failed: the order of a shard is kept.
        return records[min(map(numbers.index, failed)) :] if failed else []

    def _window_is_over(self) -> bool:
        return self._window is not None and self._window.is_over(self._parts.now())

    async def _end_window(self) -> None:
        """Invoke once more for a window that is over; tried once, as nothing here waits for it."""
        if self._window is None or not self._window_is_over():
            return
        try:
            await self._parts.invoke(self._event([], is_final=True))
        except InvokeError as error:
            self._parts.log(f"{self._mapping.name}: {error}")
        self._window.close()

    def _event(self, records: Records, *, is_final: bool = False) -> dict[str, Any]:
        window = self._window
        shard_id = self._parts.stream.shard_id
        more = {} if window is None else window.fields(shard_id, is_final=is_final)
        return {"Records": list(records), **more}


def sequence_number(record: Record) -> str:
    """Its place in the shard."""
    return str(record["dynamodb"]["SequenceNumber"])


def created_at(record: Record) -> float:
    """When the item was written, seconds since the epoch, to the second."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])

"""A stream's records reach the function as Lambda's mapping would bring them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from forebay_cli.local.event_sources import StreamMapping
from forebay_cli.local.invoke import InvokeError
from forebay_cli.local.stream_pump import (
    PumpParts,
    Record,
    Records,
    StreamError,
    StreamPump,
    sequence_number,
)
from tests.support.virtual_time import run_virtual

MAPPING = StreamMapping(
    name="Ledger",
    function="F",
    stream_arn="arn",
    patterns=({"eventName": ["INSERT"]},),
    batch_size=4,
    batch_window_s=1.0,
    bisect=False,
    partial=True,
    max_retries=3,
    max_age_s=3_600,
    failures_queue_arn=None,
)
NOW = 1_800_000_000.0

Answer = Callable[[list[str]], Any]


def record(number: int, kind: str = "INSERT", *, age_s: float = 0) -> Record:
    change = {"SequenceNumber": str(number), "ApproximateCreationDateTime": NOW - age_s}
    return {"eventName": kind, "dynamodb": change}


def failures(*numbers: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


class World:
    """A stream, a function that answers as told, and all that happened."""

    def __init__(self, answer: Answer = lambda _: failures()) -> None:
        self.pages: list[list[Record] | StreamError] = []
        self.batches: list[list[str]] = []
        self.invoked_at: list[float] = []
        self.events: list[Mapping[str, Any]] = []
        self.given_up: list[tuple[list[str], int, str]] = []
        self.lines: list[str] = []
        self._answer = answer

    def parts(self) -> PumpParts:
        return PumpParts(
            stream=self,
            invoke=self._invoke,
            give_up=self._give_up,
            now=lambda: NOW + asyncio.get_running_loop().time(),
            sleep=asyncio.sleep,
            log=self.lines.append,
        )

    def deliver(self, *numbers: int, mapping: StreamMapping = MAPPING) -> None:
        """Deliver one batch to its end."""
        records = [record(number) for number in numbers]
        run_virtual(StreamPump(mapping, self.parts()).deliver(records))

    def run(
        self,
        *pages: list[Record] | StreamError,
        seconds: float = 60,
        mapping: StreamMapping = MAPPING,
    ) -> None:
        """Run for so long on a stream that brings these pages, then nothing."""
        self.pages = list(pages)

        running = StreamPump(mapping, self.parts()).run()
        with pytest.raises(TimeoutError):
            run_virtual(asyncio.wait_for(running, seconds))

    @property
    def shard_id(self) -> str:
        return "shard-1"

    async def read(self) -> list[Record]:
        page = self.pages.pop(0) if self.pages else []
        if isinstance(page, StreamError):
            raise page
        return page

    async def _invoke(self, event: Mapping[str, Any]) -> Any:
        numbers = [sequence_number(each) for each in event["Records"]]
        self.batches.append(numbers)
        self.events.append(event)
        self.invoked_at.append(asyncio.get_running_loop().time())
        return self._answer(numbers)

    async def _give_up(self, records: Records, tries: int, why: str) -> None:
        self.given_up.append(([sequence_number(each) for each in records], tries, why))


def broken(_: list[str]) -> Any:
    raise InvokeError("Runtime.ExitError: it crashed")


def test_records_come_in_their_order_and_once() -> None:
    world = World()
    world.run([record(1)], [], [record(2), record(3)])
    assert [number for batch in world.batches for number in batch] == ["1", "2", "3"]


def test_what_the_filter_holds_back_never_comes() -> None:
    world = World()
    world.run([record(1, "MODIFY"), record(2), record(3, "REMOVE")])
    assert world.batches == [["2"]]


def test_a_full_batch_does_not_wait_and_the_rest_waits_for_its_window() -> None:
    world = World()
    world.run([record(number) for number in range(1, 7)])
    assert world.batches == [["1", "2", "3", "4"], ["5", "6"]]
    assert world.invoked_at[0] == 0.0
    assert 1.0 <= world.invoked_at[1] <= 1.5


def test_records_of_a_window_come_together() -> None:
    world = World()
    world.run([record(1)], [record(2)], [record(3)])
    assert world.batches == [["1", "2", "3"]]


def test_a_stream_that_cannot_be_read_is_read_again() -> None:
    world = World()
    world.run(StreamError("ministack is busy"), [record(1)])
    assert world.batches == [["1"]]
    assert world.lines == ["Ledger: ministack is busy"]


def test_a_batch_that_failed_comes_again_as_it_was() -> None:
    answers = iter([failures(1), failures(1, 2), failures()])
    world = World(lambda _: next(answers))
    world.deliver(1, 2, 3)
    assert world.batches == [["1", "2", "3"]] * 3
    assert world.given_up == []


def test_after_a_part_only_what_is_behind_it_comes_again() -> None:
    answers = iter([failures(3, 2), failures()])
    world = World(lambda _: next(answers))
    world.deliver(1, 2, 3)
    assert world.batches == [["1", "2", "3"], ["2", "3"]]


@pytest.mark.parametrize(
    "nonsense",
    [failures(9), {"batchItemFailures": [{}]}, {"batchItemFailures": 7}, [1]],
    ids=["unknown", "nameless", "number", "list"],
)
def test_an_answer_that_makes_no_sense_is_a_failure_of_the_batch(nonsense: Any) -> None:
    answers = iter([nonsense, failures()])
    world = World(lambda _: next(answers))
    world.deliver(1, 2)
    assert world.batches == [["1", "2"], ["1", "2"]]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}], ids=str)
def test_an_empty_answer_is_a_success(answer: Any) -> None:
    world = World(lambda _: answer)
    world.deliver(1, 2)
    assert len(world.batches) == 1


def test_without_partial_answers_what_the_function_says_does_not_matter() -> None:
    world = World(lambda _: failures(1))
    world.deliver(1, 2, mapping=replace(MAPPING, partial=False))
    assert len(world.batches) == 1


def test_a_batch_that_never_passes_is_given_up_after_its_retries() -> None:
    world = World(lambda numbers: failures(int(numbers[0])))
    world.deliver(1, 2)
    assert len(world.batches) == 4
    assert world.given_up == [(["1", "2"], 4, "RetryAttemptsExhausted")]


def test_a_batch_that_was_given_up_does_not_hold_up_the_next() -> None:
    world = World(lambda numbers: failures(1) if "1" in numbers else failures())
    world.run([record(number) for number in range(1, 9)])
    assert world.given_up == [(["1", "2", "3", "4"], 4, "RetryAttemptsExhausted")]
    assert world.batches[-1] == ["5", "6", "7", "8"]


def test_records_that_grow_too_old_are_given_up() -> None:
    world = World(lambda numbers: failures(int(numbers[0])))
    aging = replace(MAPPING, max_retries=None, max_age_s=5)
    old_and_new = [record(1, age_s=4), record(2)]
    run_virtual(StreamPump(aging, world.parts()).deliver(old_and_new))
    assert [(numbers, why) for numbers, _, why in world.given_up] == [
        (["1"], "MaximumRecordAgeExceeded"),
        (["2"], "MaximumRecordAgeExceeded"),
    ]


def test_a_crash_is_logged_and_the_batch_comes_again() -> None:
    world = World(broken)
    world.deliver(1)
    assert world.lines == ["Ledger: Runtime.ExitError: it crashed"] * 4
    assert world.given_up == [(["1"], 4, "RetryAttemptsExhausted")]


def test_with_bisect_a_crash_costs_only_the_record_that_causes_it() -> None:
    def answer(numbers: list[str]) -> Any:
        return broken(numbers) if "3" in numbers else failures()

    world = World(answer)
    world.deliver(1, 2, 3, 4, mapping=replace(MAPPING, bisect=True))
    assert world.given_up == [(["3"], 4, "RetryAttemptsExhausted")]
    passed = [batch for batch in world.batches if "3" not in batch]
    assert passed == [["1", "2"], ["4"]]


def test_retries_wait_longer_and_longer() -> None:
    world = World(broken)
    world.deliver(1, mapping=replace(MAPPING, max_retries=8))
    waits = [after - before for before, after in pairwise(world.invoked_at)]
    assert waits == sorted(waits)
    assert waits[-1] == 10.0


WINDOWED = replace(MAPPING, tumbling_window_s=20)


def test_without_a_tumbling_window_an_event_has_its_records_alone() -> None:
    world = World()
    world.run([record(1)])
    assert world.events == [{"Records": [record(1)]}]


def test_with_one_an_event_names_shard_and_window_and_has_the_state_that_was_answered() -> None:
    world = World(lambda numbers: {"state": {"last": numbers}, "batchItemFailures": []})
    world.run([record(1)], *[[]] * 6, [record(2)], seconds=10, mapping=WINDOWED)
    first, second = world.events
    assert first == {
        "Records": [record(1)],
        "window": {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T08:00:20Z"},
        "state": {},
        "shardId": "shard-1",
        "eventSourceARN": "arn",
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }
    assert second["state"] == {"last": ["1"]}


def test_a_window_that_is_over_has_a_last_event_without_records_and_takes_the_state_along() -> None:
    world = World(lambda _: {"state": {"kept": 1}, "batchItemFailures": []})
    world.run([record(1)], *[[]] * 100, [record(2, age_s=-30)], mapping=WINDOWED)
    first, final, second, _ = world.events
    assert (final["Records"], final["isFinalInvokeForWindow"]) == ([], True)
    assert final["state"] == {"kept": 1}
    assert (first["state"], second["state"]) == ({}, {})
    assert world.invoked_at[1] == 20.0


def test_with_one_an_answer_without_a_state_is_a_failure() -> None:
    answers = iter([failures(), {"state": {}, **failures()}])
    world = World(lambda _: next(answers))
    world.deliver(1, 2, mapping=WINDOWED)
    assert world.batches == [["1", "2"]] * 2


def test_a_function_that_fails_at_the_end_of_a_window_goes_on() -> None:
    world = World(lambda numbers: {"state": {}, **failures()} if numbers else broken(numbers))
    world.run([record(1)], seconds=30, mapping=WINDOWED)
    assert world.batches == [["1"], []]
    assert "it crashed" in world.lines[-1]

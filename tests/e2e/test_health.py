"""What the ledger's stream says of a target's health reaches the whole fleet."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from openai import OpenAI

from forebay.adapters.dynamodb.fleet_items import SNAPSHOT, item_to_snapshot
from forebay.adapters.dynamodb.items import row_to_item
from forebay.model import AttemptResult
from forebay.resilience.breaker import BreakerState
from forebay.resilience.fleet_view import FleetSnapshot
from tests.support.dev_stack import DevStack
from tests.support.ledger_rows import attempt, row
from tests.support.ministack import CREDENTIALS

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
TARGETS = (f"target/{number}" for number in count())


class Tables:
    """The stack's own tables, past its functions."""

    def __init__(self, stack: DevStack) -> None:
        service: Any = "dynamodb"
        self._client: Any = boto3.client(service, endpoint_url=stack.aws_url, **CREDENTIALS)
        names = self._client.list_tables()["TableNames"]
        self._names = {
            kind: name for name in names for kind in ("Ledger", "Breakers") if kind in name
        }

    def put_rows(self, target: str, result: AttemptResult, first_tokens_ms: range) -> None:
        """Write a row for each time to the first token, as the gateway does when it settles."""
        for first_token_ms in first_tokens_ms:
            asked = attempt(result, target=target, first_token_ms=first_token_ms)
            self.put(row_to_item(row(asked, ended_at=now()), retention_days=1))

    def put(self, item: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._names["Ledger"], Item=item)

    def snapshot(self) -> FleetSnapshot:
        key = {"target": {"S": SNAPSHOT}}
        reply = self._client.get_item(TableName=self._names["Breakers"], Key=key)
        return item_to_snapshot(reply["Item"]) if "Item" in reply else FleetSnapshot()

    def until(self, holds: Callable[[FleetSnapshot], bool]) -> FleetSnapshot:
        """Read the snapshot until it is as it should be."""
        end = time.monotonic() + DEADLINE_S
        while not holds(snapshot := self.snapshot()):
            assert time.monotonic() < end, snapshot
        return snapshot

    def p95_s(self, target: str) -> float | None:
        def is_known(snapshot: FleetSnapshot) -> bool:
            figures = snapshot.figures.get(target)
            return figures is not None and figures.p95_first_token_s is not None

        return self.until(is_known).figures[target].p95_first_token_s


def now() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


@pytest.fixture
def tables(stack: DevStack) -> Tables:
    return Tables(stack)


@pytest.fixture
def target() -> str:
    return next(TARGETS)


def processes(stack: DevStack, function: str) -> list[int]:
    """Return the sandboxes of a function."""
    marks = (f"AWS_LAMBDA_FUNCTION_NAME={function}\0", f"AWS_ENDPOINT_URL={stack.aws_url}\0")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:
            continue  # it has ended meanwhile, or is not ours
        if all(mark.encode() in environ for mark in marks):
            found.append(int(entry.name))
    return found


def test_rows_of_the_ledger_give_the_fleet_the_targets_95th_percentile(
    tables: Tables, target: str
) -> None:
    tables.put_rows(target, AttemptResult.COMPLETE, range(100, 120))
    assert tables.p95_s(target) == pytest.approx(0.118)


def test_streams_of_callers_give_the_fleet_their_targets_95th_percentile(
    client: OpenAI, tables: Tables
) -> None:
    for _ in range(25):
        for _ in client.chat.completions.create(
            model="good", messages=[{"role": "user", "content": "hello"}], stream=True
        ):
            pass
    p95_s = tables.p95_s("good/script")
    assert p95_s is not None
    assert p95_s >= 0.02  # the provider's own wait


def test_rows_of_failures_open_the_targets_breaker(tables: Tables, target: str) -> None:
    tables.put_rows(target, AttemptResult.FAILED, range(100, 110))
    snapshot = tables.until(lambda seen: target in seen.breakers)
    assert snapshot.breakers[target].state is BreakerState.OPEN


def test_a_row_that_cannot_be_read_holds_up_nothing(
    stack: DevStack, tables: Tables, target: str
) -> None:
    tables.put({"request_id": {"S": f"no row, before {target}"}, "day_shard": {"S": "x"}})
    tables.put_rows(target, AttemptResult.COMPLETE, range(100, 120))
    assert tables.p95_s(target) is not None
    assert "ledger_record_unreadable" in stack.log.read_text()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_a_settler_that_crashes_is_replaced_and_the_gateway_does_not_notice(
    stack: DevStack, tables: Tables, client: OpenAI, target: str
) -> None:
    tables.put_rows(next(TARGETS), AttemptResult.COMPLETE, range(100, 101))
    tables.until(lambda _: bool(processes(stack, "SettlerFunction")))
    for pid in processes(stack, "SettlerFunction"):
        os.kill(pid, signal.SIGKILL)
    assert client.models.list().data
    tables.put_rows(target, AttemptResult.COMPLETE, range(100, 120))
    assert tables.p95_s(target) is not None


def test_the_controller_runs_soon_after_the_start(stack: DevStack, tables: Tables) -> None:
    tables.until(lambda _: bool(processes(stack, "ControllerFunction")))

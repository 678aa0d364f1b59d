"""Rows of the ledger with attempts, alone and as records of its stream."""

from __future__ import annotations

from itertools import count
from typing import Any

from forebay.adapters.dynamodb.items import row_to_item
from forebay.adapters.memory.clock import EPOCH_S
from forebay.model import AttemptRecord, AttemptResult, LedgerRow, Outcome, Usage
from forebay.money import NanoUsd

NOW = EPOCH_S
TARGET = "good/model"

_NUMBERS = count()


def attempt(
    result: AttemptResult = AttemptResult.COMPLETE,
    *,
    target: str = TARGET,
    first_token_ms: int | None = 200,
) -> AttemptRecord:
    return AttemptRecord(target, result, first_token_ms=first_token_ms)


def row(*attempts: AttemptRecord, ended_at: float = NOW, duration_ms: int = 1_000) -> LedgerRow:
    """A request that ended then, with an id of its own."""
    return LedgerRow(
        request_id=f"01KB{next(_NUMBERS):022d}",
        created_at=ended_at - duration_ms / 1000,
        key_id="a" * 10,
        key_name="n",
        tenant="t",
        team=None,
        request_model="fast",
        provider="good",
        response_model="model",
        stream=True,
        outcome=Outcome.COMPLETE,
        status=200,
        error_code=None,
        usage=Usage(10, 20),
        cost_nano_usd=NanoUsd(0),
        time_to_first_token_ms=None,
        duration_ms=duration_ms,
        attempts=attempts,
    )


def stream_record(entry: LedgerRow, number: int, kind: str = "INSERT") -> dict[str, Any]:
    """A row as its table's stream has it; `number` is its place there."""
    return {
        "eventID": f"event-{number}",
        "eventName": kind,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": NOW,
            "Keys": {"request_id": {"S": entry.request_id}},
            "NewImage": row_to_item(entry, retention_days=1),
            "SequenceNumber": f"{number:030d}",
            "StreamViewType": "NEW_IMAGE",
        },
    }

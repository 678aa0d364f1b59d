"""What a person, and what a program, sees of the stack's lines."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.model import LedgerRow, Outcome, Usage
from forebay.money import NanoUsd
from forebay_cli.local.logs import Log, readable

ROW = LedgerRow(
    request_id="01MCC5RM000H104YNF3YMNPP4N",
    created_at=1_800_000_000.0,
    key_id="qUHSNQOqDQ",
    key_name="dev",
    tenant="local",
    team=None,
    request_model="fast",
    provider="openai",
    response_model="gpt-5-mini",
    stream=True,
    outcome=Outcome.COMPLETE,
    status=200,
    error_code=None,
    usage=Usage(9, 32),
    cost_nano_usd=NanoUsd(66_250),
    time_to_first_token_ms=212,
    duration_ms=900,
)


def _logged(row: LedgerRow) -> dict[str, Any]:
    """The line that the gateway writes for a request."""
    lines: list[bytes] = []
    JsonLines(lines.append, ManualClock(), "Test").request_ended(row)
    record: dict[str, Any] = json.loads(lines[0])
    return record


def test_a_requests_line_is_summed_up() -> None:
    assert readable(_logged(ROW)) == (
        "fast -> openai/gpt-5-mini complete, first token 212 ms, 900 ms, 9 + 32 tokens, "
        "$0.000066250, id 01MCC5RM000H104YNF3YMNPP4N"
    )


def test_a_request_that_failed_says_why() -> None:
    row = replace(
        ROW, outcome=Outcome.FAILED, error_code="upstream_refused", time_to_first_token_ms=None
    )

    assert readable(_logged(row)).startswith(
        "ERROR fast -> openai/gpt-5-mini failed (upstream_refused), 900 ms"
    )


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"message": "hi", "n": None, "a": [1]}, "hi a=[1]"),
        ({"level": "ERROR", "message": "no"}, "ERROR no"),
        ({"_aws": {}, "Requests": 1}, "Requests=1"),
        ({"share": 0.123456}, "share=0.1235"),
    ],
)
def test_a_structured_line_is_made_readable(record: dict[str, Any], text: str) -> None:
    assert readable(record) == text


def _written(line: str, *, as_json: bool) -> str:
    stream = io.StringIO()
    Log(stream, as_json=as_json).source("gateway")(line)
    return stream.getvalue()


@pytest.mark.parametrize("line", ["{not json", '"text"', "plain"])
def test_a_line_that_is_no_object_is_printed_as_it_is(line: str) -> None:
    assert _written(line, as_json=False) == f"gateway   | {line}\n"


@pytest.mark.parametrize(
    ("line", "fields"),
    [("plain", {"message": "plain"}), ('{"_aws":{},"a":1}', {"_aws": {}, "a": 1})],
)
def test_as_json_each_line_is_one_object_with_its_source(line: str, fields: dict[str, Any]) -> None:
    assert json.loads(_written(line, as_json=True)) == {"source": "gateway"} | fields


def test_an_empty_line_is_not_printed() -> None:
    assert _written("  ", as_json=False) == ""

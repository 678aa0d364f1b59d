"""One line a request, which is also the carrier of its metrics, and from which its row follows."""

import json
from typing import Any

import pytest

from forebay import telemetry as names
from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay.model import LedgerRow, Outcome, Usage, UsageSource
from forebay.money import NanoUsd

ROW = LedgerRow(
    request_id="01MCC5RM000H104YNF3YMNPP4N",
    created_at=1_800_000_000.25,
    key_id="0Q3mK9sT1x",
    key_name='the "web" shop\n\u2028',
    tenant="default",
    team="search",
    request_model="fast",
    provider="openai",
    response_model="gpt-5-mini",
    stream=True,
    outcome=Outcome.CUT,
    status=200,
    error_code="upstream_cut",
    usage=Usage(11, 7, 5, 3, UsageSource.ESTIMATED),
    cost_nano_usd=NanoUsd(12_345),
    time_to_first_token_ms=210,
    duration_ms=1500,
)
QUIET_ROW = LedgerRow(
    request_id="01MCC5RM00F3FM7S0K2SXEHTSQ",
    created_at=1_800_000_000.0,
    key_id="dev",
    key_name="dev",
    tenant="local",
    team=None,
    request_model="m",
    provider="p",
    response_model="m",
    stream=False,
    outcome=Outcome.COMPLETE,
    status=200,
    error_code=None,
    usage=Usage(0, 0),
    cost_nano_usd=NanoUsd(0),
    time_to_first_token_ms=None,
    duration_ms=0,
)
each_row = pytest.mark.parametrize("row", [ROW, QUIET_ROW], ids=["cut", "complete"])


def line_of(row: LedgerRow) -> dict[str, Any]:
    written: list[bytes] = []
    JsonLines(written.append, ManualClock(1_800_000_001.5), "Forebay").request_ended(row)
    (line,) = written
    assert line.index(b"\n") == len(line) - 1
    decoded: dict[str, Any] = json.loads(line)
    return decoded


def row_of(line: dict[str, Any]) -> LedgerRow:
    """What an operator would enter after an outage of the ledger."""
    return LedgerRow(
        request_id=line[names.REQUEST_ID],
        created_at=line[names.CREATED_AT],
        key_id=line[names.KEY_ID],
        key_name=line[names.KEY_NAME],
        tenant=line[names.TENANT],
        team=line[names.TEAM],
        request_model=line[names.REQUEST_MODEL],
        provider=line[names.PROVIDER],
        response_model=line[names.RESPONSE_MODEL],
        stream=line[names.STREAM],
        outcome=Outcome(line[names.OUTCOME]),
        status=line[names.UPSTREAM_STATUS],
        error_code=line[names.ERROR_TYPE],
        usage=Usage(
            line[names.INPUT_TOKENS],
            line[names.OUTPUT_TOKENS],
            line[names.CACHED_INPUT_TOKENS],
            line[names.REASONING_TOKENS],
            UsageSource(line[names.USAGE_SOURCE]),
        ),
        cost_nano_usd=NanoUsd(line[names.COST_NANO_USD]),
        time_to_first_token_ms=line.get(names.TIME_TO_FIRST_TOKEN),
        duration_ms=line[names.REQUEST_DURATION],
    )


@each_row
def test_inv2_a_line_has_every_field_of_its_row(row: LedgerRow) -> None:
    assert row_of(line_of(row)) == row


@each_row
def test_the_metrics_that_a_line_declares_are_in_it(row: LedgerRow) -> None:
    line = line_of(row)

    (declared,) = line["_aws"]["CloudWatchMetrics"]
    values = [line[metric["Name"]] for metric in declared["Metrics"]]
    assert [type(value) for value in values] == [int] * len(values)
    assert {metric["Name"]: metric["Unit"] for metric in declared["Metrics"]} == {
        name: unit for name, unit in names.METRICS.items() if name in line
    }


def test_a_line_is_in_cloudwatch_s_embedded_metric_format() -> None:
    line = line_of(ROW)

    assert line["_aws"]["Timestamp"] == 1_800_000_001_500
    (declared,) = line["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == "Forebay"
    assert declared["Dimensions"] == [["service"]]
    assert line["service"] == "forebay"


def test_a_request_without_output_has_no_time_to_first_token() -> None:
    line = line_of(QUIET_ROW)

    assert names.TIME_TO_FIRST_TOKEN not in line
    assert "time_to_first_token" not in json.dumps(line["_aws"])


@pytest.mark.parametrize(
    ("row", "level", "errors"), [(ROW, "ERROR", 1), (QUIET_ROW, "INFO", 0)], ids=["cut", "complete"]
)
def test_a_request_that_failed_is_an_error(row: LedgerRow, level: str, errors: int) -> None:
    line = line_of(row)

    assert (line["level"], line[names.ERRORS], line[names.REQUESTS]) == (level, errors, 1)


def test_an_incident_is_a_line_of_its_own_without_metrics() -> None:
    written: list[bytes] = []

    JsonLines(written.append, ManualClock(2.0), "F").incident("code", "what", where="here", n=None)

    assert [json.loads(line) for line in written] == [
        {
            "timestamp": 2000,
            "service": "forebay",
            "level": "ERROR",
            "message": "what",
            "error.type": "code",
            "where": "here",
            "n": None,
        }
    ]


def test_a_line_break_in_a_field_does_not_break_the_line() -> None:
    written: list[bytes] = []

    JsonLines(written.append, ManualClock(), "F").incident("code", "one\ntwo\r\u2028")

    assert written[0].count(b"\n") == 1


def gauge_line(name: str, value: float) -> dict[str, Any]:
    written: list[bytes] = []
    JsonLines(written.append, ManualClock(1_800_000_001.5), "Forebay").gauge(name, value)
    decoded: dict[str, Any] = json.loads(written[0])
    return decoded


def test_a_gauge_is_a_line_with_one_metric() -> None:
    line = gauge_line(names.OPEN_BREAKERS, 2)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": names.OPEN_BREAKERS, "Unit": "Count"}]
    assert directive["Dimensions"] == [[names.DIMENSION]]
    assert line[names.OPEN_BREAKERS] == 2


def test_the_spend_of_the_last_hour_is_kept_by_the_second() -> None:
    """Else no alarm may read it every 10 s."""
    (directive,) = gauge_line(names.SPEND_LAST_HOUR, 1.75)["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [
        {"Name": names.SPEND_LAST_HOUR, "Unit": "None", "StorageResolution": 1}
    ]

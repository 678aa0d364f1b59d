"""What runs beside the API: the ledger's stream, the schedule, the queue for what was lost."""

import json
from typing import Any

import pytest

from tests.support.template import ROOT, Template, load, of_type

QUEUES = load(ROOT / "infra/queues.yaml")
TABLES = load(ROOT / "infra/tables.yaml")


@pytest.fixture
def mapping(transformed: Template) -> dict[str, Any]:
    (only,) = of_type(transformed, "AWS::Lambda::EventSourceMapping").values()
    properties: dict[str, Any] = only["Properties"]
    return properties


def test_the_settler_reads_the_ledgers_stream_from_its_beginning(mapping: dict[str, Any]) -> None:
    assert mapping["FunctionName"] == {"Ref": "SettlerFunctionAliaslive"}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["Tables", "Outputs.LedgerStreamArn"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_the_ledgers_stream_has_each_new_row() -> None:
    ledger = TABLES["Resources"]["LedgerTable"]["Properties"]
    assert ledger["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert TABLES["Outputs"]["LedgerStreamArn"]["Value"] == {
        "Fn::GetAtt": ["LedgerTable", "StreamArn"]
    }


def test_only_new_rows_invoke_the_settler(mapping: dict[str, Any]) -> None:
    """Else the expiry of a year-old row would be a call too."""
    (pattern,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {"eventName": ["INSERT"]}


def test_a_shard_is_read_in_its_order(mapping: dict[str, Any]) -> None:
    assert mapping["ParallelizationFactor"] == 1


def test_rows_are_gathered_for_a_second(mapping: dict[str, Any]) -> None:
    """What the snapshot says is at most as old, and a busy second is one call."""
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["BatchSize"] == 100


def test_the_settler_says_which_records_are_to_come_again(mapping: dict[str, Any]) -> None:
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_events_name_their_shard(mapping: dict[str, Any]) -> None:
    """They do only with a tumbling window; splitting batches is not said to go with one."""
    assert mapping["TumblingWindowInSeconds"] == 900
    assert "BisectBatchOnFunctionError" not in mapping


def test_a_batch_that_breaks_the_settler_is_given_up(mapping: dict[str, Any]) -> None:
    assert 0 < mapping["MaximumRetryAttempts"] <= 1_000
    assert 0 < mapping["MaximumRecordAgeInSeconds"] <= 6 * 3_600  # a stream keeps 24 hours


def test_what_was_given_up_is_told_to_a_queue(mapping: dict[str, Any]) -> None:
    assert mapping["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["Queues", "Outputs.SettlerFailuresArn"]}}
    }


@pytest.mark.parametrize("queue", QUEUES["Resources"].values(), ids=list(QUEUES["Resources"]))
def test_a_queue_is_encrypted_and_keeps_what_it_is_told_for_14_days(queue: dict[str, Any]) -> None:
    assert queue["Type"] == "AWS::SQS::Queue"
    assert queue["Properties"] == {
        "SqsManagedSseEnabled": True,
        "MessageRetentionPeriod": 14 * 86_400,
    }


def test_the_controller_runs_every_minute_and_a_missed_run_is_not_made_up_for(
    transformed: Template,
) -> None:
    (rule,) = of_type(transformed, "AWS::Events::Rule").values()
    (target,) = rule["Properties"]["Targets"]
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert target["Arn"] == {"Ref": "ControllerFunctionAliaslive"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0}


def test_a_run_of_the_controller_ends_before_the_next(transformed: Template) -> None:
    assert transformed["Resources"]["ControllerFunction"]["Properties"]["Timeout"] < 60

"""Stream mappings and schedules, as the processed template has them."""

from pathlib import Path
from typing import Any

import pytest

from forebay_cli.local.event_sources import (
    EventSourceError,
    Schedule,
    StreamMapping,
    load_schedules,
    load_stream_mappings,
)
from forebay_cli.local.resolve import Scope
from forebay_cli.local.template import translate

ROOT = Path(__file__).parents[3]
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-24T00:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:F:live"


def _scope(kind: str, properties: dict[str, Any], **more: Any) -> Scope:
    resource = {"Type": kind, "Properties": properties, **more}
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    return Scope({"Resources": {"Source": resource}, "Conditions": conditions}, {})


def _mapping(**properties: Any) -> StreamMapping:
    raw = {"EventSourceArn": STREAM, "FunctionName": FUNCTION, **properties}
    (mapping,) = load_stream_mappings(_scope("AWS::Lambda::EventSourceMapping", raw))
    return mapping


def _filter(pattern: str) -> dict[str, Any]:
    return {"Filters": [{"Pattern": pattern}]}


def test_the_projects_own_template_has_one_stream_and_one_schedule() -> None:
    template = translate((ROOT / "template.yaml").read_text(), {"Stage": "local"})
    known = {
        ("Tables", "Outputs.LedgerStreamArn"): STREAM,
        ("Queues", "Outputs.SettlerFailuresArn"): "arn:aws:sqs:us-east-1:000000000000:q",
    }
    scope = Scope(template, {"Stage": "local"}, known)
    (mapping,) = load_stream_mappings(scope)
    (schedule,) = load_schedules(scope)
    assert (mapping.function, mapping.stream_arn) == ("SettlerFunction", STREAM)
    assert mapping.failures_queue_arn == "arn:aws:sqs:us-east-1:000000000000:q"
    assert (schedule.function, schedule.period_s) == ("ControllerFunction", 60)


def test_a_mapping_has_lambdas_defaults() -> None:
    assert _mapping() == StreamMapping(
        name="Source",
        function="F",
        stream_arn=STREAM,
        patterns=(),
        batch_size=100,
        batch_window_s=0,
        bisect=False,
        partial=False,
        max_retries=None,
        max_age_s=None,
        failures_queue_arn=None,
    )


def test_minus_one_is_no_bound() -> None:
    mapping = _mapping(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1)
    assert (mapping.max_retries, mapping.max_age_s) == (None, None)


def test_none_is_a_bound() -> None:
    assert _mapping(MaximumRetryAttempts=0).max_retries == 0


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        ('{"eventName": ["INSERT"]}', True),
        ('{"eventName": ["MODIFY", "REMOVE"]}', False),
        ('{"dynamodb": {"Keys": {"id": {"S": ["x"]}}}}', True),
        ('{"dynamodb": {"Keys": {"other": {"S": ["x"]}}}}', False),
        ('{"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": ["y"]}}}}', False),
    ],
)
def test_a_filter_asks_for_values(pattern: str, *, passes: bool) -> None:
    record = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "x"}}}}
    assert _mapping(FilterCriteria=_filter(pattern)).passes(record) is passes


def test_one_filter_that_passes_is_enough() -> None:
    filters = [{"Pattern": '{"a": ["1"]}'}, {"Pattern": '{"a": ["2"]}'}]
    mapping = _mapping(FilterCriteria={"Filters": filters})
    assert [mapping.passes({"a": value}) for value in "123"] == [True, True, False]


@pytest.mark.parametrize("pattern", ['{"a": [{"prefix": "x"}]}', '{"a": "x"}', '{"$or": [{}]}'])
def test_a_filter_that_is_not_known_here_is_refused(pattern: str) -> None:
    with pytest.raises(EventSourceError, match="Source: the filter"):
        _mapping(FilterCriteria=_filter(pattern))


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:0:q"}, "not the stream of a table"),
        ({"FunctionName": "nobody"}, "not a function"),
    ],
)
def test_a_mapping_that_cannot_run_here_says_why(properties: dict[str, Any], says: str) -> None:
    with pytest.raises(EventSourceError, match=says):
        _mapping(**properties)


@pytest.mark.parametrize(
    ("expression", "period_s"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7_200)],
)
def test_a_schedule_has_its_period(expression: str, period_s: int) -> None:
    rule = {"ScheduleExpression": expression, "Targets": [{"Arn": FUNCTION}]}
    assert load_schedules(_scope("AWS::Events::Rule", rule)) == [Schedule("Source", "F", period_s)]


def test_a_schedule_in_cron_is_refused() -> None:
    rule = {"ScheduleExpression": "cron(0 1 * * ? *)", "Targets": [{"Arn": FUNCTION}]}
    with pytest.raises(EventSourceError, match="only rate"):
        load_schedules(_scope("AWS::Events::Rule", rule))


def test_what_a_condition_leaves_out_is_not_run() -> None:
    rule = {"ScheduleExpression": "rate(1 minute)", "Targets": [{"Arn": FUNCTION}]}
    assert load_schedules(_scope("AWS::Events::Rule", rule, Condition="Never")) == []

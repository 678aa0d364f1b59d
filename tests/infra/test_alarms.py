"""The alarms, the dashboard and where both tell: few, cheap, and of metrics that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from forebay import telemetry
from forebay.adapters.telemetry import SERVICE
from forebay.settings import TelemetrySettings
from forebay.telemetry import DIMENSION, FINE, METRICS, SPEND_LAST_HOUR
from forebay_cli import bill
from tests.support.ministack import CREDENTIALS, start_ministack
from tests.support.template import ROOT, Template, load, of_type

PATH = ROOT / "infra/alarms.yaml"
TEMPLATE = load(PATH)
ALARMS: dict[str, Any] = {
    name: alarm["Properties"] for name, alarm in of_type(TEMPLATE, "AWS::CloudWatch::Alarm").items()
}
BY_DEFAULT = {
    name: alarm for name, alarm in ALARMS.items() if "Condition" not in TEMPLATE["Resources"][name]
}
OURS = {"Ref": "MetricsNamespace"}
OF_AWS = {
    ("AWS/Lambda", "Throttles"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/DynamoDB", "ReadThrottleEvents"),
    ("AWS/DynamoDB", "WriteThrottleEvents"),
}
DASHBOARD = load(ROOT / "infra/dashboard.yaml")["Resources"]["Dashboard"]["Properties"]
STACKS = {"AlarmsStack": PATH, "DashboardStack": ROOT / "infra/dashboard.yaml"}
PARAMETERS = {
    "MetricsNamespace": "Forebay",
    "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
    "GatewayFunctionName": "gateway",
    "SettlerFailuresName": "failures",
    "SpendPerHourUsd": "25",
} | {f"{kind}TableName": kind for kind in ("Limits", "Ledger", "Keys", "Usage", "Breakers", "Jobs")}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm reads: one of its own, or those of an expression."""
    stats = [
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each
    ]
    return stats or [alarm]


def body() -> dict[str, Any]:
    """Return the dashboard as CloudWatch gets it."""
    text = re.sub(r"\$\{([\w:]+)\}", r"\1", DASHBOARD["DashboardBody"]["Fn::Sub"])
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_there_are_ten_series_at_most() -> None:
    """As many as every account has free; there is no dimension but the service."""
    assert len(METRICS) == bill.METRIC_SERIES <= 10


def test_alarms_read_ten_metrics_by_default() -> None:
    read = [metric for alarm in BY_DEFAULT.values() for metric in metrics_of(alarm)]
    fast = [alarm for alarm in BY_DEFAULT.values() if alarm["Period"] < 60]
    assert len(read) == bill.ALARM_METRICS + bill.FAST_ALARM_METRICS <= 10
    assert len(fast) == bill.FAST_ALARM_METRICS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_reads_a_metric_that_somebody_tells(name: str) -> None:
    for metric in metrics_of(ALARMS[name]):
        if metric["Namespace"] == OURS:
            assert metric["MetricName"] in METRICS
            assert metric["Dimensions"] == [{"Name": DIMENSION, "Value": SERVICE}]
        else:
            assert (metric["Namespace"], metric["MetricName"]) in OF_AWS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_and_says_what_it_means(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "TopicArn"}]
    assert ALARMS[name]["AlarmDescription"]


@pytest.mark.parametrize("name", ALARMS)
def test_silence_is_no_alarm(name: str) -> None:
    """Nobody tells anything while nobody calls."""
    assert ALARMS[name]["TreatMissingData"] == "notBreaching"


def test_spend_is_looked_at_every_ten_seconds() -> None:
    alarm = ALARMS["SpendLastHour"]
    assert alarm["MetricName"] == SPEND_LAST_HOUR
    assert SPEND_LAST_HOUR in FINE  # CloudWatch refuses such a period on any other
    assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (10, 2, 3)
    assert alarm["Threshold"] == {"Ref": "SpendPerHourUsd"}


def test_dollars_become_nano_dollars() -> None:
    assert ALARMS["SpendPerHour"]["Threshold"] == {"Fn::Sub": "${SpendPerHourUsd}" + "0" * 9}


def test_what_the_embedded_aws_cannot_do_is_left_out_of_it() -> None:
    learning = {name for name, alarm in ALARMS.items() if "Metrics" in alarm}
    conditions = {name: TEMPLATE["Resources"][name]["Condition"] for name in learning}
    assert conditions == {"SpendAnomaly": "LearnsSpend"}
    assert {"Fn::Equals": [{"Ref": "Stage"}, "production"]} in TEMPLATE["Conditions"][
        "LearnsSpend"
    ]["Fn::And"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_template_gives_each_parameter(source: Template, stack: str) -> None:
    given = source["Resources"][stack]["Properties"]["Parameters"]
    assert given.keys() == load(STACKS[stack])["Parameters"].keys()
    assert given["MetricsNamespace"] == TelemetrySettings().metrics_namespace


def test_the_dashboard_draws_metrics_that_somebody_tells() -> None:
    drawn = {
        metric[1]
        for widget in body()["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "MetricsNamespace"
    }
    assert drawn == METRICS.keys()


def test_the_dashboard_is_one_of_those_that_may_be_free() -> None:
    """Up to 50 metrics."""
    metrics = [
        metric for widget in body()["widgets"] for metric in widget["properties"].get("metrics", [])
    ]
    assert len(metrics) <= 50


def test_the_dashboard_asks_the_log_for_what_it_holds() -> None:
    """By the names of a request's line."""
    known = {value for value in vars(telemetry).values() if isinstance(value, str)}
    queries = [
        widget["properties"]["query"] for widget in body()["widgets"] if widget["type"] == "log"
    ]
    asked = {name for query in queries for name in re.findall(r"`([^`]+)`", query)}
    assert len(queries) == 3
    assert asked <= known


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.mark.ministack
def test_an_alarm_goes_off_when_more_is_spent(aws: str) -> None:
    cloudformation = boto3.client("cloudformation", endpoint_url=aws, **CREDENTIALS)
    cloudwatch = boto3.client("cloudwatch", endpoint_url=aws, **CREDENTIALS)
    parameters = PARAMETERS | {"Stage": "local", "Alarms": "full"}
    cloudformation.create_stack(
        StackName="alarms",
        TemplateBody=PATH.read_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName="alarms")

    def states() -> dict[str, str]:
        alarms = cloudwatch.describe_alarms()["MetricAlarms"]
        return {alarm["AlarmName"].split("-")[1]: alarm["StateValue"] for alarm in alarms}

    assert states().keys() == ALARMS.keys() - {"SpendAnomaly"}
    for value, state in ((24.99, "OK"), (25.01, "ALARM")):
        cloudwatch.put_metric_data(
            Namespace="Forebay",
            MetricData=[
                {
                    "MetricName": SPEND_LAST_HOUR,
                    "Dimensions": [{"Name": DIMENSION, "Value": SERVICE}],
                    "Value": value,
                    "StorageResolution": 1,
                }
            ],
        )
        assert states()["SpendLastHour"] == state

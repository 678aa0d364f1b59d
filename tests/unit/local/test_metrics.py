"""Metrics out of log lines, as CloudWatch reads them."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from forebay import telemetry as names
from forebay.adapters.memory import ManualClock
from forebay.adapters.telemetry import JsonLines
from forebay_cli.local.metrics import MOST_DATA, LocalMetrics, metrics_of
from tests.support.ledger_rows import row


def line(name: str = names.SPEND_LAST_HOUR, value: float = 1.75) -> str:
    written: list[bytes] = []
    JsonLines(written.append, ManualClock(1_800_000_001.5), "Forebay").gauge(name, value)
    return written[0].decode()


class CloudWatch:
    """Takes metrics, or is out of reach."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self.calls: list[tuple[str, list[Any]]] = []

    def put_metric_data(self, *, Namespace: str, MetricData: list[Any]) -> None:  # noqa: N803 - AWS's names
        self.calls.append((Namespace, MetricData))
        if not self.reachable:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


def test_a_metric_is_what_the_line_says_it_is() -> None:
    assert list(metrics_of(line())) == [
        (
            "Forebay",
            {
                "MetricName": names.SPEND_LAST_HOUR,
                "Dimensions": [{"Name": "service", "Value": "forebay"}],
                "Timestamp": 1_800_000_001.5,
                "Value": 1.75,
                "Unit": "None",
                "StorageResolution": 1,
            },
        )
    ]


def test_a_requests_line_has_all_its_metrics() -> None:
    written: list[bytes] = []
    JsonLines(written.append, ManualClock(), "Forebay").request_ended(row())
    told = {datum["MetricName"] for _, datum in metrics_of(written[0].decode())}
    assert told == names.METRICS.keys() - {
        names.SPEND_LAST_HOUR,
        names.OPEN_BREAKERS,
        names.OLDEST_HOLD,
        names.TIME_TO_FIRST_TOKEN,  # this answer had none
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"_aws"', id="cut-off"),
        pytest.param('"_aws"', id="no-object"),
        pytest.param('{"_aws": null}', id="no-directives"),
        pytest.param('{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{}]}}', id="empty-directive"),
        pytest.param(line().replace("1.75", '"many"'), id="no-number"),
        pytest.param(line().replace("1.75", "true"), id="no-number-either"),
        pytest.param(line().replace('"forebay.spend_last_hour":1.75', '"x":1'), id="missing"),
        pytest.param(line().replace('"service":"forebay",', ""), id="no-dimension"),
    ],
)
def test_a_line_that_is_not_in_the_format_has_none(text: str) -> None:
    assert list(metrics_of(text)) == []


def test_lines_are_passed_on_as_they_are() -> None:
    passed: list[str] = []
    read = LocalMetrics(CloudWatch(), passed.append).reading(passed.append)
    for text in ("plain", line(), '{"_aws"'):
        read(text)
    assert passed == ["plain", line(), '{"_aws"']


def test_what_came_is_put_at_most_a_thousand_at_a_time() -> None:
    client = CloudWatch()
    metrics = LocalMetrics(client, print)
    read = metrics.reading(lambda _: None)
    for _ in range(MOST_DATA + 1):
        read(line())
    metrics._put(metrics._waiting)
    assert [(name, len(data)) for name, data in client.calls] == [("Forebay", 1000), ("Forebay", 1)]


def test_what_cannot_be_put_is_lost_and_said() -> None:
    said: list[str] = []
    metrics = LocalMetrics(CloudWatch(reachable=False), said.append)
    metrics.reading(lambda _: None)(line())
    metrics._put(metrics._waiting)
    assert len(said) == 1
    assert said[0].startswith("1 metrics are lost: ")


def test_a_line_of_another_program_is_no_json_of_ours() -> None:
    assert list(metrics_of(json.dumps({"message": '"_aws"'}))) == []

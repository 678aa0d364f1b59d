"""`forebay alarms`: what it asks, and how it is printed."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from forebay.telemetry import SPEND_LAST_HOUR
from forebay_cli.alarms import LOCAL_STACK
from forebay_cli.local.state import shown_aws_url
from tests.infra.test_alarms import ALARMS, PARAMETERS, PATH
from tests.support.ministack import CREDENTIALS, start_ministack
from tests.unit.cli.conftest import Forebay


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of an embedded AWS with the alarms."""
    folder = tmp_path_factory.mktemp("state")
    with start_ministack(folder) as url, shown_aws_url(folder, url):
        cloudformation = boto3.client("cloudformation", endpoint_url=url, **CREDENTIALS)
        parameters = PARAMETERS | {"Stage": "local", "Alarms": "minimal"}
        cloudformation.create_stack(
            StackName=LOCAL_STACK,
            TemplateBody=PATH.read_text(),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=LOCAL_STACK)
        cloudwatch = boto3.client("cloudwatch", endpoint_url=url, **CREDENTIALS)
        datum = {"MetricName": SPEND_LAST_HOUR, "Value": 25.01}
        cloudwatch.put_metric_data(Namespace="Forebay", MetricData=[datum])
        yield folder


@pytest.mark.ministack
def test_as_json_each_alarm_has_its_state(run: Forebay, state: Path) -> None:
    alarms = json.loads(run("alarms", "--state", str(state), "--json").out)["alarms"]
    assert {alarm["name"]: alarm["state"] for alarm in alarms if alarm["name"][:5] == "Spend"} == {
        "SpendLastHour": "alarm",
        "SpendPerHour": "insufficient_data",
    }
    assert len(alarms) == 10
    assert alarms == sorted(alarms, key=lambda alarm: str(alarm["name"]))
    assert all(alarm["name"] in ALARMS for alarm in alarms)


@pytest.mark.ministack
def test_for_a_person_they_are_a_table(run: Forebay, state: Path) -> None:
    head, *rows = run("alarms", "--state", str(state)).out.splitlines()
    assert head.split() == ["ALARM", "STATE", "SINCE", "MEANING"]
    (spend,) = [line for line in rows if line.startswith("SpendLastHour ")]
    assert spend.split()[1] == "alarm"
    assert spend.endswith("More than 25 USD in the last hour, as the settler adds it up.")


def test_without_a_stack_that_runs_it_says_how_to_start_one(run: Forebay, tmp_path: Path) -> None:
    failed = run("alarms", "--state", str(tmp_path))
    assert failed.status == 1
    assert "make dev" in failed.err


def test_an_address_does_not_lead_to_alarms(run: Forebay) -> None:
    failed = run("--url", "http://127.0.0.1:8080", "alarms")
    assert failed.status == 1
    assert "--stack" in failed.err

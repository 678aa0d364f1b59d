"""Nested stacks in ministack: made once, updated when they change, errors with their reason."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay_cli.local.ministack import CREDENTIALS
from forebay_cli.local.provision import Provisioned, ProvisionError, cloudformation, provision
from forebay_cli.local.resolve import Scope
from tests.support.ministack import start_ministack

pytestmark = pytest.mark.ministack

TABLE = """
Parameters: {Stage: {Type: String}}
Resources:
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
Outputs:
  Name: {Value: !Ref Items}
  Said: {Value: !Sub "v1 ${Stage}"}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield cloudformation(url, CREDENTIALS)


def _provision(client: Any, folder: Path, name: str, body: str | None) -> Provisioned:
    if body is not None:
        (folder / "nested.yaml").write_text(body)
    properties = {"TemplateURL": "nested.yaml", "Parameters": {"Stage": {"Ref": "Stage"}}}
    absent = {"Type": "AWS::CloudFormation::Stack", "Condition": "Never", "Properties": {}}
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            name: {"Type": "AWS::CloudFormation::Stack", "Properties": properties},
            "Absent": absent,
        },
    }
    pause = threading.Event().wait
    return provision(client, Scope(template, {"Stage": "local"}), folder, pause)


def test_a_stack_is_made_once(client: Any, tmp_path: Path) -> None:
    first = _provision(client, tmp_path, "Once", TABLE)
    again = _provision(client, tmp_path, "Once", TABLE)
    assert (first.created, again.created) == (True, False)
    assert first.outputs == again.outputs
    assert first.outputs["Once", "Outputs.Said"] == "v1 local"


def test_a_changed_template_updates_its_stack_and_keeps_its_table(
    client: Any, tmp_path: Path
) -> None:
    first = _provision(client, tmp_path, "Changed", TABLE)
    after = _provision(client, tmp_path, "Changed", TABLE.replace("v1", "v2"))
    assert after.created is False
    assert after.outputs["Changed", "Outputs.Said"] == "v2 local"
    assert after.outputs["Changed", "Outputs.Name"] == first.outputs["Changed", "Outputs.Name"]


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("Bad", TABLE.replace("DynamoDB::Table", "Nothing::AtAll"), "Bad"),
        ("NoYaml", "a: [", "NoYaml"),
        ("Missing", None, "cannot be read"),
    ],
)
def test_a_stack_that_cannot_be_made_says_why(
    client: Any, tmp_path: Path, name: str, body: str | None, says: str
) -> None:
    with pytest.raises(ProvisionError, match=says):
        _provision(client, tmp_path, name, body)

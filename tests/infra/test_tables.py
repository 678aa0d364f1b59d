"""The tables: what they hold is not lost, and they cost nothing while idle."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.ministack import CREDENTIALS, start_ministack
from tests.support.template import ROOT, load

PATH = ROOT / "infra/tables.yaml"
TEMPLATE = load(PATH)
TABLES: dict[str, Any] = TEMPLATE["Resources"]
KEPT = {name: table for name, table in TABLES.items() if name != "BreakersTable"}
"""All but the targets' health, which is of the last minute."""
EXPIRING = {name: TABLES[name] for name in ("KeysTable", "LedgerTable", "JobsTable")}
"""Limits and roll-ups are few, and stay: a budget without an end date has none."""
KEPT_IN_PRODUCTION = {"Fn::If": ["IsProduction", "Retain", "Delete"]}


@pytest.mark.parametrize("name", KEPT)
def test_a_table_outlives_its_stack_in_production_only(name: str) -> None:
    table = TABLES[name]
    assert TEMPLATE["Transform"] == "AWS::LanguageExtensions"  # conditions in policies need it
    assert TEMPLATE["Conditions"]["IsProduction"] == {
        "Fn::Equals": [{"Ref": "Stage"}, "production"]
    }
    assert table["DeletionPolicy"] == KEPT_IN_PRODUCTION
    assert table["UpdateReplacePolicy"] == KEPT_IN_PRODUCTION
    assert table["Properties"]["DeletionProtectionEnabled"] == {
        "Fn::If": ["IsProduction", True, False]
    }


def test_the_targets_health_goes_with_its_stack() -> None:
    breakers = TABLES["BreakersTable"]
    assert breakers["DeletionPolicy"] == breakers["UpdateReplacePolicy"] == "Delete"
    assert "DeletionProtectionEnabled" not in breakers["Properties"]


@pytest.mark.parametrize("name", KEPT)
def test_a_table_can_be_put_back_to_any_second(name: str) -> None:
    assert TABLES[name]["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_with_dynamodbs_own_key(name: str) -> None:
    """`true` would mean a key in KMS: charged by the call, and one more thing that may throttle."""
    assert TABLES[name]["Properties"]["SSESpecification"] == {"SSEEnabled": False}


@pytest.mark.parametrize("name", EXPIRING)
def test_a_table_forgets_what_has_expired(name: str) -> None:
    assert TABLES[name]["Properties"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_paid_by_the_request(name: str) -> None:
    assert TABLES[name]["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_keys_are_found_by_id() -> None:
    assert TABLES["KeysTable"]["Properties"]["KeySchema"] == [
        {"AttributeName": "key_id", "KeyType": "HASH"}
    ]


def test_health_is_found_by_target_and_a_job_by_id() -> None:
    found_by = {
        name: TABLES[name]["Properties"]["KeySchema"] for name in ("BreakersTable", "JobsTable")
    }
    assert found_by == {
        "BreakersTable": [{"AttributeName": "target", "KeyType": "HASH"}],
        "JobsTable": [{"AttributeName": "job_id", "KeyType": "HASH"}],
    }


def test_a_limit_is_found_by_scope_and_by_when_it_must_be_swept() -> None:
    limits = TABLES["LimitsTable"]["Properties"]
    assert limits["KeySchema"] == [{"AttributeName": "scope", "KeyType": "HASH"}]
    assert limits["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_sweep",
            "KeySchema": [
                {"AttributeName": "sweep_shard", "KeyType": "HASH"},
                {"AttributeName": "sweep_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]


def test_usage_is_found_by_roll_up_and_part() -> None:
    assert TABLES["UsageTable"]["Properties"]["KeySchema"] == [
        {"AttributeName": "rollup", "KeyType": "HASH"},
        {"AttributeName": "part", "KeyType": "RANGE"},
    ]


def test_the_ledger_is_found_by_request_and_by_day() -> None:
    ledger = TABLES["LedgerTable"]["Properties"]
    assert ledger["KeySchema"] == [{"AttributeName": "request_id", "KeyType": "HASH"}]
    assert ledger["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_day",
            "KeySchema": [
                {"AttributeName": "day_shard", "KeyType": "HASH"},
                {"AttributeName": "request_id", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.mark.ministack
@pytest.mark.parametrize(("stage", "kept"), [("production", len(KEPT)), ("local", 0)])
def test_what_is_left_when_the_stack_is_deleted(aws: str, stage: str, kept: int) -> None:
    cloudformation = boto3.client("cloudformation", endpoint_url=aws, **CREDENTIALS)
    dynamodb: Any = boto3.resource("dynamodb", endpoint_url=aws, **CREDENTIALS)
    cloudformation.create_stack(
        StackName=stage,
        TemplateBody=PATH.read_text(),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": stage}],
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stage)
    tables = [table for table in dynamodb.tables.all() if table.name.startswith(stage)]
    assert [table.deletion_protection_enabled for table in tables].count(True) == kept
    cloudformation.delete_stack(StackName=stage)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stage)
    left = [table.name for table in dynamodb.tables.all() if table.name.startswith(stage)]
    assert len(left) == kept

"""PynamoDB's models and the template say the same about the tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from pynamodb.models import Model

from forebay.adapters.dynamodb.tables import (
    BreakerItem,
    JobItem,
    KeyItem,
    LedgerItem,
    LimitItem,
    TableLocation,
    UsageItem,
    located,
)
from tests.support.template import ROOT, load

TEMPLATE = load(ROOT / "infra" / "tables.yaml")
TABLES = [
    pytest.param("KeysTable", KeyItem, id="keys"),
    pytest.param("LedgerTable", LedgerItem, id="ledger"),
    pytest.param("BreakersTable", BreakerItem, id="breakers"),
    pytest.param("JobsTable", JobItem, id="jobs"),
    pytest.param("LimitsTable", LimitItem, id="limits"),
    pytest.param("UsageTable", UsageItem, id="usage"),
]


def in_template(table: str) -> dict[str, Any]:
    properties: dict[str, Any] = TEMPLATE["Resources"][table]["Properties"]
    return properties


def schema_of(model: Any) -> dict[str, Any]:
    """Return what PynamoDB would create the table from (it has no public name for it)."""
    schema: dict[str, Any] = model._get_schema()
    return schema


def by_name(attributes: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {
        attribute["AttributeName"]: attribute.get("KeyType") or attribute["AttributeType"]
        for attribute in attributes
    }


@pytest.mark.parametrize(("table", "model"), TABLES)
def test_they_agree_on_the_key(table: str, model: type[Model]) -> None:
    theirs, ours = in_template(table), schema_of(model)
    assert by_name(ours["key_schema"]) == by_name(theirs["KeySchema"])
    assert by_name(ours["attribute_definitions"]) == by_name(theirs["AttributeDefinitions"])


@pytest.mark.parametrize(("table", "model"), TABLES)
def test_they_agree_on_the_indexes(table: str, model: type[Model]) -> None:
    theirs = {
        index["IndexName"]: (by_name(index["KeySchema"]), index["Projection"])
        for index in in_template(table).get("GlobalSecondaryIndexes", [])
    }
    ours = {
        index["index_name"]: (by_name(index["key_schema"]), index["projection"])
        for index in schema_of(model)["global_secondary_indexes"]
    }
    assert ours == theirs


@pytest.mark.parametrize(
    ("table", "model"),
    [pytest.param("LedgerTable", LedgerItem), pytest.param("JobsTable", JobItem)],
)
def test_they_agree_on_when_rows_expire(
    table: str, model: type[LedgerItem] | type[JobItem]
) -> None:
    assert in_template(table)["TimeToLiveSpecification"] == {
        "AttributeName": model.expires_at.attr_name,
        "Enabled": True,
    }


def test_models_of_two_tables_do_not_share_their_place() -> None:
    here = located(KeyItem, TableLocation("here", "eu-central-1"))
    there = located(KeyItem, TableLocation("there", "us-east-1", "http://127.0.0.1:4566"))
    places = [
        (model.Meta.table_name, model.Meta.region, model.Meta.host) for model in (here, there)
    ]
    assert places == [
        ("here", "eu-central-1", None),
        ("there", "us-east-1", "http://127.0.0.1:4566"),
    ]

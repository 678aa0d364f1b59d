"""`forebay budgets`: limits that keys share."""

import json

import pytest

from forebay.model import Budget, KeyPolicy
from forebay.money import NanoUsd
from tests.support.admin_api import AdminServer
from tests.unit.cli.conftest import Forebay


@pytest.mark.parametrize(
    ("whose", "scope"),
    [
        ([], "account"),
        (["--tenant", "acme"], "tenant#acme"),
        (["--tenant", "acme", "--team", "web"], "team#acme#web"),
    ],
    ids=["account", "tenant", "team"],
)
def test_set_limits_a_scope(
    forebay: Forebay, server: AdminServer, whose: list[str], scope: str
) -> None:
    limits = ["--budget-usd", "0.5", "--rpm", "60", "--tpm", "1000", "--parallel", "4"]
    assert forebay("budgets", "set", *whose, *limits).status == 0
    stored = server.api.scopes.get(scope)
    assert stored is not None
    assert stored.policy == KeyPolicy(
        budgets=(Budget(NanoUsd(500_000_000)),),
        requests_per_minute=60,
        tokens_per_minute=1_000,
        parallel=4,
    )


def test_set_leaves_what_it_does_not_name(forebay: Forebay, server: AdminServer) -> None:
    forebay("budgets", "set", "--rpm", "60", "--parallel", "4")
    shown = json.loads(forebay("budgets", "set", "--clear", "rpm", "--tpm", "9", "--json").out)
    stored = server.api.scopes.get("account")
    assert stored is not None
    assert stored.policy == KeyPolicy(tokens_per_minute=9, parallel=4)
    assert (shown["version"], shown["requests_per_minute"]) == (2, None)


def test_list_is_an_aligned_table(forebay: Forebay) -> None:
    forebay("budgets", "set", "--budget-usd", "100", "--period", "day")
    forebay("budgets", "set", "--tenant", "acme", "--team", "web", "--rpm", "60")
    assert forebay("budgets", "list").out.splitlines() == [
        "TENANT  TEAM  LIMITS         CHANGED",
        "(all)   -     100 USD a day  2027-01-15T08:00:00Z",
        "acme    web   60 rpm         2027-01-15T08:00:00Z",
    ]


def test_list_as_json_is_one_object(forebay: Forebay) -> None:
    forebay("budgets", "set", "--tenant", "acme", "--rpm", "60")
    answer = json.loads(forebay("budgets", "list", "--json").out)
    assert [scope["tenant"] for scope in answer["scopes"]] == ["acme"]


def test_list_of_none_says_how_to_set_one(forebay: Forebay) -> None:
    assert "forebay budgets set" in forebay("budgets", "list").out


def test_what_the_server_refuses_is_one_line_and_status_1(forebay: Forebay) -> None:
    refused = forebay("budgets", "set", "--tenant", "a#b", "--rpm", "1")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["set"],
        ["set", "--tenant", "acme"],
        ["set", "--team", "web", "--rpm", "1"],
        ["set", "--models", "fast"],
        ["set", "--clear", "models"],
        ["set", "--zone", "UTC"],
        ["show"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_asks_nothing(
    forebay: Forebay, server: AdminServer, args: list[str]
) -> None:
    assert forebay("budgets", *args).status == 2
    assert server.requests == []

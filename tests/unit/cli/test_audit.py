"""`forebay audit`: what operators did."""

import json

import pytest

from tests.support.admin_api import OPERATOR_ARN, AdminServer
from tests.unit.cli.conftest import Forebay


def test_it_is_an_aligned_table_the_newest_first(forebay: Forebay, server: AdminServer) -> None:
    forebay("keys", "create", "--name", "web")
    server.api.clock.advance(1)
    forebay("keys", "update", "web", "--rpm", "60", "--priority", "batch")
    key_id = server.api.desk.show("web").key_id
    head, changed, created = forebay("audit").out.splitlines()
    assert head.split() == ["AT", "ACTION", "ON", "CHANGED", "BY"]
    fields = "requests_per_minute,priority"
    assert changed == f"2027-01-15T08:00:01Z  keys.change  {key_id}  {fields}  {OPERATOR_ARN}"
    assert created.split() == ["2027-01-15T08:00:00Z", "keys.create", key_id, "-", OPERATOR_ARN]


def test_as_json_it_is_one_object(forebay: Forebay) -> None:
    forebay("keys", "create", "--name", "web")
    (entry,) = json.loads(forebay("audit", "--json").out)["entries"]
    assert set(entry) == {"id", "at", "actor", "action", "subject", "before", "after"}
    assert (entry["before"], entry["after"]["name"]) == (None, "web")


def test_it_can_be_of_one_key_and_short(forebay: Forebay, server: AdminServer) -> None:
    for name in ("web", "other"):
        forebay("keys", "create", "--name", name)
    forebay("keys", "revoke", "web")
    assert len(forebay("audit", "--key", "web").out.splitlines()) == 3
    assert len(forebay("audit", "--key", "web", "--limit", "1").out.splitlines()) == 2
    assert server.requests[-1][1] == "/v1/admin/audit?key=web&limit=1"


def test_an_empty_trail_says_so(forebay: Forebay) -> None:
    assert forebay("audit").out == "Nothing was done yet.\n"


def test_an_unknown_key_is_one_line_and_status_1(forebay: Forebay) -> None:
    refused = forebay("audit", "--key", "nobody")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("args", [["--limit", "many"], ["--limit"], ["web"]], ids=" ".join)
def test_wrong_usage_is_status_2_and_asks_nothing(
    forebay: Forebay, server: AdminServer, args: list[str]
) -> None:
    assert forebay("audit", *args).status == 2
    assert server.requests == []

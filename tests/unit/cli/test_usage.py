"""`forebay usage`: what is asked, and how it is printed."""

import asyncio
import csv
import json
from typing import Any

import pytest

from tests.support.admin_api import AdminServer, ledger_row
from tests.unit.cli.conftest import Forebay


def use(server: AdminServer, count: int) -> None:
    for number in range(count):
        row = ledger_row(str(number), server.api.clock.now())
        server.api.ledger._rows[row.request_id] = row


def test_usage_prints_the_total(forebay: Forebay, server: AdminServer) -> None:
    use(server, 12)
    assert forebay("usage").out.splitlines() == [
        "2026-12-17 to 2027-01-15 (UTC)",
        "",
        "REQUESTS  INPUT  CACHED  OUTPUT     COST USD",
        "      12  1,200     480     120  0.000014808",
    ]


def test_usage_by_something_prints_rows_and_a_total(forebay: Forebay, server: AdminServer) -> None:
    use(server, 2)
    assert forebay("usage", "--by", "key").out.splitlines()[2:] == [
        "KEY    REQUESTS  INPUT  CACHED  OUTPUT     COST USD",
        "web           2    200      80      20  0.000002468",
        "total         2    200      80      20  0.000002468",
    ]


def test_usage_as_json_is_one_object(forebay: Forebay, server: AdminServer) -> None:
    use(server, 1)
    report = json.loads(forebay("usage", "--by", "model", "--json").out)
    totals = {
        "requests": 1,
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "output_tokens": 10,
        "cost_nano_usd": 1_234,
    }
    assert report == {
        "from": "2026-12-17",
        "to": "2027-01-15",
        "by": "model",
        "rows": [{"model": "fast", **totals}],
        "total": totals,
    }


def test_usage_asks_for_days_and_key(forebay: Forebay, server: AdminServer) -> None:
    use(server, 1)
    options = ["--from", "2027-01-01", "--to", "2027-01-31", "--key", "web"]
    assert forebay("usage", *options).status == 0
    query = "from=2027-01-01&to=2027-01-31&key=web"
    assert server.requests[0][1] == f"/v1/admin/usage?{query}"


@pytest.mark.parametrize(
    ("args", "reason"),
    [(["--from", "yesterday"], "`from` must be a day"), (["--key", "a&b=c d"], "'a&b=c d'")],
    ids=["no day", "no such key"],
)
def test_a_question_without_an_answer_is_status_1(
    forebay: Forebay, args: list[str], reason: str
) -> None:
    refused = forebay("usage", *args)
    assert (refused.status, refused.out) == (1, "")
    assert reason in refused.err


@pytest.mark.parametrize(
    "args",
    [
        ["--by", "week"],
        ["--by"],
        ["web"],
        ["--json", "--csv"],
        ["--check", "--by", "day"],
        ["--check", "--key", ""],
        ["export", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(forebay: Forebay, args: list[str]) -> None:
    assert forebay("usage", *args).status == 2


def put(server: AdminServer, name: str, **changes: Any) -> None:
    asyncio.run(server.api.ledger.put(ledger_row(name, server.api.clock.now(), **changes)))


def test_teams_are_printed_with_their_tenants(forebay: Forebay, server: AdminServer) -> None:
    put(server, "1", tenant="acme", team="core")
    put(server, "2")
    lines = forebay("usage", "--by", "team").out.splitlines()[3:5]
    assert [line.split()[:2] for line in lines] == [["default/", "1"], ["acme/core", "1"]]


def test_usage_as_csv_has_a_line_for_each_row(forebay: Forebay, server: AdminServer) -> None:
    put(server, "1", tags=("a,b", "=cmd()"))
    assert forebay("usage", "--by", "tag", "--csv").out.splitlines() == [
        "tag,requests,input_tokens,cached_input_tokens,output_tokens,cost_nano_usd",
        "'=cmd(),1,100,40,10,1234",
        '"a,b",1,100,40,10,1234',
    ]


def test_a_check_that_finds_nothing_says_so(forebay: Forebay, server: AdminServer) -> None:
    use(server, 2)
    checked = forebay("usage", "--check")
    assert (checked.status, checked.err) == (0, "")
    assert checked.out.splitlines() == [
        "2026-12-17 to 2027-01-15 (UTC): 2 requests in the ledger",
        "all roll-ups are equal to their rows, to the nano-dollar",
    ]


def test_a_check_as_json_is_one_object(forebay: Forebay, server: AdminServer) -> None:
    use(server, 2)
    days = ["--from", "2027-01-15", "--to", "2027-01-15"]
    assert json.loads(forebay("usage", "--check", "--json", *days).out) == {
        "from": "2027-01-15",
        "to": "2027-01-15",
        "requests": 2,
        "cost_nano_usd": 2_468,
        "pending_requests": 0,
        "differences": [],
    }


def test_a_difference_is_printed_and_status_1(forebay: Forebay, server: AdminServer) -> None:
    use(server, 1)
    server.api.roll_ups.missing.add("0")
    server.api.clock.advance(600)
    checked = forebay("usage", "--check", "--from", "2027-01-15", "--to", "2027-01-15")
    assert checked.status == 1
    assert "2027-01-15 key aaaaaaaaaa: requests 1 in rows, 0 in roll-up, " in checked.out
    assert "4 roll-ups are not the sums of their rows" in checked.err


def test_what_is_on_its_way_is_no_difference(forebay: Forebay, server: AdminServer) -> None:
    use(server, 1)
    server.api.roll_ups.missing.add("0")
    checked = forebay("usage", "--check")
    assert checked.status == 0
    assert checked.out.splitlines()[1:] == ["1 of the last minute are not counted yet"]


def test_an_export_has_all_rows_of_all_days(forebay: Forebay, server: AdminServer) -> None:
    put(server, "1", tags=("a",))
    server.api.clock.advance(86_400)
    put(server, "2")
    lines = forebay("usage", "export", "--format", "jsonl").out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["x_RequestId"] for row in rows] == ["1", "2"]
    assert [row["Tags"] for row in rows] == [{"a": True}, {}]


def test_an_export_as_csv_has_a_head_and_json_for_tags(
    forebay: Forebay, server: AdminServer
) -> None:
    put(server, "1", tags=("a",))
    head, line = csv.reader(forebay("usage", "export").out.splitlines())
    row = dict(zip(head, line, strict=True))
    assert (row["BilledCost"], row["Tags"], row["x_Team"]) == ("0.000001234", '{"a": true}', "")


def test_an_export_of_nothing_is_empty(forebay: Forebay) -> None:
    assert forebay("usage", "export") == (0, "", "")

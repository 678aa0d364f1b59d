"""`forebay usage`: what is asked, and how it is printed."""

import json

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


@pytest.mark.parametrize("args", [["--by", "tag"], ["--by"], ["web"]], ids=" ".join)
def test_wrong_usage_is_status_2(forebay: Forebay, args: list[str]) -> None:
    assert forebay("usage", *args).status == 2

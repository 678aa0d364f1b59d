"""The admin API's part on usage: checks and exports, on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.admin_api import AdminApi, ledger_row

TODAY = "2027-01-15"
USED_ONCE = {
    "requests": 1,
    "input_tokens": 100,
    "cached_input_tokens": 40,
    "cache_write_input_tokens": 0,
    "output_tokens": 10,
    "cost_nano_usd": 1_234,
}
NOTHING = dict.fromkeys(USED_ONCE, 0)


@pytest.fixture
def api() -> AdminApi:
    return AdminApi()


def use(api: AdminApi, name: str, **changes: Any) -> None:
    asyncio.run(api.ledger.put(ledger_row(name, api.clock.now(), **changes)))


@pytest.mark.parametrize(
    ("by", "named"),
    [("team", {"team": "core", "id": "acme/core"}), ("tag", {"tag": "a"})],
    ids=["team", "tag"],
)
def test_usage_is_told_apart_by_team_and_tag(api: AdminApi, by: str, named: dict[str, str]) -> None:
    use(api, "1", tenant="acme", team="core", tags=("a",))
    totals = {name: value for name, value in USED_ONCE.items() if "write" not in name}
    assert api.call("GET", "usage", by=by).body["rows"] == [{**named, **totals}]


def test_a_check_says_what_is_in_the_rows(api: AdminApi) -> None:
    use(api, "1")
    assert api.call("GET", "usage/check", day=TODAY).body == {
        "day": TODAY,
        "rows": USED_ONCE,
        "pending_requests": 0,
        "differences": [],
    }


def test_a_check_names_what_differs_and_both_sums(api: AdminApi) -> None:
    use(api, "1", tags=("a",))
    api.roll_ups.missing.add("1")
    api.clock.advance(600)
    differences = api.call("GET", "usage/check", day=TODAY).body["differences"]
    assert [each["by"] for each in differences] == ["day", "key", "model", "tag", "team"]
    assert differences[1] == {
        "by": "key",
        "key": "web",
        "id": "aaaaaaaaaa",
        "in_rows": USED_ONCE,
        "in_roll_up": NOTHING,
    }


def test_rows_come_a_page_at_a_time(api: AdminApi) -> None:
    for number in range(1_001):
        use(api, f"{number:04d}")
    first = api.call("GET", "usage/rows", day=TODAY).body
    last = api.call("GET", "usage/rows", day=TODAY, after=first["next"]).body
    assert (len(first["rows"]), len(last["rows"]), last["next"]) == (1_000, 1, None)


@pytest.mark.parametrize(
    ("proxy", "query", "param"),
    [
        ("usage/check", {}, "day"),
        ("usage/check", {"day": "today"}, "day"),
        ("usage/check", {"day": TODAY, "key": "web"}, "key"),
        ("usage/rows", {}, "day"),
        ("usage/rows", {"day": TODAY, "after": "x" * 100_000}, "after"),
        ("usage", {"by": "week"}, "by"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    api: AdminApi, proxy: str, query: dict[str, str], param: str
) -> None:
    reply = api.call("GET", proxy, **query)
    assert (reply.status, reply.body["error"]["param"]) == (400, param)
    assert len(reply.body["error"]["message"]) < 300

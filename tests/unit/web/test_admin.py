"""The admin API: events in, replies out, and a line in the log for what was done."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from forebay.admission import matches, parse
from forebay.errors import StoreUnavailable
from forebay.model import KeyRecord, KeyStatus
from tests.support.admin_api import OPERATOR_ARN, AdminApi, Reply, ledger_row, rest_event


@pytest.fixture
def api() -> AdminApi:
    return AdminApi()


def refused(reply: Reply, status: int, param: str | None = None) -> str:
    """Check the shape of an error and return its message."""
    assert reply.status == status
    assert set(reply.body) == {"error"}
    assert set(reply.body["error"]) == {"message", "type", "param", "code"}
    assert reply.body["error"]["param"] == param
    return str(reply.body["error"]["message"])


# Keys.

UNLIMITED: dict[str, Any] = {
    "budgets": [],
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "parallel": None,
    "models": [],
    "cidrs": [],
    "expires_at": None,
    "priority": "standard",
    "default_output_limit": None,
    "unbounded_hold_usd": None,
    "hold": "calibrated",
    "on_store_failure": "refuse",
}
LIMITED: dict[str, Any] = {
    "budgets": [
        {"usd": "0.000000001", "period": "day", "zone": "Europe/Berlin", "soft_limit": 0.8},
        {"usd": "1000000000", "period": "total", "zone": "UTC", "soft_limit": None},
    ],
    "requests_per_minute": 60,
    "tokens_per_minute": 100_000,
    "parallel": 4,
    "models": ["fast"],
    "cidrs": ["203.0.113.0/24"],
    "expires_at": "2030-01-01T00:00:00Z",
    "priority": "batch",
    "default_output_limit": 512,
    "unbounded_hold_usd": "0.5",
    "hold": "proven",
    "on_store_failure": "serve",
}


def test_a_key_is_created_and_shown_with_its_secret_once(api: AdminApi) -> None:
    wanted = {"name": "web", "tenant": "acme", "team": "search", "models": ["fast"]}
    created = api.call("POST", "keys", wanted)
    assert created.status == 201
    secret = parse(created.body.pop("secret"))
    assert secret is not None
    assert created.body == {
        **UNLIMITED,
        **wanted,
        "id": secret.key_id,
        "status": "active",
        "version": 1,
        "created_at": "2027-01-15T08:00:00Z",
        "revoked_at": None,
        "former_secret_until": None,
    }
    assert api.call("GET", "keys/web").body == created.body


def test_the_secret_is_in_no_other_reply_and_in_no_log(api: AdminApi) -> None:
    created = api.call("POST", "keys", {"name": "web"})
    secret = created.body["secret"]
    replies = [
        api.call("GET", "keys"),
        api.call("GET", "keys/web"),
        api.call("GET", f"keys/{secret}"),
        api.call("GET", "usage", key=secret),
        api.call("DELETE", "keys/web"),
    ]
    answered = json.dumps([replies[0].body, replies[1].body, replies[4].body])
    stored = api.keys.get(created.body["id"])
    assert stored is not None
    assert secret not in answered
    assert stored.secret_sha256 not in answered
    assert secret not in api.log.getvalue()
    assert matches(stored.secret_sha256, secret)


def test_a_reply_is_kept_by_no_cache(api: AdminApi) -> None:
    reply = api.call("POST", "keys", {"name": "web"})
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json"


def test_keys_are_listed_the_oldest_first(api: AdminApi) -> None:
    for name in ("b", "a"):
        api.call("POST", "keys", {"name": name})
        api.clock.advance(1)
    reply = api.call("GET", "keys")
    assert reply.status == 200
    assert [key["name"] for key in reply.body["keys"]] == ["b", "a"]


def test_a_key_is_revoked_and_returned_as_it_is_now(api: AdminApi) -> None:
    created = api.call("POST", "keys", {"name": "web"}).body
    api.clock.advance(61)
    reply = api.call("DELETE", f"keys/{created['id']}")
    assert reply.status == 200
    assert (reply.body["status"], reply.body["revoked_at"]) == ("revoked", "2027-01-15T08:01:01Z")
    stored = api.keys.get(created["id"])
    assert stored is not None
    assert stored.status is KeyStatus.REVOKED


@pytest.mark.parametrize(
    "proxy",
    ["keys/team/app 1%", "keys/team%2Fapp%201%25", "keys/team/app%201%25"],
    ids=["decoded", "encoded", "half"],
)
def test_a_name_with_a_slash_is_found_however_the_front_hands_it_over(
    api: AdminApi, proxy: str
) -> None:
    api.call("POST", "keys", {"name": "team/app 1%"})
    assert api.call("GET", proxy).body["name"] == "team/app 1%"


def test_a_name_outside_of_ascii_is_found(api: AdminApi) -> None:
    api.call("POST", "keys", {"name": "Büro 日本"})
    assert api.call("GET", "keys/B%C3%BCro%20%E6%97%A5%E6%9C%AC").status == 200


def test_an_unknown_key_is_not_found(api: AdminApi) -> None:
    assert "'nobody'" in refused(api.call("GET", "keys/nobody"), 404)
    assert "'nobody'" in refused(api.call("DELETE", "keys/nobody"), 404)


def test_an_ambiguous_name_is_refused_with_the_ids(api: AdminApi) -> None:
    ids = [api.call("POST", "keys", {"name": "web"}).body["id"] for _ in range(2)]
    message = refused(api.call("DELETE", "keys/web"), 400)
    assert all(key_id in message for key_id in ids)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ("null", None),
        ('{"name": "web"} x', None),
        ("{}", None),
        ('{"name": "web", "modles": ["fast"]}', None),
        ('{"name": "web", "budgets": 5}', "budgets"),
        ('{"name": "web", "budgets": [{"usd": 5}]}', "budgets[0].usd"),
        ('{"name": "web", "budgets": [{"usd": "5", "period": "week"}]}', "budgets[0].period"),
        ('{"name": "web", "budgets": [{"usd": "5", "every": "day"}]}', "budgets[0]"),
        ('{"name": "web", "budgets": [{}]}', "budgets[0]"),
        ('{"name": "web", "requests_per_minute": 1.5}', "requests_per_minute"),
        ('{"name": "web", "requests_per_minute": true}', "requests_per_minute"),
        ('{"name": "web", "requests_per_minute": 1e400}', "requests_per_minute"),
        ('{"name": "web", "tokens_per_minute": %s}' % ("9" * 5_000), "tokens_per_minute"),
        ('{"name": "web", "parallel": 0}', "parallel"),
        ('{"name": "web", "cidrs": ["10.0.0.1/8"]}', "cidrs[0]"),
        ('{"name": "web", "expires_at": 7}', "expires_at"),
        ('{"name": "web", "priority": "urgent"}', "priority"),
        ('{"name": "web", "hold": "none"}', "hold"),
        ('{"name": "web", "budget_usd": 5}', None),
        ('{"name": 7}', "name"),
        ('{"name": null}', "name"),
        ('{"name": "web", "tenant": null}', "tenant"),
        ('{"name": "web", "models": "fast"}', "models"),
        ('{"name": "web", "models": ["fast", 7]}', "models[1]"),
        ('{"name": "web", "models": []}', "models"),
        ('{"name": "web", "models": [""]}', "models[0]"),
        ('{"name": ""}', "name"),
        ('{"name": "a\\u0000b"}', "name"),
        ('{"name": "\\ud800"}', None),
        ('{"name": "%s"}' % ("x" * 60_000), "name"),
        ("[" * 60_000, None),
        ('{"name": ' + "[" * 60_000, "name"),
    ],
    ids=[
        "missing", "cut", "list", "null", "trailing", "no name", "typo", "bare budget",
        "binary budget", "period", "budget typo", "empty budget", "fraction", "flag",
        "huge number", "long number", "zero", "network", "number as day", "priority", "hold",
        "no such field", "number",
        "null name", "null tenant", "bare model", "number as model", "no models", "empty model",
        "empty name", "NUL", "surrogate", "huge name", "deep list", "deep name",
    ],
)  # fmt: skip
def test_a_body_that_is_not_a_key_is_refused_and_makes_none(
    api: AdminApi, body: str, param: str | None
) -> None:
    message = refused(api.send(rest_event("POST", "keys", body or None)), 400, param)
    assert len(message) < 300
    assert api.desk.list() == ()


def test_a_body_over_the_limit_is_refused(api: AdminApi) -> None:
    body = json.dumps({"name": "x" * 70_000})
    refused(api.send(rest_event("POST", "keys", body)), 413)


def encoded(payload: bytes | str) -> Mapping[str, Any]:
    text = payload if isinstance(payload, str) else base64.b64encode(payload).decode()
    return {**rest_event("POST", "keys", text), "isBase64Encoded": True}


def test_a_body_in_base64_is_decoded(api: AdminApi) -> None:
    assert api.send(encoded(b'{"name": "web"}')).status == 201


@pytest.mark.parametrize("payload", [b'{"name": "\xff"}', "%%%", "A"], ids=["utf-8", "%", "short"])
def test_a_body_that_is_no_base64_or_no_text_is_refused(
    api: AdminApi, payload: bytes | str
) -> None:
    refused(api.send(encoded(payload)), 400)


# Usage.


def use(api: AdminApi, request_id: str, **changes: Any) -> None:
    row = ledger_row(request_id, api.clock.now(), **changes)
    api.ledger._rows[request_id] = row


USED_ONCE = {
    "requests": 1,
    "input_tokens": 100,
    "cached_input_tokens": 40,
    "output_tokens": 10,
    "cost_nano_usd": 1_234,
}


def test_usage_without_by_is_one_row_without_a_label(api: AdminApi) -> None:
    use(api, "1")
    assert api.call("GET", "usage").body == {
        "from": "2026-12-17",
        "to": "2027-01-15",
        "by": None,
        "rows": [USED_ONCE],
        "total": USED_ONCE,
    }


@pytest.mark.parametrize(
    ("by", "label"),
    [
        ("day", {"day": "2027-01-15"}),
        ("model", {"model": "fast"}),
        ("key", {"key": "web", "id": "aaaaaaaaaa"}),
    ],
    ids=["day", "model", "key"],
)
def test_usage_by_something_has_a_row_for_each(
    api: AdminApi, by: str, label: Mapping[str, str]
) -> None:
    use(api, "1")
    report = api.call("GET", "usage", by=by).body
    assert report["by"] == by
    assert report["rows"] == [{**label, **USED_ONCE}]
    assert report["total"] == USED_ONCE


def test_usage_by_something_has_no_row_where_nothing_was_used(api: AdminApi) -> None:
    report = api.call("GET", "usage", by="day").body
    assert report["rows"] == []
    assert report["total"]["requests"] == 0


def test_usage_is_limited_to_days_and_a_key(api: AdminApi) -> None:
    use(api, "1")
    use(api, "2", key_name="other")
    asked = {"from": "2027-01-15", "to": "2027-01-15", "key": "other"}
    assert api.call("GET", "usage", **asked).body["total"] == USED_ONCE


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"by": ["hour"]}, "by"),
        ({"by": [""]}, "by"),
        ({"by": ["day", "model"]}, "by"),
        ({"form": ["2027-01-01"]}, "form"),
        ({"from": ["yesterday"]}, "from"),
        ({"from": [""]}, "from"),
        ({"from": ["2027-01-15"], "to": ["2027-01-14"]}, "from"),
        ({"x" * 9_000: ["1"]}, "x" * 64),
    ],
    ids=["by hour", "by nothing", "twice", "typo", "no day", "empty day", "order", "huge"],
)
def test_a_question_that_has_no_answer_is_refused(
    api: AdminApi, query: dict[str, list[str]], param: str
) -> None:
    message = refused(api.send(rest_event("GET", "usage", None, query)), 400, param)
    assert len(message) < 200


def test_usage_of_an_unknown_key_is_not_found(api: AdminApi) -> None:
    refused(api.call("GET", "usage", key="nobody"), 404)


# Routes, failures, log.


@pytest.mark.parametrize(
    ("method", "proxy"),
    [
        ("GET", ""),
        ("GET", "nothing"),
        ("GET", "usage/web"),
        ("POST", "usage"),
        ("DELETE", "keys"),
        ("PUT", "keys/web"),
        ("PATCH", "keys"),
        ("GET", "rotations"),
        ("DELETE", "scopes"),
        ("POST", "audit"),
        ("GET", "x" * 8_000),
        ("GET", "../chat"),
    ],
    ids=[
        "root",
        "unknown",
        "below",
        "method",
        "all",
        "put",
        "change all",
        "rotations",
        "scopes",
        "audit",
        "huge",
        "dots",
    ],
)
def test_a_call_that_does_not_exist_is_not_found(api: AdminApi, method: str, proxy: str) -> None:
    assert len(refused(api.call(method, proxy), 404)) < 300


def test_an_event_without_a_proxy_part_is_not_found(api: AdminApi) -> None:
    refused(api.send({**rest_event("GET", "keys", None), "pathParameters": None}), 404)


def test_a_trailing_slash_changes_nothing(api: AdminApi) -> None:
    assert api.call("GET", "keys/").status == 200
    assert api.call("GET", "usage/").status == 200


def test_a_store_that_is_down_is_503_with_advice(api: AdminApi) -> None:
    def fail(record: KeyRecord) -> None:
        raise StoreUnavailable(f"The keys table did not answer for {record.key_id}.")

    vars(api.keys)["create"] = fail
    reply = api.call("POST", "keys", {"name": "web"})
    refused(reply, 503)
    assert reply.headers["retry-after"] == "1"


def test_what_was_done_is_logged_with_key_and_caller(api: AdminApi) -> None:
    created = api.call("POST", "keys", {"name": "web"}).body
    api.call("DELETE", "keys/web")
    api.call("GET", "keys")
    logged = [(line["action"], line["subject"], line["caller"]) for line in api.log_lines()]
    assert logged == [
        ("keys.create", created["id"], OPERATOR_ARN),
        ("keys.revoke", created["id"], OPERATOR_ARN),
    ]


def test_a_refusal_is_logged_without_the_name_that_was_sent(api: AdminApi) -> None:
    api.call("GET", "keys/whatever-was-pasted")
    (line,) = api.log_lines()
    assert (line["action"], line["status"], line["code"]) == (
        "GET /v1/admin/keys",
        404,
        "not_found",
    )
    assert "pasted" not in json.dumps(line)


def test_a_call_without_an_identity_is_logged_without_a_caller(api: AdminApi) -> None:
    api.send({**rest_event("POST", "keys", '{"name": "web"}'), "requestContext": {"stage": "v1"}})
    (line,) = api.log_lines()
    assert line["action"] == "keys.create"
    assert "caller" not in line


def test_one_event_is_answered_at_a_time(api: AdminApi) -> None:
    # Powertools keeps the current event on a class, so a second thread's would take its place.
    held = []

    def list_all() -> Iterator[KeyRecord]:
        held.append(api.resolver._one_at_a_time.locked())
        return iter(())

    vars(api.keys)["list_all"] = list_all
    api.call("GET", "keys")
    assert held == [True]


def test_the_next_event_is_answered_after_one_that_crashed(api: AdminApi) -> None:
    def crash() -> Iterator[KeyRecord]:
        raise ZeroDivisionError

    vars(api.keys)["list_all"] = crash
    with pytest.raises(ZeroDivisionError):
        api.call("GET", "keys")
    assert api.call("POST", "keys", {"name": "web"}).status == 201

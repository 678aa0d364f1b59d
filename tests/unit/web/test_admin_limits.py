"""The admin API: what keys and scopes may do, new secrets, and the trail of who changed what."""

import json
from typing import Any

import pytest

from forebay.admission import matches, parse
from forebay.errors import StoreUnavailable
from forebay.model import AuditEntry, KeyRecord
from tests.support.admin_api import OPERATOR_ARN, AdminApi, rest_event
from tests.unit.web.test_admin import LIMITED, UNLIMITED, refused


@pytest.fixture
def api() -> AdminApi:
    return AdminApi()


# Policies of keys.


def test_a_key_is_created_with_every_limit_and_shown_with_them(api: AdminApi) -> None:
    created = api.call("POST", "keys", {"name": "web", **LIMITED})
    assert created.status == 201
    shown = api.call("GET", "keys/web").body
    assert {name: shown[name] for name in LIMITED} == LIMITED


def test_null_is_no_limit(api: AdminApi) -> None:
    body = api.call("POST", "keys", {"name": "web", **dict.fromkeys(LIMITED)}).body
    assert {name: body[name] for name in UNLIMITED} == UNLIMITED


@pytest.mark.parametrize("field", sorted(LIMITED))
def test_a_change_sets_what_it_names_and_leaves_the_rest(api: AdminApi, field: str) -> None:
    before = api.call("POST", "keys", {"name": "web"}).body
    del before["secret"]
    changed = api.call("PATCH", "keys/web", {field: LIMITED[field]})
    assert changed.status == 200
    assert changed.body == {**before, field: LIMITED[field], "version": 2}
    assert api.call("GET", "keys/web").body == changed.body


@pytest.mark.parametrize("field", sorted(LIMITED))
def test_a_change_to_null_takes_a_limit_away_and_leaves_the_rest(api: AdminApi, field: str) -> None:
    before = api.call("POST", "keys", {"name": "web", **LIMITED}).body
    del before["secret"]
    changed = api.call("PATCH", "keys/web", {field: None}).body
    assert changed == {**before, field: UNLIMITED[field], "version": 2}


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("25", "25"),
        ("25.00", "25"),
        ("0.10", "0.1"),
        ("0.000000001", "0.000000001"),
        ("007.5", "7.5"),
        ("1000000000", "1000000000"),
        ("999999999.999999999", "999999999.999999999"),
    ],
)
def test_dollars_are_kept_exactly(api: AdminApi, usd: str, shown: str) -> None:
    body = api.call("POST", "keys", {"name": "web", "budgets": [{"usd": usd}]}).body
    assert body["budgets"] == [{"usd": shown, "period": "month", "zone": "UTC", "soft_limit": None}]


@pytest.mark.parametrize(
    "usd",
    [
        "", " 5", "5 ", "+5", "-5", "1e3", "0.0000000001", "5.", ".5", "1,000", "1_000", "NaN",
        "Infinity", "0x10", "٣", "5\n", "1000000000.000000001", "9" * 5_000, "0", "0.000000000",
    ],
)  # fmt: skip
def test_what_is_no_amount_of_dollars_is_refused(api: AdminApi, usd: str) -> None:
    reply = api.call("POST", "keys", {"name": "web", "budgets": [{"usd": usd}]})
    assert len(refused(reply, 400, "budgets[0].usd")) < 200
    reply = api.call("POST", "keys", {"name": "web", "unbounded_hold_usd": usd})
    assert len(refused(reply, 400, "unbounded_hold_usd")) < 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2030-01-01", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T01:00:00+01:00", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00.9Z", "2030-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_an_end_is_a_day_or_a_moment(api: AdminApi, text: str, shown: str) -> None:
    body = api.call("POST", "keys", {"name": "web", "expires_at": text}).body
    assert body["expires_at"] == shown


@pytest.mark.parametrize(
    "text",
    [
        "", "tomorrow", "2030", "2030-02-30", "2030-01-01T00:00:00", "2020-01-01",
        "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "x" * 9_000,
    ],
)  # fmt: skip
def test_an_end_that_is_none_or_past_is_refused(api: AdminApi, text: str) -> None:
    reply = api.call("POST", "keys", {"name": "web", "expires_at": text})
    assert len(refused(reply, 400, "expires_at")) < 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("", None),
        ('{"name": "other"}', None),
        ('{"tenant": "other"}', None),
        ('{"models": []}', "models"),
        ('{"parallel": 0}', "parallel"),
        ('{"budgets": [{"usd": "1"}, {"usd": "2"}]}', "budgets[1].period"),
    ],
    ids=["missing", "name", "tenant", "no models", "zero", "two budgets"],
)
def test_a_change_that_cannot_be_made_changes_nothing(
    api: AdminApi, body: str, param: str | None
) -> None:
    api.call("POST", "keys", {"name": "web"})
    refused(api.send(rest_event("PATCH", "keys/web", body or None)), 400, param)
    assert api.call("GET", "keys/web").body["version"] == 1


def test_an_unknown_key_is_not_changed(api: AdminApi) -> None:
    refused(api.call("PATCH", "keys/nobody", {"parallel": 1}), 404)


# Rotation.


def test_a_rotation_answers_with_the_new_secret_once(api: AdminApi) -> None:
    old = api.call("POST", "keys", {"name": "web"}).body
    rotated = api.call("POST", "rotations", {"key": "web", "overlap_s": 60})
    assert rotated.status == 201
    new = parse(rotated.body.pop("secret"))
    assert new is not None
    assert (new.key_id, rotated.body["version"]) == (old["id"], 2)
    assert rotated.body["former_secret_until"] == "2027-01-15T08:01:00Z"
    assert api.call("GET", "keys/web").body == rotated.body
    stored = api.keys.get(old["id"])
    assert stored is not None
    assert matches(stored.secret_sha256, new.text)


def test_the_former_secret_opens_for_a_day_unless_told_otherwise(api: AdminApi) -> None:
    api.call("POST", "keys", {"name": "web"})
    rotated = api.call("POST", "rotations", {"key": "web"}).body
    assert rotated["former_secret_until"] == "2027-01-16T08:00:00Z"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, None),
        ({"key": 7}, 400, "key"),
        ({"key": "nobody"}, 404, None),
        ({"key": "web", "overlap_s": -1}, 400, "overlap_s"),
        ({"key": "web", "overlap_s": 10**12}, 400, "overlap_s"),
        ({"key": "web", "overlap_s": "24h"}, 400, "overlap_s"),
        ({"key": "web", "overlap": 60}, 400, None),
    ],
    ids=["empty", "number", "unknown", "negative", "huge", "text", "typo"],
)
def test_a_rotation_that_cannot_be_made_is_refused(
    api: AdminApi, body: dict[str, Any], status: int, param: str | None
) -> None:
    api.call("POST", "keys", {"name": "web"})
    refused(api.call("POST", "rotations", body), status, param)
    assert api.call("GET", "keys/web").body["version"] == 1


# Scopes.


def test_a_scope_gets_limits_that_are_listed(api: AdminApi) -> None:
    limits = {name: LIMITED[name] for name in ("budgets", "requests_per_minute", "parallel")}
    changed = api.call("PATCH", "scopes", {"tenant": "acme", "team": "web", **limits})
    assert changed.status == 200
    assert changed.body == {
        "tenant": "acme",
        "team": "web",
        "version": 1,
        "changed_at": "2027-01-15T08:00:00Z",
        "tokens_per_minute": None,
        **limits,
    }
    assert api.call("GET", "scopes").body == {"scopes": [changed.body]}


def test_a_scope_without_names_is_the_account(api: AdminApi) -> None:
    body = api.call("PATCH", "scopes", {"parallel": 9}).body
    assert (body["tenant"], body["team"], body["parallel"]) == (None, None, 9)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"team": "web", "parallel": 1}, "tenant"),
        ({"tenant": "a#b", "parallel": 1}, "tenant"),
        ({"tenant": "acme", "parallel": 0}, "parallel"),
        ({"tenant": "acme", "models": ["fast"]}, None),
        ({"tenant": "acme", "budgets": [{"usd": "x"}]}, "budgets[0].usd"),
        ([], None),
    ],
    ids=["team alone", "hash", "zero", "not of scopes", "dollars", "list"],
)
def test_a_scope_that_cannot_be_limited_so_is_refused(
    api: AdminApi, body: Any, param: str | None
) -> None:
    refused(api.call("PATCH", "scopes", body), 400, param)
    assert api.call("GET", "scopes").body == {"scopes": []}


# The audit trail.


def act(api: AdminApi) -> list[str]:
    """Do each thing that can be done, a second apart; return the secrets."""
    created = api.call("POST", "keys", {"name": "web", **LIMITED}).body
    api.clock.advance(1)
    api.call("PATCH", "keys/web", {"parallel": 5})
    api.clock.advance(1)
    rotated = api.call("POST", "rotations", {"key": "web"}).body
    api.clock.advance(1)
    api.call("PATCH", "scopes", {"tenant": "acme", "parallel": 5})
    api.clock.advance(1)
    api.call("DELETE", "keys/web")
    api.clock.advance(1)
    return [created["secret"], rotated["secret"]]


def test_what_was_done_is_in_the_trail_the_newest_first(api: AdminApi) -> None:
    act(api)
    entries = api.call("GET", "audit").body["entries"]
    assert [(entry["action"], entry["at"][-3:-1]) for entry in entries] == [
        ("keys.revoke", "04"),
        ("scopes.change", "03"),
        ("keys.rotate", "02"),
        ("keys.change", "01"),
        ("keys.create", "00"),
    ]
    assert {entry["actor"] for entry in entries} == {OPERATOR_ARN}


def test_an_entry_says_what_was_and_what_is(api: AdminApi) -> None:
    act(api)
    revoked, scope, _, changed, created = api.call("GET", "audit").body["entries"]
    assert (created["before"], scope["before"]) == (None, None)
    assert changed["before"] == created["after"]
    assert changed["after"] == {**changed["before"], "parallel": 5, "version": 2}
    assert (revoked["before"]["status"], revoked["after"]["status"]) == ("active", "revoked")
    assert scope["subject"] == "tenant#acme"
    assert scope["after"]["parallel"] == 5


def test_the_trail_of_one_key_and_its_length_can_be_asked_for(api: AdminApi) -> None:
    act(api)
    of_key = api.call("GET", "audit", key="web").body["entries"]
    assert len(of_key) == 4
    assert api.call("GET", "audit", key="web", limit="2").body["entries"] == of_key[:2]


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ({"limit": "0"}, 400, "limit"),
        ({"limit": "1001"}, 400, "limit"),
        ({"limit": "many"}, 400, "limit"),
        ({"limit": "9" * 5_000}, 400, "limit"),
        ({"limit": "-1"}, 400, "limit"),
        ({"day": "2027-01-15"}, 400, "day"),
        ({"key": "nobody"}, 404, None),
    ],
    ids=["zero", "too many", "text", "huge", "negative", "unknown", "no key"],
)
def test_a_question_to_the_trail_that_has_no_answer_is_refused(
    api: AdminApi, query: dict[str, str], status: int, param: str | None
) -> None:
    refused(api.call("GET", "audit", **query), status, param)


def test_refused_and_reading_calls_leave_no_entry(api: AdminApi) -> None:
    api.call("POST", "keys", {"name": ""})
    api.call("DELETE", "keys/nobody")
    api.call("GET", "keys")
    assert api.call("GET", "audit").body == {"entries": []}


def test_no_secret_and_no_hash_is_in_any_log_reply_or_stored_thing(api: AdminApi) -> None:
    secrets = act(api)
    hashes = {record.secret_sha256 for record in api.keys.list_all()}
    shown = [api.call("GET", path).body for path in ("keys", "keys/web", "scopes", "audit")]
    stored = [*api.keys.list_all(), *api.trail.entries(), *api.scopes.list_all()]
    seen = json.dumps(shown) + api.log.getvalue()
    assert [secret for secret in secrets if secret[13:45] in seen + repr(stored)] == []
    assert [sha256 for sha256 in hashes if sha256 in seen + repr(list(api.trail.entries()))] == []


def test_what_was_done_is_done_when_its_entry_cannot_be_stored_and_the_log_has_it(
    api: AdminApi,
) -> None:
    def fail(_: AuditEntry) -> None:
        raise StoreUnavailable("The keys table did not answer.")

    vars(api.trail)["add"] = fail
    created = api.call("POST", "keys", {"name": "web"})
    assert created.status == 201
    done, lost = api.log_lines()
    assert (done["action"], done["after"]["id"]) == ("keys.create", created.body["id"])
    assert (lost["level"], lost["message"]) == ("ERROR", "audit entry not stored")
    assert lost["audit_id"] == done["audit_id"]


# Who else is told.


def test_changes_and_revocations_are_told_also_when_they_are_repeated(api: AdminApi) -> None:
    api.call("POST", "keys", {"name": "web"})
    for _ in range(2):
        api.call("PATCH", "keys/web", {"parallel": 5})
    api.call("POST", "rotations", {"key": "web"})
    for _ in range(2):
        api.call("DELETE", "keys/web")
    assert [record.version for record in api.told] == [2, 2, 4, 4]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"parallel": 5}), ("DELETE", None)])
def test_a_change_that_cannot_be_told_is_in_the_trail_and_answered_as_such(
    api: AdminApi, method: str, body: dict[str, Any] | None
) -> None:
    def fail(_: KeyRecord) -> None:
        raise StoreUnavailable("The limits table did not answer.")

    vars(api)["tell"] = fail
    api.call("POST", "keys", {"name": "web"})
    refused(api.call(method, "keys/web", body), 503)
    assert len(api.call("GET", "audit").body["entries"]) == 2

"""`forebay keys`: what is printed, and what is asked of the admin API."""

import json
from dataclasses import replace

import pytest

from forebay.admission import parse
from forebay.model import Budget, KeyPolicy
from forebay.money import NanoUsd
from forebay.service.keys import NewKey
from tests.support.admin_api import AdminServer
from tests.unit.cli.conftest import Forebay


def test_create_prints_the_secret_once_and_says_so(forebay: Forebay, server: AdminServer) -> None:
    created = forebay("keys", "create", "--name", "web")
    (record,) = server.api.desk.list()
    (secret,) = (word for word in created.out.split() if word.startswith("fb-"))
    assert created.status == 0
    assert parse(secret) is not None
    assert record.key_id in created.out
    assert "not shown again" in created.out
    assert secret not in forebay("keys", "show", "web").out + forebay("keys", "list").out


def test_create_asks_for_what_the_options_say(forebay: Forebay, server: AdminServer) -> None:
    options = ["--name", "web", "--tenant", "acme", "--team", "search", "--models", "fast, smart"]
    assert forebay("keys", "create", *options).status == 0
    (record,) = server.api.desk.list()
    assert (record.name, record.tenant, record.team) == ("web", "acme", "search")
    assert record.models == ("fast", "smart")


def test_create_leaves_defaults_to_the_server(forebay: Forebay, server: AdminServer) -> None:
    forebay("keys", "create", "--name", "web")
    assert json.loads(server.requests[0][3]) == {"name": "web"}


def test_create_as_json_is_one_object_with_the_secret(forebay: Forebay) -> None:
    answer = json.loads(forebay("keys", "create", "--name", "web", "--json").out)
    secret = parse(answer.pop("secret"))
    assert secret is not None
    assert answer == {
        "id": secret.key_id,
        "name": "web",
        "tenant": "default",
        "team": None,
        "status": "active",
        "version": 1,
        "created_at": "2027-01-15T08:00:00Z",
        "revoked_at": None,
        "former_secret_until": None,
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


def test_list_is_an_aligned_table(forebay: Forebay, server: AdminServer) -> None:
    one = server.api.desk.create(NewKey("w")).record
    server.api.clock.advance(1)
    two = server.api.desk.create(NewKey("a longer name", team="t", models=["m", "n"])).record
    assert forebay("keys", "list").out.splitlines() == [
        "ID          NAME           TENANT   TEAM  MODELS  LIMITS  STATUS  CREATED",
        f"{one.key_id}  w              default  -     all     -       active  2027-01-15T08:00:00Z",
        f"{two.key_id}  a longer name  default  t     m,n     -       active  2027-01-15T08:00:01Z",
    ]


def test_list_as_json_is_one_object(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web"))
    answer = json.loads(forebay("keys", "list", "--json").out)
    assert [key["name"] for key in answer["keys"]] == ["web"]


def test_list_of_none_says_how_to_make_one(forebay: Forebay) -> None:
    assert "forebay keys create" in forebay("keys", "list").out


@pytest.mark.parametrize("name", ["web", "team/app 1%", "Büro 日本", "a?b#c&d=e", "-dash"])
def test_show_finds_a_key_by_any_name(forebay: Forebay, server: AdminServer, name: str) -> None:
    record = server.api.desk.create(NewKey(name)).record
    shown = forebay("keys", "show", "--json", "--", name)
    assert json.loads(shown.out)["id"] == record.key_id


def test_show_prints_a_table_of_one(forebay: Forebay, server: AdminServer) -> None:
    record = server.api.desk.create(NewKey("web")).record
    shown = forebay("keys", "show", record.key_id)
    assert record.key_id in shown.out.splitlines()[1]


def test_revoke_closes_the_key(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web"))
    revoked = forebay("keys", "revoke", "web")
    assert revoked.status == 0
    assert "Revoked key web" in revoked.out
    assert server.api.desk.show("web").status == "revoked"


def test_revoke_as_json_is_the_key_as_it_is_now(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web"))
    assert json.loads(forebay("keys", "revoke", "web", "--json").out)["status"] == "revoked"


def test_a_whole_secret_names_its_key_and_is_not_sent(
    forebay: Forebay, server: AdminServer
) -> None:
    secret = server.api.desk.create(NewKey("web")).secret
    assert forebay("keys", "revoke", secret.text).status == 0
    assert server.requests[0][1] == f"/v1/admin/keys/{secret.key_id}"


@pytest.mark.parametrize("command", ["show", "revoke", "rotate"])
def test_an_unknown_key_is_one_line_and_status_1(forebay: Forebay, command: str) -> None:
    refused = forebay("keys", command, "nobody")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("forebay: ")
    assert "'nobody'" in refused.err
    assert refused.err.count("\n") == 1


def test_a_name_that_two_keys_have_is_refused_with_their_ids(
    forebay: Forebay, server: AdminServer
) -> None:
    ids = [server.api.desk.create(NewKey("web")).record.key_id for _ in range(2)]
    refused = forebay("keys", "revoke", "web")
    assert refused.status == 1
    assert all(key_id in refused.err for key_id in ids)


def test_a_name_that_the_server_refuses_is_status_1(forebay: Forebay) -> None:
    refused = forebay("keys", "create", "--name", "")
    assert refused.status == 1
    assert "`name` must have 1 to 64 characters" in refused.err


@pytest.mark.parametrize(
    "args",
    [
        ["create"],
        ["create", "--name"],
        ["create", "--name", "web", "--models", ""],
        ["create", "--name", "web", "--models", "a,,b"],
        ["create", "--name", "web", "--clear", "rpm"],
        ["create", "--name", "web", "--period", "day"],
        ["create", "--name", "web", "--soft-limit", "0.8"],
        ["create", "--name", "web", "--budget-usd", "5", "--period", "week"],
        ["create", "--name", "web", "--rpm", "many"],
        ["create", "--name", "web", "--priority", "urgent"],
        ["update", "web"],
        ["update", "--rpm", "5"],
        ["update", "web", "--clear", "rmp"],
        ["update", "web", "--clear", ""],
        ["update", "web", "--clear", "rpm", "--rpm", "5"],
        ["update", "web", "--name", "other"],
        ["rotate"],
        ["rotate", "web", "--overlap", "-1"],
        ["rotate", "web", "--overlap", "1w"],
        ["rotate", "web", "--overlap", "a day"],
        ["show"],
        ["revoke", "one", "two"],
        ["destroy"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_asks_nothing(
    forebay: Forebay, server: AdminServer, args: list[str]
) -> None:
    assert forebay("keys", *args).status == 2
    assert server.requests == []


LIMITS = [
    "--budget-usd", "12.50", "--period", "day", "--zone", "Europe/Berlin", "--soft-limit", "0.8",
    "--rpm", "60", "--tpm", "100000", "--parallel", "4", "--models", "fast",
    "--cidr", "203.0.113.0/24", "--cidr", "2001:db8::/32", "--expires", "2030-01-01",
    "--priority", "batch", "--default-output-limit", "512", "--unbounded-hold-usd", "0.5",
    "--hold", "proven", "--on-store-failure", "serve",
]  # fmt: skip
POLICY = KeyPolicy(
    budgets=(Budget(NanoUsd(12_500_000_000), "day", "Europe/Berlin", 0.8),),
    requests_per_minute=60,
    tokens_per_minute=100_000,
    parallel=4,
    models=("fast",),
    cidrs=("203.0.113.0/24", "2001:db8::/32"),
    expires_at=1_893_456_000.0,
    priority="batch",
    default_output_limit=512,
    unbounded_hold_nano_usd=NanoUsd(500_000_000),
    hold="proven",
    on_store_failure="serve",
)


def test_create_sets_every_limit(forebay: Forebay, server: AdminServer) -> None:
    assert forebay("keys", "create", "--name", "web", *LIMITS).status == 0
    assert server.api.desk.show("web").policy == POLICY


def test_update_sets_every_limit(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web"))
    assert forebay("keys", "update", "web", *LIMITS).status == 0
    assert server.api.desk.show("web").policy == POLICY


def test_update_asks_for_nothing_but_what_the_options_say(
    forebay: Forebay, server: AdminServer
) -> None:
    server.api.desk.create(NewKey("web", policy=POLICY))
    updated = json.loads(forebay("keys", "update", "web", "--rpm", "5", "--json").out)
    assert json.loads(server.requests[0][3]) == {"requests_per_minute": 5}
    assert server.api.desk.show("web").policy == replace(POLICY, requests_per_minute=5)
    assert (updated["requests_per_minute"], updated["version"]) == (5, 2)


def test_update_takes_limits_away(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web", policy=POLICY))
    every = "budget,rpm,tpm,parallel,models,cidr,expires,priority,default-output-limit"
    every += ",unbounded-hold-usd,hold,on-store-failure"
    assert forebay("keys", "update", "web", "--clear", every).status == 0
    assert server.api.desk.show("web").policy == KeyPolicy()


def test_limits_are_shown_in_a_few_words(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web", policy=POLICY))
    shown = forebay("keys", "show", "web").out
    assert "12.5 USD a day (Europe/Berlin), 60 rpm, 100000 tpm, 4 parallel" in shown


@pytest.mark.parametrize("usd", ["abc", "-1", "1e3", "0.0000000001", "0"])
def test_what_is_no_amount_of_dollars_is_one_line_and_status_1(
    forebay: Forebay, server: AdminServer, usd: str
) -> None:
    refused = forebay("keys", "create", "--name", "web", f"--budget-usd={usd}")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "`budgets[0].usd`" in refused.err
    assert server.api.desk.list() == ()


def test_rotate_prints_the_new_secret_once_and_how_long_the_former_opens(
    forebay: Forebay, server: AdminServer
) -> None:
    old = server.api.desk.create(NewKey("web")).secret
    rotated = forebay("keys", "rotate", "web", "--overlap", "24h")
    (text,) = (word for word in rotated.out.split() if word.startswith("fb-"))
    new = parse(text)
    assert new is not None
    assert (new.key_id, rotated.status) == (old.key_id, 0)
    assert new.text != old.text
    assert "until 2027-01-16T08:00:00Z" in rotated.out


def test_rotate_without_overlap_says_that_the_former_secret_is_refused(
    forebay: Forebay, server: AdminServer
) -> None:
    server.api.desk.create(NewKey("web"))
    assert "former secret is refused" in forebay("keys", "rotate", "web", "--overlap", "0").out
    assert server.api.desk.show("web").former is None


@pytest.mark.parametrize(
    ("overlap", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800)],
)
def test_an_overlap_has_a_unit(
    forebay: Forebay, server: AdminServer, overlap: str, seconds: int
) -> None:
    server.api.desk.create(NewKey("web"))
    forebay("keys", "rotate", "web", "--overlap", overlap)
    former = server.api.desk.show("web").former
    assert former is not None
    assert former.opens_until == server.api.clock.now() + seconds


def test_rotate_as_json_is_the_key_with_its_secret(forebay: Forebay, server: AdminServer) -> None:
    server.api.desk.create(NewKey("web"))
    answer = json.loads(forebay("keys", "rotate", "web", "--json").out)
    assert parse(answer["secret"]) is not None
    assert answer["former_secret_until"] == "2027-01-16T08:00:00Z"


def test_rotate_by_the_whole_secret_does_not_send_it(forebay: Forebay, server: AdminServer) -> None:
    secret = server.api.desk.create(NewKey("web")).secret
    assert forebay("keys", "rotate", secret.text).status == 0
    assert json.loads(server.requests[0][3]) == {"key": secret.key_id}

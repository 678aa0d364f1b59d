"""`forebay keys`: what is printed, and what is asked of the admin API."""

import json

import pytest

from forebay.admission import parse
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
        "models": [],
        "status": "active",
        "created_at": "2027-01-15T08:00:00Z",
        "revoked_at": None,
    }


def test_list_is_an_aligned_table(forebay: Forebay, server: AdminServer) -> None:
    one = server.api.desk.create(NewKey("w")).record
    server.api.clock.advance(1)
    two = server.api.desk.create(NewKey("a longer name", team="t", models=["m", "n"])).record
    assert forebay("keys", "list").out.splitlines() == [
        "ID          NAME           TENANT   TEAM  MODELS  STATUS  CREATED",
        f"{one.key_id}  w              default  -     all     active  2027-01-15T08:00:00Z",
        f"{two.key_id}  a longer name  default  t     m,n     active  2027-01-15T08:00:01Z",
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


@pytest.mark.parametrize("command", ["show", "revoke"])
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
        ["create", "--name", "web", "--budget-usd", "5"],
        ["create", "--name", "web", "--rpm", "10"],
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

"""Ports `Keys` and `KeyAdministration`: what every store of keys does."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from forebay.adapters.dynamodb import DynamoKeys
from forebay.adapters.dynamodb.audit_trail import DynamoAuditTrail
from forebay.adapters.dynamodb.key_administration import DynamoKeyAdministration
from forebay.adapters.dynamodb.scope_policies import DynamoScopePolicies
from forebay.adapters.dynamodb.tables import TableLocation
from forebay.errors import ConditionFailed, StoreError, StoreUnavailable
from forebay.model import (
    AuditEntry,
    Budget,
    FormerSecret,
    KeyPolicy,
    KeyRecord,
    KeyStatus,
    ScopePolicy,
)
from forebay.money import NanoUsd
from tests.contract.stores.conftest import KeyStore, opened
from tests.contract.stores.records import KEY, NOON

NOBODY_S_PORT = "http://127.0.0.1:1"
"""tcpmux, which nothing serves."""


LIMITED = replace(
    KEY,
    policy=KeyPolicy(
        budgets=(Budget(NanoUsd(10**18), "day", "Europe/Berlin", 0.8),),
        requests_per_minute=60,
        cidrs=("203.0.113.0/24",),
        expires_at=NOON + 0.25,
    ),
    former=FormerSecret("cd" * 32, NOON + 3_600.5),
)


def find(store: KeyStore, key_id: str) -> KeyRecord | None:
    async def main() -> KeyRecord | None:
        async with store.hot() as keys:
            return await keys.find(key_id)

    return asyncio.run(main())


def test_an_unknown_key_is_none(key_store: KeyStore) -> None:
    assert find(key_store, "unknown") is None
    assert key_store.administration.get("unknown") is None
    assert list(key_store.administration.list_all()) == []


@pytest.mark.parametrize(
    "record",
    [
        KEY,
        replace(KEY, team=None, models=(), name=""),
        replace(KEY, revoked_at=NOON, version=7),
        LIMITED,
    ],
    ids=["full", "sparse", "revoked", "limited"],
)
def test_a_key_is_found_as_it_was_created(key_store: KeyStore, record: KeyRecord) -> None:
    key_store.administration.create(record)
    assert find(key_store, record.key_id) == record
    assert key_store.administration.get(record.key_id) == record
    assert list(key_store.administration.list_all()) == [record]


def test_an_id_is_given_once(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)
    with pytest.raises(ConditionFailed):
        key_store.administration.create(replace(KEY, name="an impostor"))
    assert find(key_store, KEY.key_id) == KEY


def test_of_many_who_create_one_id_one_wins(key_store: KeyStore) -> None:
    def create(number: int) -> KeyRecord | None:
        record = replace(KEY, name=str(number))
        try:
            key_store.administration.create(record)
        except ConditionFailed:
            return None
        return record

    with ThreadPoolExecutor(10) as threads:
        created = [record for record in threads.map(create, range(20)) if record]
    assert created == [key_store.administration.get(KEY.key_id)]


def test_all_keys_are_listed_also_over_many_pages(key_store: KeyStore) -> None:
    records = {replace(KEY, key_id=f"{number:010}", name="x" * 100_000) for number in range(25)}
    for record in records:
        key_store.administration.create(record)
    assert set(key_store.administration.list_all()) == records


def test_a_change_is_seen_by_every_reader(key_store: KeyStore) -> None:
    key_store.administration.create(LIMITED)
    changed = replace(KEY, policy=KeyPolicy(parallel=3), version=2)
    key_store.administration.replace(changed)
    assert find(key_store, KEY.key_id) == changed
    assert key_store.administration.get(KEY.key_id) == changed


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_change_of_another_version_than_the_stored_one_is_refused(
    key_store: KeyStore, version: int
) -> None:
    key_store.administration.create(KEY)
    with pytest.raises(ConditionFailed):
        key_store.administration.replace(replace(KEY, name="other", version=version))
    assert find(key_store, KEY.key_id) == KEY


def test_a_revoked_key_is_not_changed(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)
    revoked = key_store.administration.revoke(KEY.key_id, at=NOON)
    with pytest.raises(ConditionFailed):
        key_store.administration.replace(replace(KEY, version=3))
    assert find(key_store, KEY.key_id) == revoked


def test_a_key_that_is_not_there_is_not_made_by_a_change(key_store: KeyStore) -> None:
    with pytest.raises(ConditionFailed):
        key_store.administration.replace(replace(KEY, version=2))
    assert list(key_store.administration.list_all()) == []


def test_of_many_who_change_a_key_one_wins(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)

    def change(number: int) -> KeyRecord | None:
        changed = replace(KEY, policy=KeyPolicy(parallel=number + 1), version=2)
        try:
            key_store.administration.replace(changed)
        except ConditionFailed:
            return None
        return changed

    with ThreadPoolExecutor(10) as threads:
        won = [record for record in threads.map(change, range(20)) if record]
    assert won == [find(key_store, KEY.key_id)]


def test_a_revocation_that_races_changes_is_never_undone(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)

    def change(number: int) -> None:
        stored = key_store.administration.get(KEY.key_id)
        assert stored is not None
        policy = KeyPolicy(parallel=number + 1)
        with contextlib.suppress(ConditionFailed):
            key_store.administration.replace(
                replace(stored, policy=policy, version=stored.version + 1)
            )

    with ThreadPoolExecutor(10) as threads:
        changes = [threads.submit(change, number) for number in range(10)]
        threads.submit(key_store.administration.revoke, KEY.key_id, at=NOON).result()
        changes += [threads.submit(change, number) for number in range(10)]
        for done in changes:
            done.exception()
    stored = find(key_store, KEY.key_id)
    assert stored is not None
    assert (stored.status, stored.revoked_at) == (KeyStatus.REVOKED, NOON)


def test_a_revoked_key_is_revoked_for_every_reader(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)
    revoked = replace(KEY, status=KeyStatus.REVOKED, revoked_at=NOON + 60.5, version=2)
    assert key_store.administration.revoke(KEY.key_id, at=NOON + 60.5) == revoked
    assert find(key_store, KEY.key_id) == revoked
    assert key_store.administration.get(KEY.key_id) == revoked


def test_revoking_again_changes_nothing(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)
    first = key_store.administration.revoke(KEY.key_id, at=NOON)
    assert key_store.administration.revoke(KEY.key_id, at=NOON + 60) == first
    assert find(key_store, KEY.key_id) == first


def test_revoking_an_unknown_key_does_not_make_one(key_store: KeyStore) -> None:
    assert key_store.administration.revoke("unknown", at=NOON) is None
    assert list(key_store.administration.list_all()) == []


def test_of_many_who_revoke_a_key_one_is_first_and_all_see_it(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)

    def revoke(minute: int) -> KeyRecord | None:
        return key_store.administration.revoke(KEY.key_id, at=NOON + 60 * minute)

    with ThreadPoolExecutor(10) as threads:
        seen = set(threads.map(revoke, range(20)))
    assert seen == {find(key_store, KEY.key_id)}
    assert {record.version for record in seen if record} == {2}


def test_many_look_a_key_up_at_once(key_store: KeyStore) -> None:
    key_store.administration.create(KEY)

    async def main() -> list[KeyRecord | None]:
        async with key_store.hot() as keys:
            return await asyncio.gather(*(keys.find(KEY.key_id) for _ in range(100)))

    assert asyncio.run(main()) == [KEY] * 100


@pytest.mark.ministack
@pytest.mark.usefixtures("location")
def test_a_store_out_of_reach_is_unavailable() -> None:
    nowhere = DynamoKeyAdministration(TableLocation("keys", "us-east-1", NOBODY_S_PORT))
    with pytest.raises(StoreUnavailable, match="PutItem"):
        nowhere.create(KEY)
    with pytest.raises(StoreUnavailable, match="Scan"):
        list(nowhere.list_all())


@pytest.mark.ministack
def test_a_table_that_is_not_there_is_a_store_error(location: TableLocation) -> None:
    with pytest.raises(StoreError, match="ResourceNotFoundException") as caught:
        DynamoKeyAdministration(location).get(KEY.key_id)
    assert type(caught.value) is StoreError


@pytest.mark.ministack
@pytest.mark.parametrize(
    "rest",
    [{}, {"name": {"S": "n"}, "models": {"S": "not a list"}}],
    ids=["half-an-item", "another-kind"],
)
def test_an_item_that_cannot_be_read_is_a_store_error_for_both_readers(
    dynamo_key_store: KeyStore, location: TableLocation, rest: dict[str, dict[str, str]]
) -> None:
    async def put() -> None:
        async with opened(location) as database:
            await database.put_item(
                {"TableName": location.name, "Item": {"key_id": {"S": KEY.key_id}, **rest}}
            )

    asyncio.run(put())
    with pytest.raises(StoreError, match="cannot be read"):
        find(dynamo_key_store, KEY.key_id)
    with pytest.raises(StoreError, match="cannot be read"):
        dynamo_key_store.administration.get(KEY.key_id)
    with pytest.raises(StoreError, match="cannot be read"):
        list(dynamo_key_store.administration.list_all())


@pytest.mark.ministack
def test_what_else_is_in_the_table_is_no_key(
    dynamo_key_store: KeyStore, location: TableLocation
) -> None:
    entry = AuditEntry("01KAS0000000000000000000Z0", NOON, None, "keys.create", "x", None, None)
    DynamoAuditTrail(location).add(entry)
    DynamoScopePolicies(location).put(ScopePolicy("acme", None, KeyPolicy(), 1, NOON))
    dynamo_key_store.administration.create(KEY)
    assert list(dynamo_key_store.administration.list_all()) == [KEY]
    assert list(DynamoAuditTrail(location).entries()) == [entry]
    assert [policy.scope for policy in DynamoScopePolicies(location).list_all()] == ["tenant#acme"]


@pytest.mark.ministack
def test_the_newest_state_of_a_key_is_read(
    dynamo_key_store: KeyStore, location: TableLocation
) -> None:
    dynamo_key_store.administration.create(KEY)
    revoked = dynamo_key_store.administration.revoke(KEY.key_id, at=NOON)

    async def main() -> list[KeyRecord | None]:
        async with opened(location) as database:
            keys = DynamoKeys(database, table=location.name)
            return [await keys.newest(KEY.key_id), await keys.newest("unknown")]

    assert asyncio.run(main()) == [revoked, None]

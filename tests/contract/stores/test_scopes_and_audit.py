"""Ports `ScopePolicies` and `AuditTrail`: what every store of them does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from forebay.adapters.dynamodb.audit_trail import AUDIT_RETENTION_DAYS, DynamoAuditTrail
from forebay.adapters.dynamodb.scope_policies import DynamoScopePolicies
from forebay.adapters.dynamodb.tables import AuditItem, KeyItem, TableLocation, located
from forebay.adapters.memory import MemoryAuditTrail, MemoryScopePolicies
from forebay.errors import ConditionFailed
from forebay.model import AuditEntry, Budget, KeyPolicy, ScopePolicy
from forebay.money import NanoUsd
from forebay.ports.administration import AuditTrail, ScopePolicies
from tests.contract.stores.conftest import BACKENDS
from tests.contract.stores.records import NOON

POLICY = KeyPolicy(budgets=(Budget(NanoUsd(5), "day", "Europe/Berlin", 0.8),), parallel=3)
SCOPE = ScopePolicy("größe", "search", POLICY, 1, NOON + 0.25)
ENTRY = AuditEntry(
    "01KAS0000000000000000000Z0",
    NOON + 0.25,
    "arn:aws:iam::123456789012:user/ada",
    "keys.change",
    "0123456789",
    '{"parallel": 1}',
    '{"parallel": 2}',
)


@pytest.fixture(params=BACKENDS)
def scopes(request: pytest.FixtureRequest) -> ScopePolicies:
    """An empty store of scopes' policies."""
    return (
        MemoryScopePolicies() if request.param == "memory" else DynamoScopePolicies(table(request))
    )


@pytest.fixture(params=BACKENDS)
def trail(request: pytest.FixtureRequest) -> AuditTrail:
    """An empty audit trail."""
    return MemoryAuditTrail() if request.param == "memory" else DynamoAuditTrail(table(request))


def table(request: pytest.FixtureRequest) -> TableLocation:
    location: TableLocation = request.getfixturevalue("location")
    located(KeyItem, location).create_table(wait=True)
    return location


@pytest.mark.parametrize(
    "policy",
    [SCOPE, replace(SCOPE, team=None), ScopePolicy(None, None, KeyPolicy(), 1, NOON)],
    ids=["team", "tenant", "account"],
)
def test_a_policy_is_found_as_it_was_put(scopes: ScopePolicies, policy: ScopePolicy) -> None:
    assert scopes.get(policy.scope) is None
    scopes.put(policy)
    assert scopes.get(policy.scope) == policy
    assert list(scopes.list_all()) == [policy]


def test_the_next_version_takes_the_place_of_the_one_before(scopes: ScopePolicies) -> None:
    scopes.put(SCOPE)
    changed = replace(SCOPE, policy=KeyPolicy(), version=2)
    scopes.put(changed)
    assert list(scopes.list_all()) == [changed]


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_than_the_next_is_refused(scopes: ScopePolicies, version: int) -> None:
    scopes.put(SCOPE)
    with pytest.raises(ConditionFailed):
        scopes.put(replace(SCOPE, policy=KeyPolicy(), version=version))
    assert scopes.get(SCOPE.scope) == SCOPE


def test_a_scope_that_is_not_there_has_no_second_version(scopes: ScopePolicies) -> None:
    with pytest.raises(ConditionFailed):
        scopes.put(replace(SCOPE, version=2))
    assert list(scopes.list_all()) == []


def test_of_many_who_put_a_scope_s_first_policy_one_wins(scopes: ScopePolicies) -> None:
    def put(number: int) -> ScopePolicy | None:
        policy = replace(SCOPE, policy=KeyPolicy(parallel=number + 1))
        try:
            scopes.put(policy)
        except ConditionFailed:
            return None
        return policy

    with ThreadPoolExecutor(10) as threads:
        won = [policy for policy in threads.map(put, range(20)) if policy]
    assert won == list(scopes.list_all())


@pytest.mark.parametrize(
    "entry",
    [ENTRY, replace(ENTRY, actor=None, before=None, after=None)],
    ids=["whole", "sparse"],
)
def test_an_entry_is_found_as_it_was_added(trail: AuditTrail, entry: AuditEntry) -> None:
    trail.add(entry)
    assert list(trail.entries()) == [entry]


def test_an_entry_added_again_is_one(trail: AuditTrail) -> None:
    trail.add(ENTRY)
    trail.add(ENTRY)
    assert list(trail.entries()) == [ENTRY]


def test_all_entries_are_found_also_over_many_pages(trail: AuditTrail) -> None:
    entries = {
        replace(ENTRY, entry_id=f"{number:026}", before="x" * 60_000) for number in range(40)
    }
    for entry in entries:
        trail.add(entry)
    assert set(trail.entries()) == entries


@pytest.mark.ministack
def test_an_entry_goes_by_the_table_s_time_to_live(
    request: pytest.FixtureRequest, location: TableLocation
) -> None:
    DynamoAuditTrail(table(request)).add(ENTRY)
    (item,) = located(AuditItem, location).scan()
    expires_at = item.to_dynamodb_dict()["expires_at"]
    assert expires_at == {"N": str(int(NOON) + AUDIT_RETENTION_DAYS * 86_400)}

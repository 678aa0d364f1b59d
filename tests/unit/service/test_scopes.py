"""The limits of teams, tenants and the account."""

from dataclasses import replace

import pytest
from typing_extensions import override

from forebay.adapters.memory import ManualClock, MemoryScopePolicies
from forebay.errors import ConditionFailed, InvalidRequest, StoreUnavailable
from forebay.model import KeyPolicy, ScopePolicy
from forebay.service.keys import CHANGE_ATTEMPTS
from forebay.service.scopes import ScopeDesk


def limited(policy: KeyPolicy) -> KeyPolicy:
    return replace(policy, requests_per_minute=60)


def make_desk(policies: MemoryScopePolicies | None = None) -> ScopeDesk:
    return ScopeDesk(MemoryScopePolicies() if policies is None else policies, ManualClock())


@pytest.mark.parametrize(
    ("tenant", "team", "scope"),
    [(None, None, "account"), ("acme", None, "tenant#acme"), ("acme", "web", "team#acme#web")],
    ids=["account", "tenant", "team"],
)
def test_a_scope_gets_limits(tenant: str | None, team: str | None, scope: str) -> None:
    desk = make_desk()
    changed = desk.change(tenant, team, limited)
    assert changed.before is None
    assert changed.after.scope == scope
    assert (changed.after.version, changed.after.policy) == (1, KeyPolicy(requests_per_minute=60))
    assert desk.list() == [changed.after]


def test_a_change_keeps_the_rest_and_counts_up() -> None:
    desk = make_desk()
    first = desk.change("acme", None, limited).after
    changed = desk.change("acme", None, lambda policy: replace(policy, parallel=3))
    assert changed.before == first
    assert changed.after.policy == KeyPolicy(requests_per_minute=60, parallel=3)
    assert changed.after.version == 2


def test_the_version_goes_on_counting_when_the_limits_are_gone() -> None:
    desk = make_desk()
    desk.change("acme", None, limited)
    desk.change("acme", None, lambda _: KeyPolicy())
    assert desk.change("acme", None, limited).after.version == 3


def test_scopes_are_listed_by_name() -> None:
    desk = make_desk()
    for tenant, team in (("b", None), ("a", "t"), (None, None), ("a", None)):
        desk.change(tenant, team, limited)
    names = [policy.scope for policy in desk.list()]
    assert names == ["account", "team#a#t", "tenant#a", "tenant#b"]


@pytest.mark.parametrize(
    ("tenant", "team", "param"),
    [
        (None, "web", "tenant"),
        ("", None, "tenant"),
        ("a#b", None, "tenant"),
        ("a", "b#c", "team"),
        ("a", "", "team"),
        ("x" * 65, None, "tenant"),
    ],
    ids=["team alone", "empty", "hash", "hash in team", "empty team", "long"],
)
def test_a_scope_that_cannot_be_told_from_others_is_refused(
    tenant: str | None, team: str | None, param: str
) -> None:
    desk = make_desk()
    with pytest.raises(InvalidRequest) as refusal:
        desk.change(tenant, team, limited)
    assert refusal.value.param == param
    assert desk.list() == []


def test_limits_that_cannot_be_enforced_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        make_desk().change("acme", None, lambda policy: replace(policy, parallel=0))


class BusyPolicies(MemoryScopePolicies):
    """A store where somebody else changes a scope before each of the first `times` changes."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    @override
    def put(self, policy: ScopePolicy) -> None:
        if self._times:
            self._times -= 1
            super().put(replace(policy, policy=KeyPolicy(parallel=policy.version)))
        super().put(policy)


class EchoingPolicies(MemoryScopePolicies):
    """A store whose client repeats each write, as if the first answer had been lost."""

    @override
    def put(self, policy: ScopePolicy) -> None:
        super().put(policy)
        super().put(policy)


def test_a_change_is_made_on_top_of_what_others_changed_meanwhile() -> None:
    changed = make_desk(BusyPolicies(CHANGE_ATTEMPTS - 1)).change("acme", None, limited)
    assert changed.after.policy == KeyPolicy(requests_per_minute=60, parallel=CHANGE_ATTEMPTS - 1)


def test_a_scope_that_others_keep_changing_is_left_to_them() -> None:
    with pytest.raises(StoreUnavailable):
        make_desk(BusyPolicies(CHANGE_ATTEMPTS)).change("acme", None, limited)


def test_a_change_whose_answer_was_lost_and_was_repeated_succeeds() -> None:
    desk = make_desk(EchoingPolicies())
    assert desk.change("acme", None, limited).after == desk.list()[0]


def test_the_echo_is_one() -> None:
    with pytest.raises(ConditionFailed):
        EchoingPolicies().put(ScopePolicy("acme", None, KeyPolicy(), 1, 0.0))

"""What an operator does with the limits of teams, tenants and the account: list and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forebay.errors import ConditionFailed, InvalidRequest, StoreUnavailable
from forebay.model import UNLIMITED, KeyPolicy, ScopePolicy, scope_name
from forebay.ports import Clock
from forebay.ports.administration import ScopePolicies
from forebay.service.keys import CHANGE_ATTEMPTS, check_scope
from forebay.service.policies import check_policy


@dataclass(frozen=True, slots=True)
class ChangedScope:
    """A scope before and after a change."""

    before: ScopePolicy | None
    after: ScopePolicy


class ScopeDesk:
    """What an operator does with the limits of scopes.

    Args:
        policies: Where they are.
        clock: Dates the changes.
    """

    def __init__(self, policies: ScopePolicies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    def list(self) -> list[ScopePolicy]:
        """All scopes that have or had limits, by name."""
        return sorted(self._policies.list_all(), key=lambda policy: policy.scope)

    def change(
        self, tenant: str | None, team: str | None, revise: Callable[[KeyPolicy], KeyPolicy]
    ) -> ChangedScope:
        """Change a scope's limits.

        Args:
            tenant: Whose; None: the account's.
            team: Of this team of the tenant; None: the tenant's.
            revise: Makes the new policy of the stored one; called again when somebody else's
                change came in between, which is thereby kept.

        Raises:
            InvalidRequest: The policy or a name is wrong, or a team has no tenant.
            StoreUnavailable: The store did not answer, or too many others change this scope.
        """
        if tenant is not None:
            check_scope(tenant, team)
        elif team is not None:
            raise InvalidRequest("A team is part of a tenant: say which.", param="tenant")
        scope = scope_name(tenant, team)
        for _ in range(CHANGE_ATTEMPTS):
            before = self._policies.get(scope)
            policy = revise(before.policy if before else UNLIMITED)
            check_policy(policy)
            version = before.version + 1 if before else 1
            after = ScopePolicy(tenant, team, policy, version, self._clock.now())
            try:
                self._policies.put(after)
            except ConditionFailed:
                # A write whose answer was lost is repeated by the store's client and meets itself.
                if self._policies.get(scope) != after:
                    continue
            return ChangedScope(before, after)
        raise StoreUnavailable(f"Others keep changing {scope}; try again.")

"""Which limits a key's requests count in: its own, its team's, its tenant's, the account's.

They combine flatly: a leaf draws from each limit above it by itself, and a request needs room in
all of them. A team does not draw from its tenant: then a reclaim for one team would have to walk
up and down a tree, and each crash could strand a slice at each of its levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from forebay.admission.escrow import PARALLEL, Pool
from forebay.admission.hold import SCOPES
from forebay.admission.period import period_of, renews_at
from forebay.model import KeyPolicy, KeyRecord, ScopePolicy


@dataclass(frozen=True, slots=True)
class Limited:
    """A scope with limits that leaves share."""

    scope: str
    """`key#aB3…`, `team#acme#search`, `tenant#acme`, `account`."""
    policy: KeyPolicy
    version: int

    @property
    def kind(self) -> str:
        """One of `forebay.admission.hold.SCOPES`."""
        return self.scope.partition("#")[0]

    def pools(self, at: float) -> Iterable[Pool]:
        """Its limits in the periods of a moment."""
        for budget in self.policy.budgets:
            yield Pool(
                scope=self.scope,
                period=period_of(budget, at),
                limit=budget.amount_nano_usd,
                version=self.version,
                ends_at=renews_at(budget, at) or inf,
            )
        if self.policy.parallel is not None:
            yield Pool(self.scope, PARALLEL, self.policy.parallel, self.version)


def limited(key: KeyRecord, scopes: Iterable[ScopePolicy]) -> tuple[Limited, ...]:
    """Return the scopes whose limits a key's leaves share, from the inside out.

    Args:
        key: Whose requests.
        scopes: What is set for its team, its tenant and the account.
    """
    every = [
        Limited(f"key#{key.key_id}", key.policy, key.version),
        *(Limited(each.scope, each.policy, each.version) for each in scopes),
    ]
    shared = [each for each in every if each.policy.budgets or each.policy.parallel is not None]
    return tuple(sorted(shared, key=lambda each: SCOPES.index(each.kind)))

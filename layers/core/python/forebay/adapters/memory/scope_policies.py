"""Port `ScopePolicies` in memory."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from forebay.errors import ConditionFailed
from forebay.model import ScopePolicy


class MemoryScopePolicies:
    """Policies of scopes in a dict."""

    def __init__(self) -> None:
        self._policies: dict[str, ScopePolicy] = {}
        self._lock = Lock()  # administration is synchronous, so it may be called from threads

    def get(self, scope: str) -> ScopePolicy | None:
        """Read a scope's policy."""
        return self._policies.get(scope)

    def list_all(self) -> Iterator[ScopePolicy]:
        """All of them as they are now, in no order."""
        return iter(list(self._policies.values()))

    def put(self, policy: ScopePolicy) -> None:
        """Store a scope's first policy, or the one whose version is one above the stored one's.

        Raises:
            ConditionFailed: Somebody else changed it.
        """
        with self._lock:
            stored = self._policies.get(policy.scope)
            if (stored.version if stored else 0) != policy.version - 1:
                raise ConditionFailed(f"{policy.scope} was changed", item=None)
            self._policies[policy.scope] = policy

"""Port `ScopePolicies` on DynamoDB: items `scope#…` of the keys table, by PynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.adapters.dynamodb.policy_text import policy_to_text, text_to_policy
from forebay.adapters.dynamodb.tables import ScopeItem, TableLocation, located
from forebay.adapters.dynamodb.translation import store_errors
from forebay.errors import StoreError
from forebay.model import ScopePolicy

_PREFIX = "scope#"


class DynamoScopePolicies:
    """Read and write what scopes may do.

    Args:
        location: The keys table.
    """

    def __init__(self, location: TableLocation) -> None:
        self._model = located(ScopeItem, location)

    def get(self, scope: str) -> ScopePolicy | None:
        """Read a scope's policy, strongly consistent; None if it has none. 1 read unit."""
        with store_errors("GetItem"):
            try:
                return _policy(self._model.get(_PREFIX + scope, consistent_read=True))
            except self._model.DoesNotExist:
                return None

    def list_all(self) -> Iterator[ScopePolicy]:
        """All of them, in no order; reads the table page by page (0.5 read units for 4 KB)."""
        with store_errors("Scan"):
            for item in self._model.scan(filter_condition=ScopeItem.key_id.startswith(_PREFIX)):
                yield _policy(item)

    def put(self, policy: ScopePolicy) -> None:
        """Store a scope's first policy, or the one after the stored one. 1 write unit.

        Raises:
            ConditionFailed: Somebody else changed it.
            StoreUnavailable: DynamoDB did not answer; it may be stored all the same.
        """
        item = self._model(
            _PREFIX + policy.scope,
            tenant=policy.tenant,
            team=policy.team,
            policy=policy_to_text(policy.policy),
            version=policy.version,
            changed_at=policy.changed_at,
        )
        is_first = policy.version == 1
        with store_errors("PutItem"):
            item.save(
                condition=ScopeItem.key_id.does_not_exist()
                if is_first
                else ScopeItem.version == policy.version - 1
            )


def _policy(item: ScopeItem) -> ScopePolicy:
    try:
        return ScopePolicy(
            tenant=item.tenant,
            team=item.team,
            policy=text_to_policy(item.policy),
            version=int(item.version),
            changed_at=float(item.changed_at),
        )
    except (TypeError, ValueError) as error:
        raise StoreError(f"keys: item {item.key_id} cannot be read: {error}") from error

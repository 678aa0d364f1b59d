"""The tables, as PynamoDB models: for operators' tools, never on the hot path (400 ms of imports).

A model needs its table's name when its class is made, and we learn the name at run time: so the
classes here have no table, and `located` derives ones that do. The template's
`infra/tables.yaml` says the same to CloudFormation; a contract test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

AnyItem = TypeVar("AnyItem", bound=Model)


@dataclass(frozen=True, slots=True)
class TableLocation:
    """Where a table is."""

    name: str
    region: str
    endpoint_url: str | None = None
    """None: AWS's own for the region."""


class KeyItem(Model):
    """One item a key. Made and read by `items.key_to_item` and `item_to_key`."""

    key_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    secret_sha256 = UnicodeAttribute()
    tenant = UnicodeAttribute()
    team = UnicodeAttribute(null=True)
    models: ListAttribute[UnicodeAttribute] = ListAttribute(of=UnicodeAttribute)
    status = UnicodeAttribute()
    version = NumberAttribute()
    created_at = NumberAttribute()
    revoked_at = NumberAttribute(null=True)
    policy = UnicodeAttribute(null=True)
    former_sha256 = UnicodeAttribute(null=True)
    former_opens_until = NumberAttribute(null=True)


class ScopeItem(Model):
    """One item a team, tenant or account, beside the keys. Made and read by `scope_policies`."""

    key_id = UnicodeAttribute(hash_key=True)
    tenant = UnicodeAttribute(null=True)
    team = UnicodeAttribute(null=True)
    policy = UnicodeAttribute(null=True)
    version = NumberAttribute()
    changed_at = NumberAttribute()


class AuditItem(Model):
    """One item an operator's action, beside the keys. Made and read by `audit_trail`."""

    key_id = UnicodeAttribute(hash_key=True)
    at = NumberAttribute()
    actor = UnicodeAttribute(null=True)
    action = UnicodeAttribute()
    subject = UnicodeAttribute()
    before = UnicodeAttribute(null=True)
    after = UnicodeAttribute(null=True)
    gone_at = NumberAttribute(attr_name="expires_at")
    """Epoch seconds; the table's TTL attribute."""


class ByDay(GlobalSecondaryIndex["LedgerItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """The rows of a UTC day, in `items.DAY_SHARDS` parts."""

    class Meta:
        """What PynamoDB asks for."""

        index_name = "by_day"
        projection = AllProjection()

    day_shard = UnicodeAttribute(hash_key=True)
    request_id = UnicodeAttribute(range_key=True)


class LedgerItem(Model):
    """One row a request. Made and read by `items.row_to_item` and `item_to_row`."""

    request_id = UnicodeAttribute(hash_key=True)
    day_shard = UnicodeAttribute()
    expires_at = TTLAttribute()
    created_at = NumberAttribute()
    key_id = UnicodeAttribute()
    key_name = UnicodeAttribute()
    tenant = UnicodeAttribute()
    team = UnicodeAttribute(null=True)
    request_model = UnicodeAttribute()
    provider = UnicodeAttribute()
    response_model = UnicodeAttribute()
    stream = BooleanAttribute()
    outcome = UnicodeAttribute()
    status = NumberAttribute()
    error_code = UnicodeAttribute(null=True)
    input_tokens = NumberAttribute()
    output_tokens = NumberAttribute()
    cached_input_tokens = NumberAttribute()
    reasoning_tokens = NumberAttribute()
    cache_write_input_tokens = NumberAttribute(null=True)
    cache_write_1h_input_tokens = NumberAttribute(null=True)
    web_searches = NumberAttribute(null=True)
    service_tier = UnicodeAttribute(null=True)
    usage_source = UnicodeAttribute()
    cost_nano_usd = NumberAttribute()
    time_to_first_token_ms = NumberAttribute(null=True)
    duration_ms = NumberAttribute()
    attempts: ListAttribute[UnicodeAttribute] = ListAttribute(of=UnicodeAttribute, null=True)
    tags: ListAttribute[UnicodeAttribute] = ListAttribute(of=UnicodeAttribute, null=True)
    by_day = ByDay()


class BreakerItem(Model):
    """One item a target, and the snapshot. Made and read by `fleet_items`, which names the rest."""

    target = UnicodeAttribute(hash_key=True)


class JobItem(Model):
    """One item a job or a stored answer; the adapters that write them name the rest."""

    job_id = UnicodeAttribute(hash_key=True)
    expires_at = TTLAttribute()


class BySweep(GlobalSecondaryIndex["LimitItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """The leaves with open holds, by when the first of them expires (epoch seconds)."""

    class Meta:
        """What PynamoDB asks for."""

        index_name = "by_sweep"
        projection = KeysOnlyProjection()

    sweep_shard = UnicodeAttribute(hash_key=True)
    sweep_at = NumberAttribute(range_key=True)


class LimitItem(Model):
    """One item a leaf or a parent of the limits; the adapter that writes them names the rest."""

    scope = UnicodeAttribute(hash_key=True)
    sweep_shard = UnicodeAttribute(null=True)
    sweep_at = NumberAttribute(null=True)
    by_sweep = BySweep()


class UsageItem(Model):
    """One item a part of a roll-up. Made and read by `usage_items`."""

    rollup = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    value_id = UnicodeAttribute()
    label = UnicodeAttribute()
    last_number = UnicodeAttribute()
    requests = NumberAttribute()
    input_tokens = NumberAttribute()
    cached_input_tokens = NumberAttribute()
    cache_write_input_tokens = NumberAttribute()
    output_tokens = NumberAttribute()
    cost_nano_usd = NumberAttribute()


def located(item: type[AnyItem], location: TableLocation) -> type[AnyItem]:
    """Return the model of a table's items at this place."""
    model: type[AnyItem] = type(f"Located{item.__name__}", (item,), {"Meta": _meta(location)})
    return model


def _meta(location: TableLocation) -> Any:
    """Return what PynamoDB reads as a `Meta` class; it fills in the rest of it."""
    return type(
        "Meta",
        (),
        {
            "table_name": location.name,
            "region": location.region,
            "host": location.endpoint_url,
            "billing_mode": "PAY_PER_REQUEST",
            # The admin function has API Gateway's 29 s for a whole request.
            "connect_timeout_seconds": 2,
            "read_timeout_seconds": 5,
            "max_retry_attempts": 2,
        },
    )

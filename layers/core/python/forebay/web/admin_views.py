"""What the admin API shows: replies as types, made from records. No hash and no secret in any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from forebay.admission.secret import KeySecret
from forebay.model import AuditEntry, KeyPolicy, KeyRecord, ScopePolicy
from forebay.money import NanoUsd, format_usd


class BudgetView(msgspec.Struct):
    """One budget."""

    usd: str
    period: str
    zone: str
    soft_limit: float | None


class KeyView(msgspec.Struct, kw_only=True):
    """A key."""

    id: str
    name: str
    tenant: str
    team: str | None
    status: str
    version: int
    created_at: str
    revoked_at: str | None
    former_secret_until: str | None
    """Until when the secret before the last rotation opens."""
    budgets: list[BudgetView]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None
    models: tuple[str, ...]
    cidrs: tuple[str, ...]
    expires_at: str | None
    priority: str
    default_output_limit: int | None
    unbounded_hold_usd: str | None
    hold: str
    on_store_failure: str


class CreatedKeyView(KeyView, kw_only=True):
    """A key and its new secret."""

    secret: str


class KeysView(msgspec.Struct):
    """All keys."""

    keys: list[KeyView]


class ScopeView(msgspec.Struct):
    """The limits of a team, a tenant or the account."""

    tenant: str | None
    team: str | None
    version: int
    changed_at: str
    budgets: list[BudgetView]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None


class ScopesView(msgspec.Struct):
    """All scopes that have or had limits."""

    scopes: list[ScopeView]


class AuditEntryView(msgspec.Struct):
    """What an operator did."""

    id: str
    at: str
    actor: str | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditView(msgspec.Struct):
    """The audit trail, the newest first."""

    entries: list[AuditEntryView]


def key_view(record: KeyRecord) -> KeyView:
    """Show a key."""
    return KeyView(**_key_fields(record))


def created_key_view(record: KeyRecord, secret: KeySecret) -> CreatedKeyView:
    """Show a key with its new secret, this once."""
    return CreatedKeyView(**_key_fields(record), secret=secret.text)


def scope_view(scope: ScopePolicy) -> ScopeView:
    """Show a scope's limits."""
    return ScopeView(
        tenant=scope.tenant,
        team=scope.team,
        version=scope.version,
        changed_at=timestamp(scope.changed_at),
        **_limits(scope.policy),
    )


def audit_view(entries: Iterable[AuditEntry]) -> AuditView:
    """Show entries of the audit trail."""
    return AuditView(
        [
            AuditEntryView(
                id=entry.entry_id,
                at=timestamp(entry.at),
                actor=entry.actor,
                action=entry.action,
                subject=entry.subject,
                before=_object(entry.before),
                after=_object(entry.after),
            )
            for entry in entries
        ]
    )


def timestamp(epoch_s: float) -> str:
    """ISO 8601 in UTC to the second, `2026-11-23T10:00:00Z`."""
    return f"{datetime.fromtimestamp(int(epoch_s), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _key_fields(record: KeyRecord) -> dict[str, Any]:
    policy = record.policy
    return {
        "id": record.key_id,
        "name": record.name,
        "tenant": record.tenant,
        "team": record.team,
        "status": record.status.value,
        "version": record.version,
        "created_at": timestamp(record.created_at),
        "revoked_at": _moment(record.revoked_at),
        "former_secret_until": _moment(record.former.opens_until if record.former else None),
        **_limits(policy),
        "models": record.models,
        "cidrs": policy.cidrs,
        "expires_at": _moment(policy.expires_at),
        "priority": policy.priority,
        "default_output_limit": policy.default_output_limit,
        "unbounded_hold_usd": None
        if policy.unbounded_hold_nano_usd is None
        else _usd(policy.unbounded_hold_nano_usd),
        "hold": policy.hold,
        "on_store_failure": policy.on_store_failure,
    }


def _limits(policy: KeyPolicy) -> dict[str, Any]:
    return {
        "budgets": [
            BudgetView(_usd(b.amount_nano_usd), b.period, b.zone, b.soft_share)
            for b in policy.budgets
        ],
        "requests_per_minute": policy.requests_per_minute,
        "tokens_per_minute": policy.tokens_per_minute,
        "parallel": policy.parallel,
    }


def _usd(amount: NanoUsd) -> str:
    """Write an amount without the zeros that say nothing: `25`, `0.5`."""
    return format_usd(amount).rstrip("0").rstrip(".")


def _moment(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else timestamp(epoch_s)


def _object(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])

"""Records and items: the one place that knows the attributes' names beside `tables`.

Reading is lenient about attributes it does not know (a newer version wrote them) and strict about
those it needs.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from forebay.adapters.dynamodb.attributes import Item, decode_item, encode_item
from forebay.adapters.dynamodb.policy_text import policy_to_text, text_to_policy
from forebay.errors import StoreError
from forebay.model import (
    AttemptRecord,
    AttemptResult,
    FormerSecret,
    KeyRecord,
    KeyStatus,
    LedgerRow,
    Outcome,
    Usage,
    UsageSource,
)
from forebay.money import NanoUsd

DAY_SHARDS = 8
"""Parts of a day in the index `by_day`: a partition takes 1,000 writes/s, a day 8,000. Raise it
at will; never lower it while rows of the old count are kept, or their reader misses some."""

SECONDS_PER_DAY = 86_400


def key_to_item(record: KeyRecord) -> Item:
    """Return a key as an item of the table `keys`."""
    return encode_item(
        {
            "key_id": record.key_id,
            "name": record.name,
            "secret_sha256": record.secret_sha256,
            "tenant": record.tenant,
            "team": record.team,
            "models": record.models,
            "status": record.status.value,
            "version": record.version,
            "created_at": record.created_at,
            "revoked_at": record.revoked_at,
            "policy": policy_to_text(record.policy),
            "former_sha256": record.former.sha256 if record.former else None,
            "former_opens_until": record.former.opens_until if record.former else None,
        }
    )


def item_to_key(item: Mapping[str, Mapping[str, Any]]) -> KeyRecord:
    """Return an item of the table `keys` as a key.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    try:
        fields = decode_item(item)
        revoked_at = fields.get("revoked_at")
        former_sha256 = fields.get("former_sha256")
        return KeyRecord(
            key_id=fields["key_id"],
            name=fields["name"],
            secret_sha256=fields["secret_sha256"],
            tenant=fields["tenant"],
            team=fields.get("team"),
            models=fields["models"],
            status=KeyStatus(fields["status"]),
            version=fields["version"],
            created_at=float(fields["created_at"]),
            revoked_at=None if revoked_at is None else float(revoked_at),
            policy=text_to_policy(fields.get("policy")),
            former=None
            if former_sha256 is None
            else FormerSecret(former_sha256, float(fields["former_opens_until"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("keys", "key_id", item, error) from error


def row_to_item(row: LedgerRow, *, retention_days: int) -> Item:
    """Return a row as an item of the table `ledger`.

    Args:
        row: The row.
        retention_days: After how many days DynamoDB may delete it.
    """
    usage = row.usage
    return encode_item(
        {
            "request_id": row.request_id,
            "day_shard": _day_shard(row),
            "expires_at": int(row.created_at) + retention_days * SECONDS_PER_DAY,
            "created_at": row.created_at,
            "key_id": row.key_id,
            "key_name": row.key_name,
            "tenant": row.tenant,
            "team": row.team,
            "request_model": row.request_model,
            "provider": row.provider,
            "response_model": row.response_model,
            "stream": row.stream,
            "outcome": row.outcome.value,
            "status": row.status,
            "error_code": row.error_code,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cache_write_input_tokens": usage.cache_write_input_tokens or None,
            "cache_write_1h_input_tokens": usage.cache_write_1h_input_tokens or None,
            "web_searches": usage.web_searches or None,
            "service_tier": usage.service_tier,
            "usage_source": usage.source.value,
            "cost_nano_usd": row.cost_nano_usd,
            "time_to_first_token_ms": row.time_to_first_token_ms,
            "duration_ms": row.duration_ms,
            "attempts": tuple(map(_attempt_to_text, row.attempts)) or None,
            "tags": row.tags or None,
        }
    )


def item_to_row(item: Mapping[str, Mapping[str, Any]]) -> LedgerRow:
    """Return an item of the table `ledger` as a row.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    try:
        fields = decode_item(item)
        return LedgerRow(
            request_id=fields["request_id"],
            created_at=float(fields["created_at"]),
            key_id=fields["key_id"],
            key_name=fields["key_name"],
            tenant=fields["tenant"],
            team=fields.get("team"),
            request_model=fields["request_model"],
            provider=fields["provider"],
            response_model=fields["response_model"],
            stream=fields["stream"],
            outcome=Outcome(fields["outcome"]),
            status=fields["status"],
            error_code=fields.get("error_code"),
            usage=Usage(
                input_tokens=fields["input_tokens"],
                output_tokens=fields["output_tokens"],
                cached_input_tokens=fields["cached_input_tokens"],
                reasoning_tokens=fields["reasoning_tokens"],
                source=UsageSource(fields["usage_source"]),
                cache_write_input_tokens=fields.get("cache_write_input_tokens", 0),
                cache_write_1h_input_tokens=fields.get("cache_write_1h_input_tokens", 0),
                web_searches=fields.get("web_searches", 0),
                service_tier=fields.get("service_tier"),
            ),
            cost_nano_usd=NanoUsd(fields["cost_nano_usd"]),
            time_to_first_token_ms=fields.get("time_to_first_token_ms"),
            duration_ms=fields["duration_ms"],
            attempts=tuple(map(_text_to_attempt, fields.get("attempts", ()))),
            tags=fields.get("tags", ()),
        )
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise _unreadable("ledger", "request_id", item, error) from error


def _attempt_to_text(attempt: AttemptRecord) -> str:
    """Return an attempt as a JSON array: half the bytes that a map of attributes takes."""
    values = (
        attempt.target,
        attempt.result,
        attempt.error_code,
        attempt.first_token_ms,
        attempt.began_ms,
        attempt.ended_ms,
    )
    return msgspec.json.encode(values).decode()


def _text_to_attempt(text: str) -> AttemptRecord:
    target, result, *more = msgspec.json.decode(text, type=_ATTEMPT)
    return AttemptRecord(target, AttemptResult(result), *more)


_ATTEMPT = tuple[str, str, str | None, int | None, int, int | None]


def day_shards(day: date) -> list[str]:
    """Return the keys of a UTC day in the index `by_day`."""
    return [f"{day.isoformat()}#{shard}" for shard in range(DAY_SHARDS)]


def _day_shard(row: LedgerRow) -> str:
    """Return a row's key in `by_day`: the same in every process, spread evenly over the shards."""
    shard = zlib.crc32(row.request_id.encode()) % DAY_SHARDS
    return f"{datetime.fromtimestamp(row.created_at, UTC).date().isoformat()}#{shard}"


def _unreadable(
    table: str, key: str, item: Mapping[str, Mapping[str, Any]], error: Exception
) -> StoreError:
    name = item.get(key, {}).get("S", "?")
    return StoreError(f"{table}: item {name} cannot be read: {type(error).__name__}: {error}")

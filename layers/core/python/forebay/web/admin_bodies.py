"""What the admin API takes: the bodies of its calls, and what they ask of a policy.

Unknown fields are refused: `modles` instead of `models` would make a key that may call all. In a
change, a field that is left out stays as it is and null takes its limit away; so each field knows
three states (`msgspec.UNSET`, None, a value). Ranges are the services' business.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from forebay.errors import InvalidRequest
from forebay.model import UNLIMITED, Budget, KeyPolicy, Period, Priority
from forebay.money import NANO_PER_USD, NanoUsd
from forebay.service.policies import check_models

DEFAULT_OVERLAP_S = 86_400
"""A day in which a rotated key's former secret still opens: time to hand the new one out."""

MAX_USD = 10**9
"""A billion: an amount beyond is a slip of the unit."""

_USD = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")

_LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z: later moments cannot be written down."""


class BudgetBody(msgspec.Struct, forbid_unknown_fields=True):
    """One budget of a key or scope."""

    usd: str
    """Decimal text: a JSON number is binary in most programs, which would change the amount."""
    period: Period = "month"
    zone: str = "UTC"
    soft_limit: float | None = None


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The limits that keys and scopes have."""

    budgets: list[BudgetBody] | UnsetType | None = UNSET
    requests_per_minute: int | UnsetType | None = UNSET
    tokens_per_minute: int | UnsetType | None = UNSET
    parallel: int | UnsetType | None = UNSET

    def revise(self, policy: KeyPolicy) -> KeyPolicy:
        """Return the policy with what this body asks for.

        Raises:
            InvalidRequest: A text in it does not say what its field needs.
        """
        return replace(policy, **_asked(self))


class ChangeScopeBody(LimitsBody, forbid_unknown_fields=True, kw_only=True):
    """The body of `PATCH /v1/admin/scopes`: whose limits, and which."""

    tenant: str | None = None
    team: str | None = None


class ChangeKeyBody(LimitsBody, forbid_unknown_fields=True, kw_only=True):
    """The body of `PATCH /v1/admin/keys/{key}`: a key's whole policy."""

    models: list[str] | UnsetType | None = UNSET
    cidrs: list[str] | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    default_output_limit: int | UnsetType | None = UNSET
    unbounded_hold_usd: str | UnsetType | None = UNSET
    hold: Literal["calibrated", "proven"] | UnsetType | None = UNSET
    on_store_failure: Literal["refuse", "serve"] | UnsetType | None = UNSET


class CreateKeyBody(ChangeKeyBody, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /v1/admin/keys`."""

    name: str
    tenant: str = "default"
    team: str | None = None


class RotationBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/admin/rotations`."""

    key: str
    overlap_s: int = DEFAULT_OVERLAP_S


def _asked(body: LimitsBody) -> dict[str, Any]:
    """Return the fields of a policy that a body gives, by their names in `KeyPolicy`."""
    names = {field.name for field in fields(KeyPolicy)}
    given = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
    asked: dict[str, Any] = {}
    for name, value in given.items():
        if name == "unbounded_hold_usd":
            asked["unbounded_hold_nano_usd"] = None if value is None else parse_usd(name, value)
        elif name in names:
            asked[name] = getattr(UNLIMITED, name) if value is None else _read(name, value)
    return asked


def _read(name: str, value: Any) -> Any:
    match name:
        case "budgets":
            return tuple(_budget(index, budget) for index, budget in enumerate(value))
        case "models":
            check_models(value)  # here, since an empty list is told from null only here
            return tuple(value)
        case "cidrs":
            return tuple(value)
        case "expires_at":
            return _moment(name, value)
        case _:
            return value


def _budget(index: int, body: BudgetBody) -> Budget:
    amount = parse_usd(f"budgets[{index}].usd", body.usd)
    return Budget(amount, body.period, body.zone, body.soft_limit)


def parse_usd(param: str, text: str) -> NanoUsd:
    """Read an amount of dollars exactly, e.g. `25` or `0.000000001`.

    Raises:
        InvalidRequest: It has a sign, an exponent, a comma or a tenth digit after the point, or is
            over `MAX_USD`.
    """
    amount = Decimal(text).scaleb(9) if _USD.fullmatch(text) else None
    if amount is None or amount > MAX_USD * NANO_PER_USD:
        raise InvalidRequest(
            f"`{param}` must be dollars such as 25 or 0.005, at most {MAX_USD}, with at most 9 "
            "digits after the point.",
            param=param,
        )
    return NanoUsd(int(amount))


def _moment(param: str, text: str) -> float:
    """Read a day (its first second in UTC) or a moment with its offset; epoch seconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None and len(text) == len("2026-12-31"):
        moment = moment.replace(tzinfo=UTC)
    if moment is None or moment.tzinfo is None or moment.timestamp() > _LAST_SECOND:
        raise InvalidRequest(
            f"`{param}` must be a day in UTC, such as 2026-12-31, or a moment with its offset, "
            "such as 2026-12-31T18:00:00Z.",
            param=param,
        )
    return float(int(moment.timestamp()))

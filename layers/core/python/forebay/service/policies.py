"""What a policy may say: ranges, names and networks, checked before anything is stored.

The messages name the fields of the admin API, which is where policies come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from zoneinfo import ZoneInfo

from forebay.errors import InvalidRequest
from forebay.model import Budget, KeyPolicy

MAX_MODEL_LENGTH = 256
MAX_MODELS = 100
MAX_CIDRS = 50
MAX_PER_MINUTE = 10**12
"""Far over what any provider sells; keeps every sum within 64 bits."""
MAX_PARALLEL = 100_000
MAX_OUTPUT_TOKENS = 10**7

_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def check_policy(policy: KeyPolicy) -> None:
    """Hold a policy to what can be enforced.

    Raises:
        InvalidRequest: A value is out of its range, or says nothing that could be meant; `param`
            names the field.
    """
    _check_budgets(policy.budgets)
    _check_range("requests_per_minute", policy.requests_per_minute, MAX_PER_MINUTE)
    _check_range("tokens_per_minute", policy.tokens_per_minute, MAX_PER_MINUTE)
    _check_range("parallel", policy.parallel, MAX_PARALLEL)
    _check_range("default_output_limit", policy.default_output_limit, MAX_OUTPUT_TOKENS)
    if policy.models:
        check_models(policy.models)
    if policy.cidrs:
        _check_cidrs(policy.cidrs)
    if policy.unbounded_hold_nano_usd is not None and policy.unbounded_hold_nano_usd <= 0:
        raise InvalidRequest("`unbounded_hold_usd` must be above 0.", param="unbounded_hold_usd")


def check_models(models: Sequence[str]) -> None:
    """Hold a list of models to what can be stored and shown.

    Raises:
        InvalidRequest: It is empty (it would read as "none" and work as "all"), too long, or a
            name is.
    """
    if not 1 <= len(models) <= MAX_MODELS:
        raise InvalidRequest(
            f"`models` must name 1 to {MAX_MODELS} models, not {len(models)}; "
            "leave it out to allow all.",
            param="models",
        )
    for index, model in enumerate(models):
        if not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
            raise InvalidRequest(
                f"`models[{index}]` must be a name of 1 to {MAX_MODEL_LENGTH} printable "
                "characters.",
                param=f"models[{index}]",
            )


def _check_budgets(budgets: Sequence[Budget]) -> None:
    periods = [budget.period for budget in budgets]
    for index, budget in enumerate(budgets):
        param = f"budgets[{index}]"
        if budget.period in periods[:index]:
            raise InvalidRequest(
                f"`{param}` is a second budget of period {budget.period}; there may be one.",
                param=f"{param}.period",
            )
        if budget.amount_nano_usd <= 0:
            raise InvalidRequest(
                f"`{param}.usd` must be above 0; to stop a key, revoke it.", param=f"{param}.usd"
            )
        if budget.soft_share is not None and not 0 < budget.soft_share <= 1:
            raise InvalidRequest(
                f"`{param}.soft_limit` is a part of the budget, above 0 and at most 1.",
                param=f"{param}.soft_limit",
            )
        if not is_zone(budget.zone):
            raise InvalidRequest(
                f"`{param}.zone` must be an IANA time zone, such as UTC or Europe/Berlin.",
                param=f"{param}.zone",
            )


def is_zone(name: str) -> bool:
    """Whether the time zone database knows this name."""
    if not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    # Unknown; outside of the database's folder; a folder within it.
    except (KeyError, ValueError, OSError):
        return False
    return True


def _check_range(param: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidRequest(
            f"`{param}` must be 1 to {most}; leave it out for no limit.", param=param
        )


def _check_cidrs(cidrs: Sequence[str]) -> None:
    if len(cidrs) > MAX_CIDRS:
        raise InvalidRequest(
            f"`cidrs` may name {MAX_CIDRS} networks, not {len(cidrs)}.", param="cidrs"
        )
    for index, cidr in enumerate(cidrs):
        try:
            ip_network(cidr)
        except ValueError as fault:
            raise InvalidRequest(
                f"`cidrs[{index}]` must be a network such as 203.0.113.0/24 or 2001:db8::/32, "
                "with no bit set behind its prefix.",
                param=f"cidrs[{index}]",
            ) from fault

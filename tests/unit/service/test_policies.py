"""What a policy may say."""

from typing import Any

import pytest

from forebay.errors import InvalidRequest
from forebay.model import Budget, KeyPolicy
from forebay.money import NanoUsd
from forebay.service.policies import MAX_CIDRS, MAX_PARALLEL, MAX_PER_MINUTE, check_policy


def budget(nano_usd: int = 10**9, **fields: Any) -> Budget:
    return Budget(NanoUsd(nano_usd), **fields)


@pytest.mark.parametrize(
    "policy",
    [
        KeyPolicy(),
        KeyPolicy(budgets=(budget(1),)),
        KeyPolicy(budgets=(budget(period="day"), budget(period="month"), budget(period="total"))),
        KeyPolicy(budgets=(budget(zone="Europe/Berlin", soft_share=0.8),)),
        KeyPolicy(budgets=(budget(zone="America/Argentina/Buenos_Aires", soft_share=1.0),)),
        KeyPolicy(requests_per_minute=1, tokens_per_minute=MAX_PER_MINUTE, parallel=MAX_PARALLEL),
        KeyPolicy(cidrs=("203.0.113.0/24", "192.0.2.1", "2001:db8::/32", "0.0.0.0/0")),
        KeyPolicy(unbounded_hold_nano_usd=NanoUsd(1), default_output_limit=1, models=("m",)),
    ],
    ids=["none", "least", "periods", "zone", "long zone", "rates", "networks", "rest"],
)
def test_a_policy_that_can_be_enforced_is_taken(policy: KeyPolicy) -> None:
    check_policy(policy)


@pytest.mark.parametrize(
    ("policy", "param"),
    [
        (KeyPolicy(budgets=(budget(0),)), "budgets[0].usd"),
        (KeyPolicy(budgets=(budget(-1),)), "budgets[0].usd"),
        (KeyPolicy(budgets=(budget(), budget(2))), "budgets[1].period"),
        (KeyPolicy(budgets=(budget(soft_share=0.0),)), "budgets[0].soft_limit"),
        (KeyPolicy(budgets=(budget(soft_share=1.1),)), "budgets[0].soft_limit"),
        (KeyPolicy(budgets=(budget(soft_share=float("nan")),)), "budgets[0].soft_limit"),
        (KeyPolicy(budgets=(budget(zone=""),)), "budgets[0].zone"),
        (KeyPolicy(budgets=(budget(zone="Mars/Olympus"),)), "budgets[0].zone"),
        (KeyPolicy(budgets=(budget(zone="../../etc/passwd"),)), "budgets[0].zone"),
        (KeyPolicy(budgets=(budget(zone="/etc/localtime"),)), "budgets[0].zone"),
        (KeyPolicy(budgets=(budget(zone="Europe"),)), "budgets[0].zone"),
        (KeyPolicy(budgets=(budget(zone="x" * 10_000),)), "budgets[0].zone"),
        (KeyPolicy(requests_per_minute=0), "requests_per_minute"),
        (KeyPolicy(requests_per_minute=MAX_PER_MINUTE + 1), "requests_per_minute"),
        (KeyPolicy(tokens_per_minute=-5), "tokens_per_minute"),
        (KeyPolicy(parallel=0), "parallel"),
        (KeyPolicy(parallel=MAX_PARALLEL + 1), "parallel"),
        (KeyPolicy(default_output_limit=0), "default_output_limit"),
        (KeyPolicy(unbounded_hold_nano_usd=NanoUsd(0)), "unbounded_hold_usd"),
        (KeyPolicy(models=("m", "")), "models[1]"),
        (KeyPolicy(cidrs=("10.0.0.0/8", "office")), "cidrs[1]"),
        (KeyPolicy(cidrs=("",)), "cidrs[0]"),
        (KeyPolicy(cidrs=("10.0.0.1/8",)), "cidrs[0]"),
        (KeyPolicy(cidrs=("10.0.0.0/33",)), "cidrs[0]"),
        (KeyPolicy(cidrs=("10.0.0.0/8",) * (MAX_CIDRS + 1)), "cidrs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_that_cannot_be_enforced_is_refused_by_its_field(
    policy: KeyPolicy, param: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_policy(policy)
    assert refusal.value.param == param
    assert len(refusal.value.message) < 200

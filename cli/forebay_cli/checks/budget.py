"""Whether a budget stops anybody."""

from __future__ import annotations

import json

from forebay_cli.checks.access import HONOURED_WITHIN_S, POLL_S
from forebay_cli.checks.caller import Call, Exchange, json_or_none
from forebay_cli.checks.deployment import Deployment
from forebay_cli.checks.finding import CheckFailed, Finding, NotChecked, passed

BUDGET_USD = "0.000000001"
"""A nano-dollar: no answer that costs anything is as cheap."""


def check_budget(deployment: Deployment) -> Finding:
    """A key whose budget pays for nothing is refused, and is told not to try again."""
    deployment.require_key()
    model, name = deployment.require_model(), f"{deployment.key_name}-budget"
    wanted = {"name": name, "budgets": [{"usd": BUDGET_USD, "period": "day"}]}
    match deployment.admin.create_key(wanted):
        case {"id": str(key_id), "secret": str(secret)}:
            pass
        case _:
            raise CheckFailed("the admin API made a key and did not give its id and secret")
    try:
        return _judge(_ask(deployment, model, secret), model)
    finally:
        deployment.admin.revoke_key(key_id)


def _ask(deployment: Deployment, model: str, secret: str) -> Exchange:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    call = Call("POST", "/chat/completions", secret=secret, content=json.dumps(body).encode())
    until_s = deployment.clock.now() + HONOURED_WITHIN_S
    exchange = deployment.caller.exchange(call)
    while exchange.status == 401 and deployment.clock.now() < until_s:
        deployment.clock.sleep(POLL_S)
        exchange = deployment.caller.exchange(call)
    return exchange


def _judge(exchange: Exchange, model: str) -> Finding:
    if exchange.status == 200:
        cost = exchange.headers.get("x-forebay-cost-usd", "0")
        if float(cost) > 0:
            raise CheckFailed(f"{model} answered for {cost} USD on a budget of {BUDGET_USD}")
        raise NotChecked(f"{model} costs nothing, so no budget stops it; name one with --model")
    excerpt = exchange.body[:160].decode(errors="replace")
    match json_or_none(exchange.body):
        case {"error": {"code": "insufficient_quota"}} if exchange.status == 429:
            pass
        case _:
            raise CheckFailed(f"a spent budget got status {exchange.status}: {excerpt}")
    if exchange.headers.get("x-should-retry") != "false":
        raise CheckFailed("a spent budget was refused without x-should-retry: false")
    return passed(f"{model}: 429 insufficient_quota, and the SDKs will not try again")

"""Who gets in: the key made for the examination, and what is refused without one."""

from __future__ import annotations

import secrets

from forebay.admission import ENTROPY_BYTES, mint
from forebay_cli.checks.caller import Call, Exchange, json_or_none
from forebay_cli.checks.deployment import Deployment, TemporaryKey
from forebay_cli.checks.finding import CheckFailed, Finding, NotChecked, passed
from forebay_cli.output import CommandFailed

PREFERRED_MODEL = "scripted"
"""Answers for free, and steadily."""

HONOURED_WITHIN_S = 5.0
"""A new key's first read may come from a replica that has not got it yet; usually at once."""

POLL_S = 0.25


def check_key(deployment: Deployment) -> Finding:
    """A key that is made is honoured, and opens a model."""
    match deployment.admin.create_key({"name": deployment.key_name}):
        case {"id": str(key_id), "secret": str(secret)}:
            deployment.key = TemporaryKey(key_id, secret)
        case _:
            raise CheckFailed("the admin API made a key and did not give its id and secret")
    made_s = deployment.clock.now()
    listed = _list_models(deployment, secret, until_s=made_s + HONOURED_WITHIN_S)
    lag_ms = round((deployment.clock.now() - made_s) * 1000)
    deployment.model = _choose(_names(listed), deployment.wanted.model)
    return passed(
        f"{deployment.key_name} ({key_id}) was honoured after {lag_ms} ms; "
        f"the model to call is {deployment.model}",
        lag_ms=lag_ms,
        model=deployment.model,
    )


def revoke_key(deployment: Deployment) -> Finding:
    """The temporary key is revoked; also one whose making was asked for and never confirmed."""
    name = deployment.key_name
    try:
        deployment.admin.revoke_key(deployment.key.id if deployment.key else name)
    except CommandFailed as fault:
        if deployment.key is None:
            raise NotChecked("there was no key to revoke") from fault
        raise CheckFailed(f"revoke it yourself: `forebay keys revoke {name}` ({fault})") from fault
    return passed(f"{name} is revoked")


def check_bad_keys(deployment: Deployment) -> Finding:
    """A call without a key, and with a key that is none, is refused in OpenAI's shape."""
    bad_keys = {
        "no key": None,
        "a malformed key": "fb-doctor",
        # Well-formed, so that the store is asked.
        "an unknown key": mint(secrets.token_bytes(ENTROPY_BYTES)).text,
    }
    for which, secret in bad_keys.items():
        exchange = deployment.caller.exchange(Call("GET", "/models", secret=secret))
        expect_openai_error(exchange, 401, which)
    return passed(f"{', '.join(bad_keys)}: each 401 in OpenAI's error shape")


def check_admin(deployment: Deployment) -> Finding:
    """The admin API refuses whoever does not sign, a gateway key included."""
    secret = deployment.key.secret if deployment.key else "fb-doctor"
    calls = {
        "an unsigned call": Call("GET", "/admin/keys"),
        "a gateway key": Call("GET", "/admin/keys", secret=secret),
    }
    for which, call in calls.items():
        status = deployment.caller.exchange(call).status
        if 200 <= status < 300:
            raise CheckFailed(
                f"{which} was answered with status {status}: ANYBODY MAY MAKE KEYS. "
                "Take the stack down, and look at the routes' AWS_IAM authorization",
                status=status,
            )
        if status not in {401, 403}:
            raise CheckFailed(f"{which} got status {status}, not 403", status=status)
    return passed(f"{', '.join(calls)}: refused")


def expect_openai_error(exchange: Exchange, status: int, which: str) -> None:
    """See that a call was refused as OpenAI refuses.

    Args:
        exchange: The call.
        status: What it must have been answered with.
        which: Names the call in the message.

    Raises:
        CheckFailed: It is another status, or not OpenAI's error shape.
    """
    excerpt = exchange.body[:160].decode(errors="replace")
    if exchange.status != status:
        raise CheckFailed(f"{which} got status {exchange.status}, not {status}: {excerpt}")
    match json_or_none(exchange.body):
        case {"error": {"message": str(), "type": str(), "param": _, "code": _}}:
            return
        case _:
            raise CheckFailed(
                f"{which} got status {status} without OpenAI's error shape, so an SDK cannot "
                f"name the reason: {excerpt}"
            )


def _list_models(deployment: Deployment, secret: str, *, until_s: float) -> Exchange:
    while True:
        exchange = deployment.caller.exchange(Call("GET", "/models", secret=secret))
        if exchange.status != 401 or deployment.clock.now() > until_s:
            break
        deployment.clock.sleep(POLL_S)
    if exchange.status != 200:
        excerpt = exchange.body[:160].decode(errors="replace")
        raise CheckFailed(f"GET /models with a new key got status {exchange.status}: {excerpt}")
    return exchange


def _names(listed: Exchange) -> list[str]:
    match json_or_none(listed.body):
        case {"data": list(cards)}:
            return [str(card["id"]) for card in cards if isinstance(card, dict) and "id" in card]
        case _:
            raise CheckFailed("GET /models gave no list of models: it is no Forebay")


def _choose(names: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in names:
        known = ", ".join(names[:20]) or "none"
        raise CheckFailed(f"there is no model {wanted}; there are: {known}")
    if not names:
        raise CheckFailed("there is no model: does gateway.toml name one, and is its secret set?")
    return wanted or (PREFERRED_MODEL if PREFERRED_MODEL in names else names[0])

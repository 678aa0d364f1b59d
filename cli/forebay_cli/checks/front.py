"""What stands before the gateway (API Gateway, or the local front): TLS, headers, limits."""

from __future__ import annotations

from forebay_cli.checks.access import expect_openai_error
from forebay_cli.checks.caller import Call, Exchange
from forebay_cli.checks.deployment import Deployment
from forebay_cli.checks.finding import CheckFailed, Finding, passed

OUR_HEADERS = ("x-forebay-request-id", "x-request-id")
"""Applications and SDKs read these by name."""

STREAM_HEADERS = ("x-forebay-target", "x-forebay-attempts")
REPORTED_HEADERS = ("www-authenticate", "content-length")
"""API Gateway is known to rename these; nothing relies on them."""

REMAPPED = "x-amzn-remapped-"

BODY_LIMITS = {"Lambda (6 MB)": 6 * 1024 * 1024, "API Gateway (10 MB)": 10 * 1024 * 1024}
"""Bytes. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""

MADE_UP_SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/execute-api/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


def check_reachable(deployment: Deployment) -> Finding:
    """The gateway answers, over TLS, and names the request."""
    exchange = deployment.caller.exchange(Call("GET", "/healthz"))
    took_ms = exchange.ms(exchange.ended_s)
    url = deployment.caller.base_url
    if exchange.status != 200:
        excerpt = exchange.body[:160].decode(errors="replace")
        raise CheckFailed(f"{url}/healthz gave status {exchange.status}: {excerpt}")
    if exchange.tls is None and not deployment.is_local:
        raise CheckFailed(f"{url} is plain HTTP: keys and prompts travel in the clear")
    if OUR_HEADERS[0] not in exchange.headers:
        raise CheckFailed(f"{url}/healthz has no {OUR_HEADERS[0]}: is it a Forebay?")
    transport = exchange.tls or "plain HTTP, on this machine"
    return passed(
        f"{url} answered in {took_ms} ms ({transport})", took_ms=took_ms, tls=exchange.tls
    )


def check_headers(deployment: Deployment) -> Finding:
    """Our response headers arrive under their own names."""
    refusal = deployment.caller.exchange(Call("GET", "/models"))
    wanted = [(refusal, name) for name in OUR_HEADERS]
    if deployment.answer is not None:
        wanted += [(deployment.answer, name) for name in OUR_HEADERS + STREAM_HEADERS]
    lost = sorted({name for exchange, name in wanted if name not in exchange.headers})
    reported = {name: _arrived_as(refusal, name) for name in REPORTED_HEADERS}
    if lost:
        raise CheckFailed(f"did not arrive under their names: {', '.join(lost)}", **reported)
    arrived = ", ".join(dict.fromkeys(name for _, name in wanted))
    renamed = ", ".join(f"{name} as {found}" for name, found in reported.items())
    return passed(
        f"{arrived} arrive; on a 401 {renamed} (retry-after was not provoked)", **reported
    )


def check_body_limits(deployment: Deployment) -> Finding:
    """A body just over a limit is refused with 413 in OpenAI's shape, not by a cut connection."""
    secret = deployment.require_key().secret
    for whose, limit in BODY_LIMITS.items():
        body = b"{}".ljust(limit + 1)
        call = Call("POST", "/chat/completions", secret=secret, content=body)
        exchange = deployment.caller.exchange(call)
        expect_openai_error(exchange, 413, f"a body one byte over the limit of {whose}")
    return passed(f"one byte over the limits of {', '.join(BODY_LIMITS)}: 413 in OpenAI's shape")


def check_gateway_responses(deployment: Deployment) -> Finding:
    """What API Gateway answers by itself has OpenAI's shape too."""
    calls = {
        "an unsigned admin call": Call("GET", "/admin/keys"),
        "a made-up signature": Call("GET", "/admin/keys", authorization=MADE_UP_SIGNATURE),
    }
    for which, call in calls.items():
        expect_openai_error(deployment.caller.exchange(call), 403, which)
    return passed(f"{', '.join(calls)}: each 403 in OpenAI's error shape")


def _arrived_as(exchange: Exchange, name: str) -> str:
    found = [heard for heard in (name, REMAPPED + name) if heard in exchange.headers]
    return found[0] if found else "nothing"

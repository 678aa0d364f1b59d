"""The invocation as headers tell it, and as handlers see it."""

from __future__ import annotations

import asyncio
import json

import pytest

from lambda_streaming import current_context, current_trace_id
from lambda_streaming.context import LambdaContext
from lambda_streaming.errors import RuntimeFault
from lambda_streaming.http1 import Response
from lambda_streaming.invocation import Invocation

HEADERS = {
    "lambda-runtime-aws-request-id": "r-1",
    "lambda-runtime-deadline-ms": "100500",
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-west-1:1:function:f",
}


def invocation(**headers: str) -> Invocation:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Invocation.of(Response(200, HEADERS | given, b"{}", keep_alive=True))


def context(now: float = 0.0, **headers: str) -> LambdaContext:
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    return LambdaContext(invocation(**headers), environ, lambda: now)


@pytest.mark.parametrize(("now", "left_ms"), [(100.0, 500), (100.4999, 0), (101.0, 0)])
def test_the_remaining_time_is_milliseconds_and_never_negative(now: float, left_ms: int) -> None:
    assert context(now).get_remaining_time_in_millis() == left_ms


def test_a_context_has_what_the_managed_runtimes_has() -> None:
    seen = context(lambda_runtime_aws_tenant_id="t-1", lambda_runtime_trace_id="Root=1")
    assert (seen.aws_request_id, seen.function_name) == ("r-1", "f")
    assert (seen.memory_limit_in_mb, seen.function_version) == ("512", None)
    assert seen.invoked_function_arn.endswith(":f")
    assert (seen.tenant_id, seen.trace_id) == ("t-1", "Root=1")
    assert (seen.client_context, seen.identity.cognito_identity_id) == (None, None)


def test_client_context_and_identity_are_objects() -> None:
    client = {"client": {"app_title": "phone"}, "custom": {"a": 1}, "env": {}}
    identity = {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}
    seen = context(
        lambda_runtime_client_context=json.dumps(client),
        lambda_runtime_cognito_identity=json.dumps(identity),
    )
    assert seen.client_context is not None
    assert seen.client_context.client.app_title == "phone"
    assert seen.client_context.client.app_version_code is None
    assert seen.client_context.custom == {"a": 1}
    assert seen.identity.cognito_identity_pool_id == "p"


@pytest.mark.parametrize("header", ["{", "[]", "1"])
def test_a_client_context_that_is_no_object_is_refused(header: str) -> None:
    with pytest.raises(RuntimeFault, match="client context"):
        context(lambda_runtime_client_context=header)


def test_each_task_sees_its_own_invocation() -> None:
    async def enter(trace_id: str, both_in: asyncio.Barrier) -> str | None:
        context(lambda_runtime_trace_id=trace_id).enter()
        await both_in.wait()
        return current_trace_id()

    async def main() -> list[str | None]:
        barrier = asyncio.Barrier(2)
        return list(await asyncio.gather(enter("Root=1", barrier), enter("Root=2", barrier)))

    assert asyncio.run(main()) == ["Root=1", "Root=2"]
    assert current_context() is None
    assert current_trace_id() is None


@pytest.mark.parametrize("missing", ["lambda-runtime-aws-request-id", "lambda-runtime-deadline-ms"])
def test_an_invocation_without_id_or_deadline_is_no_invocation(missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    with pytest.raises(ConnectionError, match="without a valid header"):
        Invocation.of(Response(200, headers, b"{}", keep_alive=True))


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b"{} {}"])
def test_a_payload_that_is_no_json_is_refused(payload: bytes) -> None:
    response = Response(200, HEADERS, payload, keep_alive=True)
    with pytest.raises(RuntimeFault) as caught:
        Invocation.of(response).event()
    assert caught.value.error_type == "Runtime.UnmarshalError"

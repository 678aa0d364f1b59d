"""The context object that handlers and apps get, shaped like the managed runtime's.

The trace id lives in a context variable: with several invocations at a time in one process the
environment variable `_X_AMZN_TRACE_ID` could only name one of them.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambda_streaming.invocation import Invocation

_current: ContextVar[LambdaContext | None] = ContextVar("lambda_context", default=None)


class LambdaContext:
    """One invocation, seen from the function.

    Attributes are those of the managed runtime, and `trace_id`. Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(
        self, invocation: Invocation, environ: Mapping[str, str], wall: Callable[[], float]
    ) -> None:
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.function_arn
        self.tenant_id = invocation.tenant_id
        self.trace_id = invocation.trace_id
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.client_context = _client_context(invocation.client_context)
        self.identity = _identity(invocation.cognito_identity)
        self._deadline = invocation.deadline
        self._wall = wall

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation; never negative."""
        return max(0, int((self._deadline - self._wall()) * 1000))

    def enter(self) -> None:
        """Make this the current invocation of the running task and of the tasks it starts."""
        _current.set(self)


def current_context() -> LambdaContext | None:
    """The invocation that the calling task belongs to; None during init and shutdown."""
    return _current.get()


def current_trace_id() -> str | None:
    """The X-Ray trace header of the invocation that the calling task belongs to."""
    context = _current.get()
    return None if context is None else context.trace_id


def _client_context(header: str | None) -> SimpleNamespace | None:
    fields = _object(header, "client context")
    if fields is None:
        return None
    client = fields.get("client")
    names = ("installation_id", "app_title", "app_version_name", "app_version_code")
    return SimpleNamespace(
        custom=fields.get("custom"),
        env=fields.get("env"),
        client=_namespace(client, (*names, "app_package_name")) if client else None,
    )


def _identity(header: str | None) -> SimpleNamespace:
    fields = _object(header, "Cognito identity") or {}
    return SimpleNamespace(
        cognito_identity_id=fields.get("cognitoIdentityId"),
        cognito_identity_pool_id=fields.get("cognitoIdentityPoolId"),
    )


def _namespace(fields: Mapping[str, Any], names: tuple[str, ...]) -> SimpleNamespace:
    return SimpleNamespace(**{name: fields.get(name) for name in names})


def _object(header: str | None, name: str) -> dict[str, Any] | None:
    if not header:
        return None
    try:
        fields = json.loads(header)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise RuntimeFault("Runtime.LambdaContextUnmarshalError", f"the {name} is no JSON object")
    return fields

"""One invocation as `/next` hands it over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from lambda_streaming.http1 import Response


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the Runtime API tells of one invocation.

    Attributes:
        request_id: Lambda's id of the request; part of the paths that answer it.
        invocation_id: echoed on the answer where given, so that a late answer can be told from the
            current one (the Runtime API refuses it with 410).
        deadline: epoch seconds at which Lambda ends the invocation.
        payload: the event, JSON.
    """

    request_id: str
    invocation_id: str | None
    deadline: float
    function_arn: str
    trace_id: str | None
    tenant_id: str | None
    client_context: str | None
    cognito_identity: str | None
    payload: bytes

    @classmethod
    def of(cls, response: Response) -> Invocation:
        """Read the headers and body of a response to `/next`.

        Raises:
            ConnectionError: it has no request id or no deadline, so it can be neither answered nor
                bounded: not the Runtime API.
        """
        headers = response.headers
        try:
            request_id = headers["lambda-runtime-aws-request-id"]
            deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        except (KeyError, ValueError) as error:
            raise ConnectionError(f"/next without a valid header: {error}") from error
        return cls(
            request_id=request_id,
            invocation_id=headers.get("lambda-runtime-invocation-id"),
            deadline=deadline_ms / 1000,
            function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
            trace_id=headers.get("lambda-runtime-trace-id"),
            tenant_id=headers.get("lambda-runtime-aws-tenant-id"),
            client_context=headers.get("lambda-runtime-client-context"),
            cognito_identity=headers.get("lambda-runtime-cognito-identity"),
            payload=response.body,
        )

    def event(self) -> Any:
        """Parse the payload.

        Raises:
            RuntimeFault: it is no JSON.
        """
        try:
            return json.loads(self.payload)
        except ValueError as error:  # UnicodeDecodeError is one too
            raise RuntimeFault("Runtime.UnmarshalError", f"the event is no JSON: {error}") from None

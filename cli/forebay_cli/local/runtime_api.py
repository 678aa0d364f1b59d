"""Lambda's Runtime API (2018-06-01), the side that Lambda has: one port for each sandbox.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and the custom runtime's
page on response streaming (trailers, `Lambda-Runtime-Function-Response-Mode`).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from typing_extensions import override

from forebay_cli.local.connection import HttpConnection
from forebay_cli.local.http1 import End, ParseError, Request, response_head
from forebay_cli.local.invocation import Failure, Invocation

PREFIX: Final = "/2018-06-01/runtime/"
MAX_HEAD_BYTES: Final = 2 * 1024 * 1024  # an X-Ray cause in a header may take 1 MB
MAX_ERROR_BYTES: Final = 256 * 1024
MAX_BUFFERED_BYTES: Final = 6 * 1024 * 1024  # of an answer that is not streamed
MAX_STREAMED_BYTES: Final = 200 * 1024 * 1024

ERROR_TYPE: Final = "lambda-runtime-function-error-type"
ERROR_BODY: Final = "lambda-runtime-function-error-body"


class RuntimeHost(Protocol):
    """What a runtime's requests mean to the sandbox that it runs in."""

    def polled(self, connection: "RuntimeConnection") -> None:
        """Hand over an event by `connection.send_event`, now or when there is one."""

    def poll_lost(self, connection: "RuntimeConnection") -> None:
        """Forget a poll whose connection is gone."""

    def claim(self, request_id: str, invocation_id: str | None) -> Invocation | None:
        """The invocation that a response is for; None if it is stale."""

    def completed(self, invocation: Invocation, failure: Failure | None) -> None:
        """Know that the response is over."""

    def init_failed(self, failure: Failure) -> None:
        """Know that the function could not be loaded."""


class RuntimeConnection(HttpConnection):
    """One connection from a runtime."""

    def __init__(self, host: RuntimeHost) -> None:
        super().__init__(MAX_HEAD_BYTES)
        self._host = host
        self._action = ""
        self._body = bytearray()
        self._invocation: Invocation | None = None
        self._limit_bytes = 0
        self._polling = False

    def send_event(self, invocation: Invocation, headers: Mapping[str, str]) -> None:
        """Answer the poll that waits on this connection."""
        self._polling = False
        self._answer(200, invocation.payload, headers)

    @override
    def on_request(self, request: Request) -> None:
        self._body.clear()
        self._invocation = None
        path = request.target.partition("?")[0]
        if not path.startswith(PREFIX):
            self._action = "unknown"
            return
        parts = path.removeprefix(PREFIX).split("/")
        if parts[0] == "invocation" and len(parts) == 3 and request.method == "POST":
            self._action = parts[2]
            self._begin_answer(parts[1], request)
        else:
            self._action = f"{request.method} {'/'.join(parts)}"

    def _begin_answer(self, request_id: str, request: Request) -> None:
        invocation = self._host.claim(request_id, request.header("lambda-runtime-invocation-id"))
        self._invocation = invocation
        if invocation is None or self._action != "response":
            return
        streaming = request.header("lambda-runtime-function-response-mode") == "streaming"
        self._limit_bytes = MAX_STREAMED_BYTES if streaming else MAX_BUFFERED_BYTES
        invocation.respond_from(self.transport)

    @override
    def on_data(self, data: bytes) -> None:
        if self._action != "response":
            if len(self._body) < MAX_ERROR_BYTES:
                self._body += data
        elif self._invocation is not None:
            self._limit_bytes -= len(data)
            if self._limit_bytes < 0:
                limit = Failure("Function.ResponseSizeTooLarge", "The response is over the limit.")
                self._complete(limit)
            else:
                self._invocation.sink.chunk(data)

    @override
    def on_end(self, end: End) -> None:
        match self._action:
            case "GET invocation/next":
                self._polling = True
                self._host.polled(self)
            case "response":
                known = self._invocation is not None
                self._complete(_trailer_failure(end.trailers))
                self._answer(202 if known else 410, _STATUS_OK if known else _GONE)
            case "error":
                known = self._invocation is not None
                self._complete(_error_failure(bytes(self._body)))
                self._answer(202 if known else 410, _STATUS_OK if known else _GONE)
            case "POST init/error":
                self._host.init_failed(_error_failure(bytes(self._body)))
                self._answer(202, _STATUS_OK)
            case _:
                self._answer(404, b'{"errorType":"NotFound"}')

    @override
    def on_malformed(self, error: ParseError) -> None:
        self._complete(Failure("Runtime.InvalidResponse", str(error)))
        self._answer(error.status, json.dumps({"errorMessage": str(error)}).encode())

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._polling:
            self._host.poll_lost(self)
        # A response that breaks off is a cut answer: without this it would look complete.
        self._complete(Failure("Runtime.TruncatedResponse", "The response broke off."))

    def _complete(self, failure: Failure | None) -> None:
        invocation, self._invocation = self._invocation, None
        if invocation is not None:
            self._host.completed(invocation, failure)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self.transport.write(response_head(status, (fields | dict(headers or {})).items()) + body)
        self.answered()


_STATUS_OK: Final = b'{"status":"OK"}'
_GONE: Final = b'{"errorType":"Gone","errorMessage":"This invocation is over."}'


def _trailer_failure(trailers: Mapping[str, str]) -> Failure | None:
    kind = trailers.get(ERROR_TYPE)
    if kind is None:
        return None
    try:
        body = base64.b64decode(trailers.get(ERROR_BODY, ""), validate=True)
    except binascii.Error:
        body = b""
    return Failure(kind, _error_failure(body).message)


def _error_failure(body: bytes) -> Failure:
    """Read a runtime's error report; what cannot be read is shown as it came."""
    try:
        report: Any = json.loads(body)
        trace = "\n".join(str(line).rstrip() for line in report.get("stackTrace") or [])
        message = str(report.get("errorMessage", ""))
        kind = str(report.get("errorType") or "Unhandled")
    except (ValueError, AttributeError, TypeError):
        return Failure("Unhandled", body[:2000].decode("utf-8", "replace"))
    return Failure(kind, f"{message}\n{trace}" if trace else message)

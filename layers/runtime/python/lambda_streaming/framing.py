"""The bytes of the Runtime API and of a streamed answer: pure, no socket.

A streamed answer is one chunked POST. Its body begins with the prelude, JSON that API Gateway turns
into status and headers, then eight NUL bytes, then the app's bytes. A failure after the first byte
can only be told in trailers, which have to be declared in the head.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
and https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from lambda_streaming.errors import ErrorReport, RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

API = "/2018-06-01/runtime"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
STREAM_HEADERS = {
    "Content-Type": "application/vnd.awslambda.http-integration-response",
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    "Transfer-Encoding": "chunked",
    "Trailer": f"{ERROR_TYPE}, {ERROR_BODY}",
    # Lambda asks for it: the connection of a streamed response is not used again.
    "Connection": "close",
}

DELIMITER = bytes(8)
MAX_PRELUDE_BYTES = 16_384
LAST_CHUNK = b"0\r\n\r\n"

# They describe one connection, not the answer (RFC 9110, 7.6.1); API Gateway has its own.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)


def request_head(method: str, target: str, host: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request to the Runtime API.

    Values are reduced to printable ASCII: an exception's class may be named in any alphabet.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {_printable(value)}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """ASGI's headers as API Gateway's `headers` and `multiValueHeaders`.

    A REST API takes both, and adds them up. What occurs once goes into `headers`; what occurs more
    often, and `set-cookie` always, into `multiValueHeaders`. The prelude's `cookies` field is not
    used: buffered REST answers do not know it, and one way for both is simpler to trust.
    """
    values: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if name not in _HOP_BY_HOP:
            values.setdefault(name, []).append(raw_value.decode("latin-1"))
    multi = {name for name, many in values.items() if len(many) > 1 or name == "set-cookie"}
    return {
        "headers": {name: many[0] for name, many in values.items() if name not in multi},
        "multiValueHeaders": {name: many for name, many in values.items() if name in multi},
    }


def prelude(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The first bytes of a streamed body: JSON and eight NUL bytes.

    Raises:
        RuntimeFault: over 16 KB; API Gateway would answer 502 without a reason.
    """
    fields = {"statusCode": status, **response_headers(headers)}
    data = json.dumps(fields, separators=(",", ":")).encode("ascii") + DELIMITER
    if len(data) > MAX_PRELUDE_BYTES:
        raise RuntimeFault(
            "Runtime.ResponseHeadersTooLarge",
            f"status and headers take {len(data)} bytes of JSON, API Gateway reads "
            f"{MAX_PRELUDE_BYTES}",
        )
    return data


def chunk(data: bytes) -> bytes:
    """One chunk; `data` must not be empty (that would end the body)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(error: ErrorReport | None) -> bytes:
    """The end of a chunked body, with the trailers that tell of a failure, if there was one."""
    if error is None:
        return LAST_CHUNK
    body = base64.b64encode(error.to_json()).decode("ascii")
    trailers = f"{ERROR_TYPE}: {_printable(error.error_type)}\r\n{ERROR_BODY}: {body}\r\n"
    return b"0\r\n" + trailers.encode("ascii") + b"\r\n"


def buffered(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A whole answer as API Gateway's proxy integration wants it.

    Bytes that are no UTF-8 go as base64; the API decodes them where `BinaryMediaTypes` match.
    """
    try:
        text, is_base64 = body.decode(), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode("ascii"), True
    fields = {"statusCode": status, **response_headers(headers)}
    return json.dumps(fields | {"body": text, "isBase64Encoded": is_base64}).encode("ascii")


def ends_event(tail: bytes) -> bool:
    r"""Whether server-sent events that end in `tail` (their last 3 bytes) are between two events.

    A blank line ends an event; lines end in LF, CR or CRLF. `\n\r` is left out: it may be the first
    half of a CRLF that follows.
    """
    return not tail or tail.endswith((b"\n\n", b"\n\r\n", b"\r\r", b"\r\r\n"))


def _printable(value: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in value)

"""What a function answers with, turned into the head of an HTTP response. Pure.

Streamed: a JSON prelude, 8 NUL bytes, the body. Buffered: one JSON object with the body in it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from forebay_cli.local.http1 import TOKEN

DELIMITER: Final = b"\0" * 8
MAX_PRELUDE_BYTES: Final = 16 * 1024

# The front frames the body itself, and these are about one connection only.
HOP_BY_HOP: Final = frozenset({"keep-alive", "proxy-connection", "te", "trailer",
                               "transfer-encoding", "upgrade"})  # fmt: skip
# API Gateway sets these itself and passes a function's own on under another name, see "important
# notes": https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
REMAPPED: Final = frozenset({"authorization", "connection", "content-length", "date",
                             "server", "www-authenticate"})  # fmt: skip

Headers = list[tuple[str, str]]


class MalformedError(Exception):
    """The function's answer is not in the shape that API Gateway asks for: 502."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer, headers as the client shall see them."""

    status: int
    headers: Headers


def split_prelude(data: bytes | bytearray) -> tuple[Head, bytes] | None:
    """Return the head and the part of the body behind it; None if more bytes are needed.

    Raises:
        MalformedError: no delimiter within 16 KB, or the prelude is not what it should be.
    """
    end = data.find(DELIMITER, 0, MAX_PRELUDE_BYTES)
    if end < 0:
        if len(data) >= MAX_PRELUDE_BYTES:
            raise MalformedError("There is no prelude in the first 16 KB of the answer.")
        return None
    return _head(_object(bytes(data[:end]))), bytes(data[end + len(DELIMITER) :])


def read_buffered(data: bytes) -> tuple[Head, bytes]:
    """Return head and body of a buffered answer.

    Raises:
        MalformedError: it is not the object that a Lambda proxy integration returns.
    """
    answer = _object(data)
    head = _head(answer)
    if not any(name.lower() == "content-type" for name, _ in head.headers):
        head.headers.append(("Content-Type", "application/json"))
    body = answer.get("body")
    if body is None:
        return head, b""
    if not isinstance(body, str):
        raise MalformedError("`body` is not a string.")
    if not answer.get("isBase64Encoded"):
        return head, body.encode("utf-8", "replace")
    try:
        return head, base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedError("`body` is not base64.") from error


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer: Any = json.loads(data)
    except ValueError as error:
        raise MalformedError("The answer is not JSON.") from error
    if not isinstance(answer, dict):
        raise MalformedError("The answer is not a JSON object.")
    return answer


def _head(answer: dict[str, Any]) -> Head:
    try:
        status = int(answer["statusCode"])
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedError("`statusCode` is not a number.") from error
    if not 200 <= status <= 599:
        raise MalformedError(f"`statusCode` {status} is not a final status.")
    return Head(status, [*_headers(answer)])


def _headers(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    single = answer.get("headers") or {}
    multiple = answer.get("multiValueHeaders") or {}
    cookies = answer.get("cookies") or []
    if not (isinstance(single, dict) and isinstance(multiple, dict) and isinstance(cookies, list)):
        raise MalformedError("`headers` is not an object.")
    # A name that is in both counts once, with the values of the list.
    listed = {name.lower() for name in multiple}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in listed]
    for name, values in multiple.items():
        pairs += [(name, value) for value in (values if isinstance(values, list) else [values])]
    for name, value in [*pairs, *(("Set-Cookie", cookie) for cookie in cookies)]:
        if not TOKEN.fullmatch(name) or isinstance(value, dict | list) or value is None:
            raise MalformedError(f"The header {name!r} is not one.")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if name.lower() in REMAPPED:
            yield f"x-amzn-Remapped-{name}", text
        elif name.lower() not in HOP_BY_HOP:
            yield name, text

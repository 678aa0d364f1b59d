"""What every route needs of a request: its id, its body, its key."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive, Scope

from forebay.errors import PayloadTooLarge
from forebay.settings import MAX_REQUEST_BODY_BYTES


def header(scope: Scope, name: bytes) -> str | None:
    """Read a header; the first one if it is repeated."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def headers(scope: Scope) -> Mapping[str, str]:
    """Read all headers, names in lower case; values of a repeated one as a list of theirs."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def presented_key(scope: Scope) -> str | None:
    """Read the caller's key as OpenAI's SDKs send it, or as Anthropic's do; None without one."""
    kind, _, secret = (header(scope, b"authorization") or "").partition(" ")
    if kind.lower() == "bearer":
        return secret.strip()
    return header(scope, b"x-api-key")


def source_ip(scope: Scope) -> str | None:
    """Read where a request comes from: as API Gateway saw it, else the peer; None if unknown.

    Never from a header: whoever calls writes those.
    """
    event = scope.get("aws.event")
    if event is not None:
        seen: str | None = event.get("requestContext", {}).get("identity", {}).get("sourceIp")
        return seen
    client = scope.get("client")
    return client[0] if client else None


def invocation_end(scope: Scope) -> float | None:
    """Read when the invocation ends, in epoch seconds; None outside of Lambda."""
    end: float | None = scope.get("extensions", {}).get("lambda", {}).get("deadline")
    return end


async def read_body(receive: Receive) -> bytes:
    """Read the whole body.

    Raises:
        PayloadTooLarge: It is over `MAX_REQUEST_BODY_BYTES`.
        ConnectionResetError: The caller went away in the middle of it.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the request's body did not arrive whole")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_REQUEST_BODY_BYTES:
            raise PayloadTooLarge(f"The body is over {MAX_REQUEST_BODY_BYTES} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)

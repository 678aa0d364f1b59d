"""API Gateway's REST `proxy` event as an ASGI HTTP scope and body: pure.

The path is `/` + stage + the resource's template with its parameters filled in: the same behind the
default domain and behind a custom one, with or without a base path. (`path` and
`requestContext.path` are what the caller wrote, so they change with the domain.)

A REST API hands path parameters over as the caller wrote them, percent-encoded; so `%2F` inside a
segment stays `%2F` in `raw_path`, and is `/` in `path`, which ASGI wants decoded: a route that
takes such a value must use a path converter (`{model:path}`) or read `raw_path`. If it comes
decoded all the same (local emulators, HTTP APIs), what cannot stand in an encoded path is encoded
again; what cannot be told apart is taken for encoded.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
("Input format"), https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARAMETER = re.compile(r"\{([^{}+]+)\+?\}")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

# What may stand in an encoded path as it is (RFC 3986, 3.3: pchar and "/"), and "%", see above.
_PATH_SAFE = "/:@!$&'()*+,;=-._~%"


def http_scope(event: Any) -> dict[str, Any]:
    """Build the scope, without the parts that the runtime knows (state, extensions, context).

    Raises:
        RuntimeFault: this is no REST proxy event.
    """
    if not isinstance(event, dict) or "httpMethod" not in event or "resource" not in event:
        raise _unsupported("no API Gateway REST proxy event (payload format 1.0)")
    request = _mapping(event, "requestContext")
    headers = _headers(event)
    by_name = dict(headers)
    raw_path = _raw_path(event, request)
    scheme = by_name.get(b"x-forwarded-proto", b"https").decode("latin-1")
    host = by_name.get(b"host", b"").decode("latin-1")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": str(request.get("protocol") or "HTTP/1.1").rpartition("/")[2],
        "method": str(event["httpMethod"]).upper(),
        "scheme": scheme if scheme in {"http", "https"} else "https",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("ascii"),
        "root_path": "",
        "query_string": _query(event),
        "headers": headers,
        "client": (str(_mapping(request, "identity").get("sourceIp") or ""), 0),
        "server": (str(request.get("domainName") or host), 443),
    }


def http_body(event: Mapping[str, Any]) -> bytes:
    """The request's body; base64 where the event says so.

    Raises:
        RuntimeFault: the body is no string, or no base64 although the event says so.
    """
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _unsupported("the event's body is no string")
    if not event.get("isBase64Encoded"):
        # JSON can carry half of a surrogate pair; the app, not we, refuses what is no UTF-8 then.
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unsupported(f"the event's body is no base64: {error}") from None


def _raw_path(event: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    parameters = _mapping(event, "pathParameters")
    resource = str(event["resource"])
    missing = [name for name in _PARAMETER.findall(resource) if name not in parameters]
    if missing:
        raise _unsupported(f"no value for {missing} of resource {resource!r}")
    # A function, not a template: a value may contain backslashes and braces.
    filled = _PARAMETER.sub(lambda match: str(parameters[match[1]]), resource)
    stage = str(request.get("stage") or "")
    path = (f"/{stage}" if stage else "") + "/" + filled.lstrip("/")
    return quote(_BARE_PERCENT.sub("%25", path), safe=_PATH_SAFE, errors="replace")


def _query(event: Mapping[str, Any]) -> bytes:
    # The event's values are decoded, so they are encoded once more for the app to decode.
    pairs = list(_pairs(event, "multiValueQueryStringParameters", "queryStringParameters"))
    return urlencode(pairs, errors="replace").encode("ascii")


def _headers(event: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    pairs = [
        (_latin1(name.lower()), _latin1(value))
        for name, value in _pairs(event, "multiValueHeaders", "headers")
    ]
    cookies = [value for name, value in pairs if name == b"cookie"]
    if len(cookies) > 1:  # HTTP/2 may split them; ASGI wants one (RFC 9113, 8.2.3)
        pairs = [pair for pair in pairs if pair[0] != b"cookie"]
        pairs.append((b"cookie", b"; ".join(cookies)))
    return pairs


def _pairs(event: Mapping[str, Any], multi: str, single: str) -> Iterator[tuple[str, str]]:
    for name, values in _mapping(event, multi).items():
        for value in values if isinstance(values, list) else [values]:
            yield name, "" if value is None else str(value)
    if not event.get(multi):
        for name, value in _mapping(event, single).items():
            yield name, "" if value is None else str(value)


def _mapping(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unsupported(f"the event's {name} is no object")
    return value


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _unsupported(message: str) -> RuntimeFault:
    return RuntimeFault("Runtime.UnsupportedEvent", message)

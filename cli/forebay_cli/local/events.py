"""The event that a REST API's Lambda proxy integration gives a function. Pure.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from forebay_cli.local.http1 import Request
from forebay_cli.local.resolve import ACCOUNT
from forebay_cli.local.routes import Api, Route

API_ID: Final = "local"
# Of the connection, not of the request; the body's framing is not the function's business either.
DROPPED: Final = frozenset({
    "connection", "content-length", "expect", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it reached the front.

    Attributes:
        path: below the stage, beginning with `/`, percent-encoded as the caller sent it.
        query: without the `?`.
        client: address and port of the caller's socket.
        access_key: of the identity that signed it; empty if it need not be signed.
        time_s: seconds since the epoch.
    """

    request: Request
    route: Route
    parameters: Mapping[str, str]
    path: str
    query: str
    body: bytes
    client: tuple[str, int]
    request_id: str
    access_key: str
    time_s: float


def build_event(api: Api, arrival: Arrival) -> bytes:
    """Return the event, JSON in UTF-8.

    Of a repeated header or query name `headers` keeps the last value, `multiValueHeaders` all.
    """
    headers = [pair for pair in arrival.request.headers if pair[0].lower() not in DROPPED]
    headers += [
        ("X-Amzn-Trace-Id", f"Root=1-{arrival.request_id[:8]}-{arrival.request_id[9:]}"),
        ("X-Forwarded-For", arrival.client[0]),
        ("X-Forwarded-Port", str(arrival.client[1])),
        ("X-Forwarded-Proto", "http"),
    ]
    query = parse_qsl(arrival.query, keep_blank_values=True)
    binary = bool(arrival.body) and api.is_binary(arrival.request.header("content-type") or "")
    event = {
        "resource": arrival.route.resource,
        "path": arrival.path,
        "httpMethod": arrival.request.method,
        "headers": dict(headers),
        "multiValueHeaders": _grouped(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _grouped(query) or None,
        "pathParameters": dict(arrival.parameters) or None,
        "stageVariables": None,
        "requestContext": _context(api, arrival),
        "body": _body(arrival.body, binary=binary),
        "isBase64Encoded": binary,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _body(body: bytes, *, binary: bool) -> str | None:
    if not body:
        return None
    if binary:
        return base64.b64encode(body).decode("ascii")
    return body.decode("utf-8", "replace")  # API Gateway, too, mangles what is not text


def _context(api: Api, arrival: Arrival) -> dict[str, Any]:
    when = dt.datetime.fromtimestamp(arrival.time_s, dt.UTC)
    host = arrival.request.header("host") or ""
    key = arrival.access_key or None
    return {
        "resourceId": API_ID,
        "resourcePath": arrival.route.resource,
        "httpMethod": arrival.request.method,
        "requestId": arrival.request_id,
        "extendedRequestId": arrival.request_id,
        "requestTime": when.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(arrival.time_s * 1000),
        "path": f"/{api.stage}{arrival.path}",
        "protocol": f"HTTP/{arrival.request.version}",
        "stage": api.stage,
        "apiId": API_ID,
        "accountId": ACCOUNT,
        "domainName": host.rpartition(":")[0] or host,
        "domainPrefix": host.partition(".")[0].partition(":")[0],
        "identity": {
            "accessKey": key,
            "accountId": ACCOUNT if key else None,
            "apiKey": None,
            "caller": key,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": arrival.client[0],
            "user": key,
            "userAgent": arrival.request.header("user-agent"),
            "userArn": f"arn:aws:iam::{ACCOUNT}:user/local" if key else None,
        },
    }

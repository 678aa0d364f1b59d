"""The admin API: keys and usage, for operators.

::

    POST   /v1/admin/keys            create a key; the only reply that holds a secret
    GET    /v1/admin/keys            list
    GET    /v1/admin/keys/{key}      show, by id or name
    DELETE /v1/admin/keys/{key}      revoke
    GET    /v1/admin/usage           add the ledger up

Who may call is decided before the function is asked: API Gateway checks the signature (AWS_IAM).
What they did is logged with their ARN. `docs/reference/admin-api.md` has the wire shapes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext
from typing_extensions import override

from forebay.errors import ForebayError, InvalidRequest, NotFound, PayloadTooLarge
from forebay.model import KeyRecord
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.usage import GroupBy, Report, UsageQuery, UsageReport
from forebay.web.errors import http_error

MAX_BODY_BYTES = 65_536
"""Twice what the largest valid key takes: 100 model names of 256 characters."""

_USAGE_PARAMETERS = ("from", "to", "by", "key")
_FAULT_PATH = re.compile(r" - at `\$\.?(?P<param>.*)`$")


class AdminResolver(APIGatewayRestResolver):
    """Powertools' resolver, called with the app's path: `/v1/admin/` + the route's `proxy` part.

    `event["path"]` will not do: behind a custom domain it has the base path in front.
    """

    def __init__(self) -> None:
        super().__init__()
        # Powertools keeps the current event on a class: two threads would answer each other.
        self._one_at_a_time = threading.Lock()

    @override
    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one event of the REST API's route `/admin/{proxy+}`."""
        with self._one_at_a_time:
            return super().resolve({**event, "path": _app_path(event)}, context)


def build_resolver(keys: KeyDesk, usage: UsageReport, logger: Logger) -> AdminResolver:
    """Make the admin function's handler: call what is returned with event and context.

    Args:
        keys: Creates, lists, shows and revokes.
        usage: Adds up.
        logger: Gets one line an action: what, which key, by whom; never a secret.
    """
    resolver = AdminResolver()
    _route_keys(resolver, keys, logger)
    _route_usage(resolver, usage)
    _route_errors(resolver, logger)
    return resolver


class CreateKeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/admin/keys`.

    Unknown fields are refused: `modles` instead of `models` would make a key that may call all.
    """

    name: str
    tenant: str = "default"
    team: str | None = None
    models: list[str] | None = None


def _route_keys(resolver: AdminResolver, keys: KeyDesk, logger: Logger) -> None:
    @resolver.post("/v1/admin/keys")
    def create() -> Response[str]:
        body = _read_body(resolver)
        created = keys.create(NewKey(body.name, body.tenant, body.team, body.models))
        log("keys.create", created.record)
        return _reply(201, {**_key(created.record), "secret": created.secret.text})

    @resolver.get("/v1/admin/keys")
    def list_keys() -> Response[str]:
        return _reply(200, {"keys": [_key(record) for record in keys.list()]})

    @resolver.get("/v1/admin/keys/<key>")
    def show(key: str) -> Response[str]:
        return _reply(200, _key(keys.show(unquote(key))))

    @resolver.delete("/v1/admin/keys/<key>")
    def revoke(key: str) -> Response[str]:
        record = keys.revoke(unquote(key))
        log("keys.revoke", record)
        return _reply(200, _key(record))

    def log(action: str, record: KeyRecord) -> None:
        logger.info(
            "admin action", action=action, key_id=record.key_id, caller=_caller_arn(resolver)
        )


def _route_usage(resolver: AdminResolver, usage: UsageReport) -> None:
    @resolver.get("/v1/admin/usage")
    def report() -> Response[str]:
        asked = _read_query(resolver)
        query = UsageQuery(
            first_day=asked.get("from"),
            last_day=asked.get("to"),
            by=_group_by(asked["by"]) if "by" in asked else None,
            key=asked.get("key"),
        )
        return _reply(200, _report(usage.make(query)))


def _route_errors(resolver: AdminResolver, logger: Logger) -> None:
    def refuse(error: ForebayError) -> Response[str]:
        status, headers, body = http_error(error)
        event = resolver.current_event
        logger.warning(
            "admin call refused",
            # Not the whole path: where a name belongs, people paste a secret.
            action=f"{event.http_method} {'/'.join(event.path.split('/')[:4])}",
            code=error.code,
            status=status,
            caller=_caller_arn(resolver),
        )
        return _reply(status, body, headers)

    def no_route(_: NotFoundError) -> Response[str]:
        event = resolver.current_event
        return refuse(NotFound(f"There is no {event.http_method} {event.path[:200]}."))

    resolver.exception_handler(ForebayError)(refuse)
    resolver.not_found(no_route)


def _app_path(event: Mapping[str, Any]) -> str:
    """Name the path below the stage, with the key's name as one encoded segment.

    A name may hold a slash, and fronts differ in whether `proxy` comes percent-decoded. Decode
    what may be encoded, then encode: either way one form arrives.
    """
    proxy = (event.get("pathParameters") or {}).get("proxy") or ""
    collection, _, key = proxy.partition("/")
    encoded = "/" + quote(unquote(key), safe="", errors="replace") if key else ""
    return f"/v1/admin/{collection}{encoded}"


def _read_body(resolver: AdminResolver) -> CreateKeyBody:
    try:
        body = resolver.current_event.decoded_body or ""
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge(f"The body is over {MAX_BODY_BYTES} bytes.")
        return msgspec.json.decode(body, type=CreateKeyBody)
    # In order: not base64, or not UTF-8; not JSON, or other fields and types than the API has;
    # nested too deep.
    except (ValueError, msgspec.DecodeError, RecursionError) as fault:
        place = _FAULT_PATH.search(str(fault))
        raise InvalidRequest(
            f"The body is not what the API defines: {str(fault)[:200]}",
            param=place["param"] if place else None,
        ) from fault


def _read_query(resolver: AdminResolver) -> Mapping[str, str]:
    """Read a usage report's parameters; an unknown or repeated one would be dropped in silence."""
    asked = resolver.current_event.get("multiValueQueryStringParameters") or {}
    for name, values in asked.items():
        if name not in _USAGE_PARAMETERS:
            known = ", ".join(_USAGE_PARAMETERS)
            raise InvalidRequest(
                f"Unknown parameter {name[:64]!r}; there are {known}.", param=name[:64]
            )
        if len(values) != 1:
            raise InvalidRequest(f"`{name}` is given {len(values)} times.", param=name)
    return {name: values[0] for name, values in asked.items()}


def _group_by(text: str) -> GroupBy:
    try:
        return GroupBy(text)
    except ValueError as fault:
        known = ", ".join(GroupBy)
        raise InvalidRequest(f"`by` must be one of {known}.", param="by") from fault


def _caller_arn(resolver: AdminResolver) -> str | None:
    """Who signed the request; None in the local stack."""
    context = resolver.current_event.get("requestContext") or {}
    arn: str | None = (context.get("identity") or {}).get("userArn")
    return arn


def _reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response[str]:
    # A secret must not stay in a proxy's cache.
    return Response(
        status_code=status,
        content_type="application/json",
        body=msgspec.json.encode(body).decode(),
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _key(record: KeyRecord) -> dict[str, Any]:
    return {
        "id": record.key_id,
        "name": record.name,
        "tenant": record.tenant,
        "team": record.team,
        "models": record.models,
        "status": record.status,
        "created_at": _timestamp(record.created_at),
        "revoked_at": None if record.revoked_at is None else _timestamp(record.revoked_at),
    }


def _timestamp(epoch_s: float) -> str:
    """ISO 8601 in UTC to the second, `2026-11-23T10:00:00Z`."""
    return f"{datetime.fromtimestamp(int(epoch_s), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _report(report: Report) -> dict[str, Any]:
    return {
        "from": report.first_day.isoformat(),
        "to": report.last_day.isoformat(),
        "by": report.by,
        "rows": _rows(report),
        "total": asdict(report.total),
    }


def _rows(report: Report) -> Sequence[Mapping[str, Any]]:
    if report.by is None:
        return [asdict(report.total)]
    if report.by is GroupBy.KEY:
        # Names need not be unique, so a key's row carries its id as well.
        return [
            {"key": group.label, "id": group.id, **asdict(totals)} for group, totals in report.rows
        ]
    return [{report.by: group.label, **asdict(totals)} for group, totals in report.rows]

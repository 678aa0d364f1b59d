"""The admin API: keys, limits of scopes, usage and the audit trail, for operators.

::

    POST   /v1/admin/keys            create a key; the only reply that holds a secret
    GET    /v1/admin/keys            list
    GET    /v1/admin/keys/{key}      show, by id or name
    PATCH  /v1/admin/keys/{key}      change what it may do
    DELETE /v1/admin/keys/{key}      revoke
    POST   /v1/admin/rotations       give a key a new secret; the other reply that holds one
    GET    /v1/admin/scopes          list the limits of teams, tenants and the account
    PATCH  /v1/admin/scopes          change those of one
    GET    /v1/admin/audit           show who did what
    GET    /v1/admin/usage           add the ledger up

Who may call is decided before the function is asked: API Gateway checks the signature (AWS_IAM).
What they did is logged with their ARN, and kept in the audit trail.
`docs/reference/admin-api.openapi.json` has the wire shapes (`admin_bodies`, `admin_views`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from forebay.errors import ForebayError, InvalidRequest, NotFound
from forebay.model import UNLIMITED, KeyRecord
from forebay.service.audit import DEFAULT_ENTRIES, Audit
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.scopes import ScopeDesk
from forebay.web.admin_bodies import ChangeKeyBody, ChangeScopeBody, CreateKeyBody, RotationBody
from forebay.web.admin_calls import AdminResolver, Witness, caller_arn, read_body
from forebay.web.admin_replies import read_query, reply
from forebay.web.admin_usage import UsageDesk, route_usage
from forebay.web.admin_views import (
    KeysView,
    ScopesView,
    audit_view,
    created_key_view,
    key_view,
    scope_view,
)
from forebay.web.errors import http_error


@dataclass(frozen=True, slots=True)
class AdminServices:
    """What the admin API calls."""

    keys: KeyDesk
    scopes: ScopeDesk
    usage: UsageDesk
    audit: Audit
    tell: Callable[[KeyRecord], None] = lambda _: None
    """Is told of each changed or revoked key before the operator is, since what counts at the very
    next request is kept elsewhere, too. Told again when a change is repeated; what it raises is
    answered, so that the operator repeats it. (A rotation tells nobody: a refusal then would lose
    the new secret, and its version is seen with the next read of the key.)"""


def build_resolver(services: AdminServices, logger: Logger) -> AdminResolver:
    """Make the admin function's handler: call what is returned with event and context.

    Args:
        services: What it calls.
        logger: Gets one line an action: what, to what, by whom; never a secret.
    """
    resolver = AdminResolver()
    witness = Witness(resolver, services.audit, logger)
    _route_keys(resolver, services, witness)
    _route_scopes(resolver, services.scopes, witness)
    _route_audit(resolver, services)
    route_usage(resolver, services.usage)
    _route_errors(resolver, logger)
    return resolver


def _route_keys(resolver: AdminResolver, services: AdminServices, witness: Witness) -> None:
    keys = services.keys

    @resolver.post("/v1/admin/keys")
    def create() -> Response[str]:
        body = read_body(resolver, CreateKeyBody)
        wanted = NewKey(body.name, body.tenant, body.team, policy=body.revise(UNLIMITED))
        created = keys.create(wanted)
        witness.saw("keys.create", created.record.key_id, None, key_view(created.record))
        return reply(201, created_key_view(created.record, created.secret))

    @resolver.get("/v1/admin/keys")
    def list_keys() -> Response[str]:
        return reply(200, KeysView([key_view(record) for record in keys.list()]))

    @resolver.get("/v1/admin/keys/<key>")
    def show(key: str) -> Response[str]:
        return reply(200, key_view(keys.show(unquote(key))))

    @resolver.patch("/v1/admin/keys/<key>")
    def change(key: str) -> Response[str]:
        body = read_body(resolver, ChangeKeyBody)
        changed = keys.change(unquote(key), body.revise)
        shown = key_view(changed.after)
        witness.saw("keys.change", changed.after.key_id, key_view(changed.before), shown)
        services.tell(changed.after)
        return reply(200, shown)

    @resolver.delete("/v1/admin/keys/<key>")
    def revoke(key: str) -> Response[str]:
        before = keys.show(unquote(key))
        revoked = keys.revoke(before.key_id)
        shown = key_view(revoked)
        witness.saw("keys.revoke", before.key_id, key_view(before), shown)
        services.tell(revoked)
        return reply(200, shown)

    @resolver.post("/v1/admin/rotations")
    def rotate() -> Response[str]:
        body = read_body(resolver, RotationBody)
        changed, secret = keys.rotate(body.key, overlap_s=body.overlap_s)
        after = changed.after
        witness.saw("keys.rotate", after.key_id, key_view(changed.before), key_view(after))
        return reply(201, created_key_view(after, secret))


def _route_scopes(resolver: AdminResolver, scopes: ScopeDesk, witness: Witness) -> None:
    @resolver.get("/v1/admin/scopes")
    def list_scopes() -> Response[str]:
        return reply(200, ScopesView([scope_view(scope) for scope in scopes.list()]))

    @resolver.patch("/v1/admin/scopes")
    def change() -> Response[str]:
        body = read_body(resolver, ChangeScopeBody)
        changed = scopes.change(body.tenant, body.team, body.revise)
        before = None if changed.before is None else scope_view(changed.before)
        shown = scope_view(changed.after)
        witness.saw("scopes.change", changed.after.scope, before, shown)
        return reply(200, shown)


def _route_audit(resolver: AdminResolver, services: AdminServices) -> None:
    @resolver.get("/v1/admin/audit")
    def show() -> Response[str]:
        asked = read_query(resolver, ("key", "limit"))
        limit = asked.get("limit", str(DEFAULT_ENTRIES))
        if not (limit.isdecimal() and len(limit) < 10):
            raise InvalidRequest("`limit` must be a whole number.", param="limit")
        subject = services.keys.show(asked["key"]).key_id if "key" in asked else None
        return reply(200, audit_view(services.audit.latest(subject=subject, limit=int(limit))))


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
            caller=caller_arn(resolver),
        )
        return reply(status, body, headers)

    def no_route(_: NotFoundError) -> Response[str]:
        event = resolver.current_event
        return refuse(NotFound(f"There is no {event.http_method} {event.path[:200]}."))

    resolver.exception_handler(ForebayError)(refuse)
    resolver.not_found(no_route)

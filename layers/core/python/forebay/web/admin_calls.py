"""A call of the admin API: where it goes, what it brings, who makes it, and who is told of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext
from typing_extensions import override

from forebay.errors import InvalidRequest, PayloadTooLarge, StoreError
from forebay.service.audit import Audit

MAX_BODY_BYTES = 65_536
"""Twice what the largest valid key takes: 100 model names of 256 characters."""

Body = TypeVar("Body", bound=msgspec.Struct)

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


class Witness:
    """Tells the log and the audit trail what was done."""

    def __init__(self, resolver: AdminResolver, audit: Audit, logger: Logger) -> None:
        self._resolver = resolver
        self._audit = audit
        self._logger = logger

    def saw(
        self,
        action: str,
        subject: str,
        before: msgspec.Struct | None,
        after: msgspec.Struct | None,
    ) -> None:
        """Enter an action that is done. Never fails: an error now would call it undone.

        An entry that the store does not take is in the log, whole, beside an error.
        """
        caller = caller_arn(self._resolver)
        shown_before, shown_after = (
            None if shown is None else msgspec.to_builtins(shown) for shown in (before, after)
        )
        entry = self._audit.entry(
            action, subject, actor=caller, before=shown_before, after=shown_after
        )
        self._logger.info(
            "admin action",
            action=action,
            subject=subject,
            caller=caller,
            audit_id=entry.entry_id,
            before=shown_before,
            after=shown_after,
        )
        try:
            self._audit.add(entry)
        except StoreError:
            self._logger.exception("audit entry not stored", audit_id=entry.entry_id)


def read_body(resolver: AdminResolver, type_: type[Body]) -> Body:
    """Read a call's body.

    Raises:
        InvalidRequest: It is no JSON, or has other fields and types than the API.
        PayloadTooLarge: It is over `MAX_BODY_BYTES`.
    """
    try:
        body = resolver.current_event.decoded_body or ""
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge(f"The body is over {MAX_BODY_BYTES} bytes.")
        return msgspec.json.decode(body, type=type_)
    # In order: not base64, or not UTF-8; not JSON, or other fields and types than the API has;
    # nested too deep.
    except (ValueError, msgspec.DecodeError, RecursionError) as fault:
        place = _FAULT_PATH.search(str(fault))
        raise InvalidRequest(
            f"The body is not what the API defines: {str(fault)[:200]}",
            param=place["param"] if place else None,
        ) from fault


def caller_arn(resolver: AdminResolver) -> str | None:
    """Who signed the request; None in the local stack."""
    context = resolver.current_event.get("requestContext") or {}
    arn: str | None = (context.get("identity") or {}).get("userArn")
    return arn


def _app_path(event: Mapping[str, Any]) -> str:
    """Name the path below the stage, with the key's name as one encoded segment.

    A name may hold a slash, and fronts differ in whether `proxy` comes percent-decoded. Decode
    what may be encoded, then encode: either way one form arrives.
    """
    proxy = (event.get("pathParameters") or {}).get("proxy") or ""
    collection, _, key = proxy.partition("/")
    encoded = "/" + quote(unquote(key), safe="", errors="replace") if key else ""
    return f"/v1/admin/{collection}{encoded}"

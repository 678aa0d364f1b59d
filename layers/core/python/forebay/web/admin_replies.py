"""What all routes of the admin API read and answer alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from forebay.errors import InvalidRequest


def read_query(resolver: APIGatewayRestResolver, known: Sequence[str]) -> Mapping[str, str]:
    """Read a call's parameters.

    Raises:
        InvalidRequest: One is unknown or given twice; it would be dropped in silence.
    """
    asked = resolver.current_event.get("multiValueQueryStringParameters") or {}
    for name, values in asked.items():
        if name not in known:
            raise InvalidRequest(
                f"Unknown parameter {name[:64]!r}; there are {', '.join(known)}.", param=name[:64]
            )
        if len(values) != 1:
            raise InvalidRequest(f"`{name}` is given {len(values)} times.", param=name)
    return {name: values[0] for name, values in asked.items()}


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Answer with JSON. A secret must not stay in a proxy's cache, so nothing does."""
    return Response(
        status_code=status,
        content_type="application/json",
        body=msgspec.json.encode(body).decode(),
        headers={"Cache-Control": "no-store", **(headers or {})},
    )

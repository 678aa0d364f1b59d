#!/usr/bin/env python3
"""Writes `docs/reference/admin-api.openapi.json`: the admin API as an OpenAPI document.

Its schemas are those of the types that the admin function reads and answers with, so they cannot
say something else; its calls stand here, and a test compares them with the function's routes. Run
it after a change of `forebay.web.admin…`: `.venv/bin/python tools/build_admin_openapi.py`.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from forebay.web.admin_bodies import ChangeKeyBody, ChangeScopeBody, CreateKeyBody, RotationBody
from forebay.web.admin_views import (
    AuditView,
    CreatedKeyView,
    KeysView,
    KeyView,
    ScopesView,
    ScopeView,
)

PATH = Path(__file__).parents[1] / "docs" / "reference" / "admin-api.openapi.json"


@dataclass(frozen=True, slots=True)
class Call:
    """One operation."""

    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct] | None
    """None: an object that `docs/reference/cli.md` shows."""
    body: type[msgspec.Struct] | None = None
    query: Mapping[str, str] | None = None
    """Optional parameters and what they are."""
    status: int = 200


CALLS = (
    Call("post", "/v1/admin/keys", "Create a key", CreatedKeyView, CreateKeyBody, status=201),
    Call("get", "/v1/admin/keys", "List all keys, the oldest first", KeysView),
    Call("get", "/v1/admin/keys/{key}", "Show a key", KeyView),
    Call("patch", "/v1/admin/keys/{key}", "Change what a key may do", KeyView, ChangeKeyBody),
    Call("delete", "/v1/admin/keys/{key}", "Revoke a key, for good", KeyView),
    Call(
        "post",
        "/v1/admin/rotations",
        "Give a key a new secret",
        CreatedKeyView,
        RotationBody,
        status=201,
    ),
    Call("get", "/v1/admin/scopes", "List the limits of teams, tenants and account", ScopesView),
    Call("patch", "/v1/admin/scopes", "Change the limits of a scope", ScopeView, ChangeScopeBody),
    Call(
        "get",
        "/v1/admin/audit",
        "Show who did what, the newest first",
        AuditView,
        query={"key": "name or id of a key", "limit": "at most so many, 1 to 1000"},
    ),
    Call(
        "get",
        "/v1/admin/usage",
        "Add usage up",
        None,
        query={
            "from": "first UTC day",
            "to": "last UTC day",
            "by": "what to have a row for",
            "key": "name or id of a key",
        },
    ),
    Call(
        "get",
        "/v1/admin/usage/check",
        "Compare the roll-ups of a day with its rows",
        None,
        query={"day": "UTC day, required"},
    ),
    Call(
        "get",
        "/v1/admin/usage/rows",
        "Export the rows of a day, page by page",
        None,
        query={"day": "UTC day, required", "after": "`next` of the page before"},
    ),
)


def build() -> dict[str, Any]:
    """Make the document."""
    types = {type_ for call in CALLS for type_ in (call.answer, call.body) if type_ is not None}
    _, schemas = msgspec.json.schema_components(
        sorted(types, key=lambda type_: type_.__name__),
        ref_template="#/components/schemas/{name}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Forebay admin API",
            "version": "1",
            "description": "Signed with AWS Signature Version 4 for the service execute-api.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header"}
            },
        },
        "security": [{"sigv4": []}],
    }


def text() -> str:
    """Return the document as the file has it."""
    return json.dumps(build(), indent=2) + "\n"


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": call.summary}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in (call.query or {}).items()
    ]
    if "{key}" in call.path:
        parameters.append(
            {
                "name": "key",
                "in": "path",
                "required": True,
                "description": "name or id, percent-encoded",
                "schema": {"type": "string"},
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(call.body)}
    operation["responses"] = {
        str(call.status): {"description": "Done", "content": _json(call.answer)},
        "default": {"description": "Refused: an OpenAI-style error object"},
    }
    return operation


def _json(type_: type[msgspec.Struct] | None) -> dict[str, Any]:
    schema = (
        {"type": "object"} if type_ is None else {"$ref": f"#/components/schemas/{type_.__name__}"}
    )
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

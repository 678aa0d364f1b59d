"""Plain values and DynamoDB's typed ones: `{"status": 200}` and `{"status": {"N": "200"}}`.

Numbers go as decimal strings, so integers are exact (38 digits) and a float comes back as it was
(its `repr` has 17 digits). An attribute that is None is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, dict[str, Any]]
"""An item as DynamoDB has it."""

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute of ours can be."""


def encode_item(fields: Mapping[str, Value | None]) -> Item:
    """Return the fields as an item."""
    return {name: _encode(value) for name, value in fields.items() if value is not None}


def decode_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return an item's fields; its lists as tuples.

    Raises:
        ValueError: An attribute is none of `Value`.
    """
    return {name: _decode(attribute) for name, attribute in item.items()}


def _encode(value: Value) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():  # before int, which it is, too
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case tuple():
            return {"L": [_encode(member) for member in value]}


def _decode(attribute: Mapping[str, Any]) -> Value:
    # Plain comparisons: mapping patterns took a twentieth of a short request's CPU.
    kind, value = next(iter(attribute.items()), ("", None))
    if kind == "S" and isinstance(value, str):
        return value
    if kind == "N" and isinstance(value, str):
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    if kind == "BOOL" and isinstance(value, bool):
        return value
    if kind == "L" and isinstance(value, list):
        return tuple(str(_decode(member)) for member in value)
    raise ValueError(f"unexpected attribute type {'/'.join(attribute)}")

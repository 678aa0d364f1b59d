"""Writes the expressions of an `UpdateItem`, with placeholders for all names and values."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from forebay.adapters.dynamodb.attributes import Item, Value, encode_item


class Update:
    """One `UpdateItem` in the making.

    ::

        update = Update()
        spent = update.name("spent")
        update.set(spent, f"{spent} + {update.value(3)}")
        update.only_if(f"{spent} <= {update.value(7)}")
        update.request("keys", {"key_id": {"S": "…"}})
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: Item = {}
        self._clauses: dict[str, list[str]] = {}
        self._conditions: list[str] = []

    def name(self, attribute: str) -> str:
        """Return a placeholder for an attribute; joined by `.` they make a path."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Value) -> str:
        """Return a placeholder for a value."""
        return self._attribute(encode_item({"": value})[""])

    def map(self, fields: Mapping[str, Value]) -> str:
        """Return a placeholder for a map of values."""
        return self._attribute({"M": encode_item(fields)})

    def packed(self, value: bytes) -> str:
        """Return a placeholder for bytes."""
        return self._attribute({"B": b64encode(value).decode()})

    def set(self, path: str, expression: str) -> None:
        """`SET`: both in placeholders."""
        self._clauses.setdefault("SET", []).append(f"{path} = {expression}")

    def set_all(self, fields: Mapping[str, Value]) -> None:
        """`SET` attributes of the item itself."""
        for attribute, value in fields.items():
            self.set(self.name(attribute), self.value(value))

    def add(self, attribute: str, number: float) -> None:
        """`ADD` to an attribute of the item itself; a missing one counts as 0."""
        self._clauses.setdefault("ADD", []).append(f"{self.name(attribute)} {self.value(number)}")

    def remove(self, path: str) -> None:
        """`REMOVE` what is at a path of placeholders, if it is there."""
        self._clauses.setdefault("REMOVE", []).append(path)

    def only_if(self, condition: str) -> None:
        """Add a condition, in placeholders; all must hold."""
        self._conditions.append(f"({condition})")

    def request(self, table: str, key: Item) -> dict[str, Any]:
        """Return the request: it answers with the new item, or with the one it was refused for."""
        parts = {
            "UpdateExpression": " ".join(
                f"{clause} {', '.join(actions)}" for clause, actions in self._clauses.items()
            ),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": {short: name for name, short in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {
            "TableName": table,
            "Key": key,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            # DynamoDB refuses parts that are empty.
            **{part: content for part, content in parts.items() if content},
        }

    def _attribute(self, attribute: dict[str, Any]) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = attribute
        return placeholder

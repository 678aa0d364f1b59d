"""Comma-separated values, for spreadsheets and cost tools."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for a formula. Tags and names come from whoever calls the API.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows of equal columns under their names; without rows, nothing."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow([_cell(value) for value in row.values()])


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value

"""What the command line prints: aligned tables for people, one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class CommandFailed(Exception):
    """A command was refused or failed: exit status 1.

    Args:
        message: One line that says why and what to do; it goes to stderr.
    """

    def __init__(self, message: str) -> None:
        # What a server said may span lines, and whoever reads stderr expects one.
        super().__init__(" ".join(message.split()))


def print_json(answer: Mapping[str, Any]) -> None:
    """Print one object."""
    print(json.dumps(answer, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> None:
    """Print aligned columns; the last `numbers` columns are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    first_number = len(head) - numbers
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if index >= first_number else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())

"""What a check says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_DETAIL = 600
"""Characters of a detail: it may quote a server, and has one line."""


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"
    """It could not be tried: this is no verdict on the deployment."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Args:
        outcome: How it ended.
        detail: One line: what was measured, and what it means.
        figures: The measured values by name, the unit in the name.
    """

    outcome: Outcome
    detail: str
    figures: Mapping[str, Any]


class CheckFailed(Exception):
    """The deployment does not do what it must."""

    def __init__(self, detail: str, **figures: Any) -> None:
        super().__init__(detail)
        self.figures = figures


class NotChecked(Exception):
    """The check could not be tried; the message says what it needs."""


def passed(detail: str, **figures: Any) -> Finding:
    """All is well."""
    return Finding(Outcome.OK, one_line(detail), figures)


def one_line(text: str) -> str:
    """Make a server's words fit for one line of a terminal: no line breaks, no control codes."""
    flat = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in flat)[:MAX_DETAIL]

"""Reads the tables of a configuration file, and collects every fault instead of stopping at one.

A `Section` is one TOML table together with its place in the file. Each method reads one key; if
the value is not what it should be, the fault is noted as

    gateway.toml:12: models.fast.targets[0].weight: expected an integer of at least 1, got "three"

and a stand-in of the right type is returned, so that reading goes on. Whoever started the reading
raises all faults at the end as one `ConfigurationError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from forebay.settings.positions import KeyPath, line_of

Choice = TypeVar("Choice", bound=StrEnum)
Record = TypeVar("Record")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_CHARACTERS: Final = 60
"""A fault quotes no more of a key or a value."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file as it is being read."""

    name: str
    lines: Mapping[KeyPath, int]
    faults: list[str]


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a file."""

    source: Source
    path: KeyPath
    values: Mapping[str, object]

    def fault(self, message: str, *keys: str | int) -> None:
        """Note a fault of a key below this table (without `keys`: of the table itself)."""
        path = self.path + keys
        where = f"{self.source.name}:{line_of(self.source.lines, path)}"
        what = f"{format_path(path)}: " if path else ""
        self.source.faults.append(f"{where}: {what}{message}")

    def only(self, *known: str) -> None:
        """Fault every other key, and name the one that was probably meant."""
        for key in (key for key in self.values if key not in known):
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {listed(known)}"
            self.fault(f"unknown key; {hint}", key)

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Read a string; None if absent or not one."""
        value = self.values.get(key)
        if isinstance(value, str):
            return value
        if value is not None:
            self.fault(f"expected a string, got {describe(value)}", key)
        elif required:
            self.fault("expected a string; it is missing", key)
        return None

    def choice(
        self, key: str, options: type[Choice], default: Choice | None, *, required: bool = True
    ) -> Choice | None:
        """Read one of the words of `options`; what is required and has no default is a fault."""
        value = self.values.get(key)
        if isinstance(value, str) and value in set(options):
            return options(value)
        if value is not None or (default is None and required):
            got = "it is missing" if value is None else f"got {describe(value)}"
            self.fault(f"expected one of {', '.join(options)}; {got}", key)
        return default

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        """Read an integer within [low, high]."""
        value = self.values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(f"expected an integer {_bounds(low, high)}, got {describe(value)}", key)
        return default

    def number(self, key: str, *, low: Decimal, high: Decimal) -> Decimal | None:
        """Read a number within [low, high] exactly; None if absent or not one."""
        value = self.values.get(key)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
            if number.is_finite() and low <= number <= high:
                return number
        if value is not None:
            self.fault(f"expected a number {_bounds(low, high)}, got {describe(value)}", key)
        return None

    def table(self, key: str) -> Section:
        """Read a table; an empty one if absent."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fault(f"expected a table, got {describe(value)}", key)
            value = {}
        return Section(self.source, (*self.path, key), value)

    def tables(self, key: str) -> Iterator[tuple[str, Section]]:
        """Read a table of tables, such as `[models.NAME]`."""
        outer = self.table(key)
        for name, value in outer.values.items():
            inner = outer.table(name)
            if isinstance(value, dict):  # else a fault already; an empty table would add more
                yield name, inner

    def array(self, key: str) -> list[object]:
        """Read an array; an empty one if absent."""
        value = self.values.get(key, [])
        if isinstance(value, list):
            return value
        self.fault(f"expected an array, got {describe(value)}", key)
        return []

    def table_array(self, key: str) -> list[Section]:
        """Read an array of tables; what is no table is a fault and left out."""
        tables = []
        for index, value in enumerate(self.array(key)):
            if isinstance(value, dict):
                tables.append(Section(self.source, (*self.path, key, index), value))
            else:
                self.fault(f"expected a table, got {describe(value)}", key, index)
        return tables

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self.values.get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(f"expected true or false, got {describe(value)}", key)
        return default

    def record(self, kind: type[Record]) -> Record:
        """Read a table as a dataclass; see `part`."""
        self.only(*field_names(kind))
        return self.part(kind)

    def part(self, kind: type[Record]) -> Record:
        """Read those keys of a table that are the fields of a dataclass.

        The fields are flags, enumerations, made by `setting`, or records of their own (a table).
        """
        declared = fields(cast("Any", kind))
        return kind(**{each.name: self._field(each.name, each) for each in declared})

    def _field(self, key: str, declared: Any) -> object:
        default = declared.default
        if isinstance(default, bool):
            return self.flag(key, default=default)
        if isinstance(default, StrEnum):
            return self.choice(key, type(default), default)
        if is_dataclass(default):
            return self.table(key).record(type(default))
        low, high = declared.metadata["low"], declared.metadata["high"]
        if isinstance(default, int):
            return self.integer(key, default=default, low=low, high=high)
        number = self.number(key, low=Decimal(str(low)), high=Decimal(str(high)))
        return default if number is None else float(number)


def setting(default: float | None, *, low: float, high: float) -> Any:
    """Declare a number of a settings dataclass with its default and range (both ends belong)."""
    return field(default=default, metadata={"low": low, "high": high})


def field_names(kind: type[Any]) -> list[str]:
    """Return the keys that a dataclass reads."""
    return [each.name for each in fields(kind)]


def describe(value: object) -> str:
    """Show a value in a message: on one line, cut when long; of a container only its kind."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{_shown(value)}"'
        case int() | Decimal():
            return _shown(str(value)) if _is_below(value, Decimal("1e30")) else "a huge number"
        case list():
            return "an array" if value else "an empty array"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _is_below(value: int | Decimal, bound: Decimal) -> bool:
    """Whether a number is short enough to print (Python refuses integers over 4,300 digits)."""
    number = Decimal(value)
    return not number.is_finite() or number.copy_abs() < bound


def listed(words: Iterable[str]) -> str:
    """Join words as in `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def format_path(path: KeyPath) -> str:
    """Write a path as TOML does: `models."a b".targets[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            text += f".{_shown(key)}" if text else _shown(key)
    return text


def _shown(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _bounds(low: object, high: object) -> str:
    return f"from {low} to {high}"

"""Says on which line of a TOML file each key stands.

The standard library's parser keeps no positions, and a message without a line makes a person
search. So the text is walked a second time, after `tomllib` has accepted it: what stands here may
take valid TOML for granted, understands only keys, brackets and where strings end, and values are
skipped unread. (tomlkit and rtoml were the alternatives: a dependency on the cold path for line
numbers that only a faulty file needs.)

Should a later TOML hold something that this walk does not know, it ends early: the remaining keys
fall back to the line of the table that holds them.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

KeyPath = tuple[str | int, ...]
"""`("models", "fast", "targets", 0, "weight")`."""

MAX_DEPTH: Final = 8
"""Longest path that is kept (settings need 6); bounds work and memory on hostile nesting."""

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
# Groups: multi-line basic, multi-line literal (both may end in up to two quotes of their own),
# basic, literal.
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_SCALAR = re.compile(r"[^\[\]{},\n#\"']++")
_PUNCTUATION = re.compile(r"[\[\]{},]")


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the line, from 1, where each key, table and array element first stands.

    Args:
        text: TOML that `tomllib` accepts.

    Cost: O(length of the text).
    """
    walk = _Walk(text)
    walk.document()
    return walk.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of a key or, where it is missing, of the nearest table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._elements: dict[KeyPath, int] = {}
        """Elements so far of each array of tables."""

    def document(self) -> None:
        table: KeyPath = ()
        self._take(_BLANK)
        while self._at < len(self._text):
            start = self._at
            if self._skip("[["):
                table = self._array_table_header()
            elif self._skip("["):
                table = self._inside_arrays(self._key(()))
                self._skip("]")
            else:
                self._assignment(table)
            if self._at == start:
                return
            self._take(_BLANK)

    def _array_table_header(self) -> KeyPath:
        parts = self._key(())
        array = (*self._inside_arrays(parts[:-1]), *parts[-1:])
        index = self._elements.get(array, 0)
        self._elements[array] = index + 1
        self._note(array)
        self._note((*array, index))
        self._skip("]]")
        return (*array, index)

    def _inside_arrays(self, parts: KeyPath) -> KeyPath:
        """Turn a header's key into a path: below an array of tables it means the last element."""
        path: KeyPath = ()
        for part in parts[:MAX_DEPTH]:
            path = (*path, part)
            self._note(path)
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
        return path

    def _assignment(self, table: KeyPath) -> None:
        path = self._key(table)
        for length in range(len(table) + 1, len(path) + 1):
            self._note(path[:length])
        self._take(_BLANK)
        if self._skip("="):
            self._value(path)

    def _key(self, table: KeyPath) -> KeyPath:
        """Read a dotted key; what lies deeper than `MAX_DEPTH` is left out."""
        path = table
        while True:
            self._take(_BLANK)
            part = self._take(_BARE_KEY) or _unquoted(self._take(_STRING))
            if len(path) < MAX_DEPTH:
                path = (*path, part)
            self._take(_BLANK)
            if not self._skip("."):
                return path

    def _value(self, path: KeyPath) -> None:
        self._take(_BLANK)
        if len(path) >= MAX_DEPTH:
            self._skip_value()
        elif self._skip("["):
            self._array(path)
        elif self._skip("{"):
            self._inline_table(path)
        elif not self._take(_STRING):
            self._take(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        index = 0
        self._take(_BLANK)
        while not self._skip("]"):
            start = self._at
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            if not self._separator(start):
                return

    def _inline_table(self, path: KeyPath) -> None:
        self._take(_BLANK)
        while not self._skip("}"):
            start = self._at
            self._assignment(path)
            if not self._separator(start):
                return

    def _separator(self, start: int) -> bool:
        """Step over `,`; False if nothing was read since `start`."""
        self._take(_BLANK)
        self._skip(",")
        self._take(_BLANK)
        return self._at > start

    def _skip_value(self) -> None:
        """Step over a value of any depth without recursion."""
        depth = 0
        while self._at < len(self._text):
            start = self._at
            self._take(_BLANK)
            mark = self._take(_PUNCTUATION)
            depth += (mark in {"[", "{"}) - (mark in {"]", "}"})
            if not mark and not self._take(_STRING):
                self._take(_SCALAR)
            if depth == 0 or self._at == start:
                return

    def _note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, bisect_right(self._line_starts, self._at))

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _skip(self, literal: str) -> bool:
        if self._text.startswith(literal, self._at):
            self._at += len(literal)
            return True
        return False


def _unquoted(token: str) -> str:
    if "\\" in token and token.startswith('"'):
        return str(tomllib.loads(f"key = {token}")["key"])
    return token[1:-1]

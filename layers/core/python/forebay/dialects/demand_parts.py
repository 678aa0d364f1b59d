"""Gathers what of a request's JSON is paid for, whatever its shape.

An upper bound is wanted: what is not known to be free is text, and a part of a message whose kind
is not known has no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from forebay.dialects.picture_size import size_of
from forebay.model import Picture

# Numbers are no text, and one like 1e999 (legal JSON) would be an error.
_decode = msgspec.json.Decoder(float_hook=lambda _: None).decode

NULL: Final = b"null"

MAX_OUTPUT_LIMIT: Final = 10_000_000
"""Tokens: no model writes so many, and a number of a thousand digits would not fit anywhere."""

Part = Callable[["Gathered", Mapping[str, Any], str], bool]
"""Takes an object that has a `type`, and its path; False: it is to be looked through like any."""


@dataclass(slots=True)
class Gathered:
    """What was found so far."""

    texts: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    unbounded: list[str] = field(default_factory=list)

    def raw(self, value: msgspec.Raw | bytes) -> None:
        """Take a value's JSON as text."""
        self.texts.append(bytes(value).decode("utf-8", "replace"))

    def look_through(
        self, name: str, value: msgspec.Raw, *, part: Part, markers: frozenset[str]
    ) -> Any:
        """Take all texts and pictures of a field, and return it decoded (None if it cannot be).

        Args:
            name: The field's.
            value: As it came.
            part: Decides on objects that have a `type`.
            markers: Members that the model does not read.
        """
        whole = decoded(value)
        if whole is None:
            self.raw(value)
        pending = [(name, whole)]
        while pending:
            path, found = pending.pop()
            if isinstance(found, str):
                self.texts.append(found)
            elif isinstance(found, list):
                pending += [(f"{path}[{at}]", each) for at, each in enumerate(found)][::-1]
            elif isinstance(found, dict) and not ("type" in found and part(self, found, path)):
                read = [key for key in found if key not in markers]
                pending += [(f"{path}.{key}", found[key]) for key in reversed(read)]
        return whole

    def picture(self, url: object, detail: object = None) -> None:
        """Take a picture: `data:` and its base64, or an address."""
        size = None
        if isinstance(url, str) and url.startswith("data:"):
            size = size_of(url.partition(",")[2])
        width, height = size or (None, None)
        self.pictures.append(Picture(width, height, detail if isinstance(detail, str) else None))

    def no_bound(self, path: str) -> bool:
        """Note that something has no bound."""
        self.unbounded.append(path)
        return True


def is_said(value: msgspec.Raw | None) -> bool:
    """Whether a field says anything."""
    return value is not None and bytes(value) not in {NULL, b"[]", b"{}", b"false", b'""'}


def decoded(value: msgspec.Raw | None) -> Any:
    """Decode a value; None if there is none, or it is nested too deeply.

    (One that was nested just not too deeply to be parsed can be here, on a deeper stack.)
    """
    if value is None:
        return None
    try:
        return _decode(value)
    except RecursionError:
        return None


def output_limit(value: Any) -> int | None:
    """Read a limit of output tokens; None if it is none (`-1` is no limit to some servers)."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return min(value, MAX_OUTPUT_LIMIT) if value > 0 else None

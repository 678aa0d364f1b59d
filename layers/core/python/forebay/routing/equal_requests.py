"""Which requests are equal, so that one upstream call can answer them all. Pure.

Shared is only what would be the same answer anyway: asked for by an explicit temperature of 0,
with one choice, and nothing that is done or kept beside the answer. Everything else of the request
is in the key, whether it looks important or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from math import isinf
from typing import Any, Final

import msgspec

SHAPING_HEADERS: Final = (
    "anthropic-beta",
    "anthropic-version",
    "x-forebay-timeout",
    "x-stainless-read-timeout",
    "x-stainless-timeout",
)
"""Header fields that change the answer, or how long it may take: a follower would be cut off by
its leader's patience."""


class _Singular(msgspec.Struct):
    """Fields that, unless false, null or empty, make a request one of its kind.

    Sources: https://platform.openai.com/docs/api-reference/chat/create,
    https://platform.openai.com/docs/api-reference/responses/create,
    https://platform.claude.com/docs/en/api/messages/create.
    """

    audio: Any = None  # a voice is never the same twice
    background: Any = None  # runs on by itself
    container: Any = None  # Anthropic's: state
    conversation: Any = None  # Responses: state
    mcp_servers: Any = None  # Anthropic's: acts elsewhere
    plugins: Any = None
    previous_response_id: Any = None  # Responses: state
    prompt: Any = None  # Responses: a stored template
    store: Any = None
    web_search_options: Any = None  # the web is another one each time


class _Asked(_Singular):
    """What decides whether a request can be shared. The rest is skipped, so a no costs little."""

    temperature: Any = None
    n: Any = None
    tools: Any = None


CALLERS_TOOLS: Final = (None, "custom", "function")
"""Types of tools that the caller runs; Anthropic's have none. Others may run upstream."""

ONE_CHOICE: Final = (None, 1)


def _finite(number: str) -> float:
    """Read a number; one like 1e999 (legal JSON) would be written as null, and equal one."""
    value = float(number)
    if isinf(value):
        raise ValueError("out of range")
    return value


_look = msgspec.json.Decoder(_Asked).decode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_finite).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def flight_key(*, tenant: str, path: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """Name what is asked, and of whom; None if it cannot be shared.

    Two requests have the same name only if they are of one tenant, at one path, and equal but for
    the order of fields and white space.

    Args:
        tenant: Whose request it is.
        path: Of the request; it says the dialect.
        headers: Of the request, names in lower case.
        body: Of the request, as it came.
    """
    try:
        if not _can_be_shared(_look(body)):
            return None
        canonical = _encode(_decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    shape = _encode([tenant, path, [headers.get(name) for name in SHAPING_HEADERS]])
    return sha256(shape + b"\n" + canonical).hexdigest()


def _can_be_shared(asked: _Asked) -> bool:
    return (
        isinstance(asked.temperature, int | float)
        and not isinstance(asked.temperature, bool)
        and asked.temperature == 0
        and asked.n in ONE_CHOICE
        and not any(getattr(asked, name) for name in _Singular.__struct_fields__)
        and _are_callers(asked.tools)
    )


def _are_callers(tools: object) -> bool:
    if tools is None:
        return True
    return isinstance(tools, list) and all(
        isinstance(tool, dict) and tool.get("type") in CALLERS_TOOLS for tool in tools
    )

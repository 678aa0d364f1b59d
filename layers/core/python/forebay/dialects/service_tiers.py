"""Tiers of service: which one a request asks for, and at which it may be answered.

Each is billed at its own rates, and a reply says which one it was. So a wish goes only to a target
whose price knows that tier (`Price.sells`); another target serves the request as any other.

Sources: https://platform.openai.com/docs/api-reference/chat/create (`service_tier`),
https://platform.claude.com/docs/en/api/service-tiers (`service_tier`) and
https://platform.claude.com/docs/en/build-with-claude/fast-mode (`speed`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

BATCH: Final = "batch"
"""No request that waits for its answer is billed as a batch."""

_OPEN: Final = frozenset({"auto"})
"""Wishes that leave the choice to the settings of the provider's account, as no wish does."""
_ORDINARY: Final = frozenset({"default", "standard", "standard_only", "on_demand"})
_SAME_AS: Final[Mapping[str, str]] = {"fast": "priority"}
"""OpenAI's two words for one tier; replies have the second."""

Fields = Mapping[str, msgspec.Raw]
Sells = Callable[[str], bool]

_decode = msgspec.json.Decoder().decode


def sold_to_chat(fields: Fields, sells: Sells) -> Fields:
    """Return an OpenAI request's members without a `service_tier` that has no price here."""
    wish = _word(fields, "service_tier")
    return fields if wish is None or sells(_SAME_AS.get(wish, wish)) else _without(fields)


def sold_to_messages(fields: Fields, sells: Sells) -> Fields:
    """Return an Anthropic request's members without a tier or a speed that has no price here.

    `speed` is sold as a tier is: `fast`.
    """
    tier, speed = _word(fields, "service_tier"), _word(fields, "speed")
    if tier is not None and not sells(tier):
        fields = _without(fields)
    if speed is not None and not sells(speed):
        fields = _without(fields, "speed")
    return fields


def chat_tiers(fields: Fields, priced: Collection[str]) -> frozenset[str]:
    """Return the tiers that an OpenAI request may be answered at, beside the ordinary one.

    Args:
        fields: The request's members, as they are sent to the target.
        priced: Tiers that have a price there (`Price.tiers`).
    """
    wish = _word(fields, "service_tier")
    if wish is None or wish in _OPEN:
        return frozenset(priced) - {BATCH}
    return frozenset() if wish in _ORDINARY else frozenset({_SAME_AS.get(wish, wish)})


def messages_tiers(fields: Fields, priced: Collection[str]) -> frozenset[str]:
    """Return the tiers that an Anthropic request may be answered at, beside the ordinary one.

    `fast` is asked for by name, and never given otherwise. Args: see `chat_tiers`.
    """
    speed = _word(fields, "speed")
    named = frozenset() if speed in {None, "standard"} else frozenset({str(speed)})
    wish = _word(fields, "service_tier")
    return named if wish in _ORDINARY else named | (frozenset(priced) - {BATCH, "fast"})


def _word(fields: Fields, name: str) -> str | None:
    """Return a member that is a string; what is none is the target's to refuse."""
    value = _decode(fields[name]) if name in fields else None
    return value if isinstance(value, str) else None


def _without(fields: Fields, name: str = "service_tier") -> Fields:
    return {key: value for key, value in fields.items() if key != name}

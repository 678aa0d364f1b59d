"""What is believed of a usage that a provider reports, whatever its dialect.

A report that says nothing (no input at all: other servers send zeros where they do not know) or
nonsense is none: the tokens are counted instead. What is left is consistent, so that no part is
larger than the whole and no cost is ever negative.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from forebay.model import Usage

MAX_FIGURE: Final = 10**9
"""The longest input that any provider takes is some ten million tokens; a report beyond this is a
fault, and believing it would spend a whole budget at once."""
MAX_TIER_LENGTH: Final = 32


def believed(usage: Usage) -> Usage | None:
    """Return a report with its figures set right; None if it says nothing.

    Below zero counts as zero. Parts of the input that exceed it are believed, not the whole:
    servers that leave cached tokens out of it are known. Reasoning is never more than the output.
    """
    read = max(usage.cached_input_tokens, 0)
    written = max(usage.cache_write_input_tokens, 0)
    written_1h = max(usage.cache_write_1h_input_tokens, 0)
    output = max(usage.output_tokens, 0)
    input_ = max(usage.input_tokens, read + written + written_1h)
    searches = max(usage.web_searches, 0)
    if input_ == 0 or max(input_, output, searches) > MAX_FIGURE:
        return None
    return replace(
        usage,
        input_tokens=input_,
        output_tokens=output,
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=written_1h,
        reasoning_tokens=min(max(usage.reasoning_tokens, 0), output),
        web_searches=searches,
    )


def read_tier(reported: object) -> str | None:
    """Read the tier that a reply names; None if that is no word (it goes into the ledger)."""
    if isinstance(reported, str) and reported.isascii() and reported.isprintable():
        return reported[:MAX_TIER_LENGTH] or None
    return None

"""How many input tokens a request is at most at one target: text, pictures, what frames them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from forebay.admission.picture_tokens import is_newer_claude, picture_tokens
from forebay.admission.text_bound import calibrated, proven
from forebay.model import Demand, Picture
from forebay.settings import ProviderKind

Hold = Literal["calibrated", "proven"]

REQUEST_TOKENS: Final = 128
"""What a target's template adds once: a default system prompt, today's date (Llama's takes 35,
gpt-oss's 70 tokens)."""
FRAME_TOKENS: Final = 8
"""Around each message and system prompt; OpenAI's takes 3 to 5, Llama's 5."""
TOOLS_TOKENS: Final = 1_024
"""What is added once where there are tools: Anthropic's takes up to 804 by its pricing page."""
TOOL_TOKENS: Final = 16
"""Around each tool."""
OWN_TOOL_TOKENS: Final = 1_024
"""A tool that its provider defines, by the dearest of the same page (`text_editor`: 700,
`computer`: 735)."""

SCHEMA_FACTOR: Final = 2
"""Templates write tools with an indent of four where callers send none."""

NEWER_CLAUDE: Final = 135, 100
"""Since Opus 4.7 the same text is up to 1.35 times as many tokens; the calibration knows the last
vocabulary that Anthropic has published. Source:
https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7"""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Whose vocabulary and eyes a target has."""

    kind: ProviderKind
    model: str
    """The target's name of it."""


def text_bound(demand: Demand, hold: Hold) -> int:
    """Return how many tokens a request's texts and schemas are at most, in most vocabularies.

    Cost: O(n), 2-8 ns a byte.
    """
    of = proven if hold == "proven" else calibrated
    texts = of("\n".join(demand.texts)) if demand.texts else 0
    schemas = of("\n".join(demand.schemas)) if demand.schemas else 0
    return texts + SCHEMA_FACTOR * schemas


def input_bound(demand: Demand, target: Tokenizer, *, hold: Hold, text: int) -> int:
    """Return how many input tokens a request is at most.

    Args:
        demand: The request.
        target: Who is asked.
        hold: How its price is bounded.
        text: Tokens of its texts and schemas, at most.
    """
    pictures = demand.pictures
    if hold == "proven":  # a picture's header can lie about its size
        pictures = (Picture(),) * len(pictures)
    seen = sum(picture_tokens(picture, target.kind, target.model) for picture in pictures)
    if hold == "calibrated" and is_newer_claude(target.model):
        more, base = NEWER_CLAUDE
        text = -(-text * more // base)
    return text + demand.token_ids + seen + _framing(demand)


def _framing(demand: Demand) -> int:
    tools = TOOLS_TOKENS + TOOL_TOKENS * demand.tools if demand.tools else 0
    own = OWN_TOOL_TOKENS * demand.own_tools
    return REQUEST_TOKENS + FRAME_TOKENS * demand.framed + tools + own

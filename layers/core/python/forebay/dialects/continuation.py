"""An answer that broke off: whether another target can go on with it, and how it is asked to.

`seam` then sees to it that what the target writes does follow what the caller has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from forebay.dialects.canonical import AnswerWriter, Conversation, Message, Text
from forebay.dialects.seam import anchor_of
from forebay.model import Usage
from forebay.settings import Continuing, ProviderKind


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What the caller has of an answer that broke off."""

    text: str
    """Of the answer, visible, as sent so far, without reasoning. Empty if only what nobody reads
    went out (a role, reasoning)."""
    writer: AnswerWriter
    """Writes on where the caller's stream stands; it has had its `Started` and gets no other."""
    usage: Usage | None
    """As reported so far by the attempt that broke off."""


# --- which targets

CONTINUING: Final[Mapping[ProviderKind, Continuing]] = {
    # Neither has a way to begin the model's turn for it: an assistant's message at the end is one
    # of old. https://platform.openai.com/docs/api-reference/chat/create
    ProviderKind.OPENAI: Continuing.ECHO,
    ProviderKind.AZURE: Continuing.ECHO,
    # A content of role `model` at the end is one of old. https://ai.google.dev/api/caching#Content
    ProviderKind.GEMINI: Continuing.ECHO,
    # Both for Claude from 4.6 on; see `_PREFILLED_CLAUDE`.
    ProviderKind.ANTHROPIC: Continuing.ECHO,
    ProviderKind.BEDROCK: Continuing.ECHO,
    # `continue_final_message`: "the model will continue this message rather than starting a new
    # one". https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    ProviderKind.VLLM: Continuing.PREFILL,
    # Its maintainers: this is how its chat works. https://github.com/ollama/ollama/issues/6778
    ProviderKind.OLLAMA: Continuing.PREFILL,
    # llama.cpp's server writes on ("default: prefill enabled", `--no-prefill-assistant` in
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md). LocalAI does so
    # only with a template that leaves the last turn open, which nobody but its operator knows.
    ProviderKind.LOCALAI: Continuing.ECHO,
    ProviderKind.SCRIPTED: Continuing.PREFILL,
}
"""How each kind of provider goes on with an answer that it did not begin, unless its operator says
otherwise. *Prefill* is a promise: a target that only seems to write on cannot be found out."""

_PREFILLED_CLAUDE: Final = re.compile(
    r"claude-(?:instant|v?[123]\b|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?=$|-\d{8}|-latest|-v\d|[:@]))"
)
"""Claude up to 4.5. From 4.6 on a last turn of the assistant is refused with status 400:
https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6#prefill-removal."""

_OF_ANTHROPIC: Final = frozenset({ProviderKind.ANTHROPIC, ProviderKind.BEDROCK})


def continuing(kind: ProviderKind, model: str) -> Continuing:
    """Return how a model goes on with an answer that broke off elsewhere.

    Args:
        kind: Of its provider.
        model: The provider's name of it, an inference profile or an ARN of Bedrock too.
    """
    if kind in _OF_ANTHROPIC and _PREFILLED_CLAUDE.search(model):
        return Continuing.PREFILL
    return CONTINUING[kind]


# --- which answers


def may_continue(conversation: Conversation, interrupted: Interrupted) -> bool:
    """Whether any other target may go on with an answer to this.

    Of several answers at once none can be told from the others; the rest has been seen by the
    caller, and only its own target knows how it goes on: a JSON document, whose grammar knows no
    beginning in the middle, a turn that must call a tool, an answer that the caller itself began.
    What only the caller's own dialect knows (log probabilities, citations, audio, tools that the
    provider runs) is in `untranslated`, and no encoder takes it.
    """
    if conversation.choices > 1:
        return False
    choice = conversation.tool_choice
    return not interrupted.text or (
        conversation.json_output is None
        and (choice is None or choice.mode in {"auto", "none"})
        and [message.role for message in conversation.messages[-1:]] == ["user"]
    )


def way_to_continue(conversation: Conversation, how: Continuing) -> Continuing:
    """Return how a target is asked that could go on in this way.

    A model that is to think does so before it answers, and not after the beginning of an answer:
    Claude refuses thinking with a prefill, vLLM would take the rest of the answer for thoughts.
    """
    thinks = conversation.reasoning is not None and conversation.reasoning.enabled
    return Continuing.ECHO if how is Continuing.PREFILL and thinks else how


# --- how they are asked

GO_ON: Final = (
    "Your answer above was cut off. Write on exactly where it stops, in the same language, style "
    "and format. Begin with its last characters, repeated without any change, and go on from "
    "there: no introduction, no comment, no quotation marks, nothing else before them. Its last "
    "characters are:\n\n"
)
"""Before the anchor, in an *echo*."""


def continued(
    conversation: Conversation, text: str, how: Continuing, *, delivered_tokens: int
) -> Conversation:
    """Return the conversation that asks for the rest of an answer.

    Args:
        conversation: What was asked.
        text: What the caller has of the answer; without any word in it, the question is repeated.
        how: `PREFILL` or `ECHO`.
        delivered_tokens: The text's length. So much less may be written; what an echo repeats
            comes on top, by its share of the text's characters.
    """
    anchor, repeated_tokens = anchor_of(text), 0
    bare = text.rstrip()
    if bare and how is Continuing.PREFILL:
        conversation = replace(conversation, prefill=bare)
    elif bare:
        turns = (Message("assistant", (Text(text),)), Message("user", (Text(GO_ON + anchor),)))
        conversation = replace(conversation, messages=(*conversation.messages, *turns))
        repeated_tokens = delivered_tokens * len(anchor) // len(text)
    limit = conversation.max_output_tokens
    if limit is not None:
        limit = max(1, limit - delivered_tokens + repeated_tokens)
    return replace(conversation, max_output_tokens=limit)

"""Reasoning that one provider signed is not handed to another."""

from __future__ import annotations

import pytest

from forebay.dialects.canonical import Conversation, Message, Text, Thinking
from forebay.service.target_dialects import ANTHROPIC, BEDROCK, GEMINI, TargetDialect

SIGNED_BY_GEMINI = Conversation(
    "m",
    (
        Message("user", (Text("hi"),)),
        Message("assistant", (Thinking("hm", signature="gemini:c2ln"), Text("hello"))),
        Message("user", (Text("and?"),)),
    ),
)


@pytest.mark.parametrize(
    ("dialect", "model", "is_its_own"),
    [
        pytest.param(ANTHROPIC, "claude-x", False, id="anthropic"),
        pytest.param(BEDROCK, "anthropic.claude-x", False, id="bedrock"),
        pytest.param(GEMINI, "gemini-3-x", True, id="gemini"),
    ],
)
def test_only_its_own_reasoning_goes_back_to_a_provider(
    dialect: TargetDialect,
    model: str,
    is_its_own: bool,  # noqa: FBT001 - a case
) -> None:
    body = dialect.encode(SIGNED_BY_GEMINI, model).body

    assert (b"c2ln" in body) is is_its_own
    assert b"hello" in body

"""Which targets can go on with an answer, with which answers, and how they are asked to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.dialects.anthropic_messages_encode import encode_request as encode_anthropic
from forebay.dialects.bedrock_converse import encode_request as encode_bedrock
from forebay.dialects.canonical import (
    Conversation,
    JsonOutput,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
    Unsupported,
    conversation_text,
)
from forebay.dialects.continuation import (
    GO_ON,
    Interrupted,
    continued,
    continuing,
    may_continue,
    way_to_continue,
)
from forebay.dialects.gemini_generate import encode_request as encode_gemini
from forebay.dialects.openai_chat_encode import (
    LOCALAI,
    OLLAMA,
    OPENAI,
    VLLM,
    Surface,
    encode_conversation,
)
from forebay.dialects.openai_chat_writer import ChatStreamWriter, Identity
from forebay.settings import Continuing, ProviderKind

PREFILL, ECHO = Continuing.PREFILL, Continuing.ECHO
HELLO = Message("user", (Text("Hello"),))
ASKED = Conversation("fast", (HELLO,), stream=True, max_output_tokens=100)
TEXT = "Water waits behind the gate until the wheel can take it; what comes too fast is held.\n"


def interrupted(text: str = TEXT) -> Interrupted:
    return Interrupted(text, ChatStreamWriter(Identity("i", "m", 0), include_usage=False), None)


# --- which targets: see the sources beside `CONTINUING`

TARGETS = [
    # https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6#prefill-removal;
    # names: https://platform.claude.com/docs/en/about-claude/models/overview
    (ProviderKind.ANTHROPIC, "claude-opus-4-5", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-opus-4-5-20251101", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-sonnet-4-5-20250929", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-haiku-4-5", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-opus-4-1-20250805", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-sonnet-4-20250514", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-sonnet-4-0", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-3-7-sonnet-latest", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-3-haiku-20240307", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-2.1", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-instant-1.2", PREFILL),
    (ProviderKind.ANTHROPIC, "claude-opus-4-6", ECHO),
    (ProviderKind.ANTHROPIC, "claude-sonnet-4-6", ECHO),
    (ProviderKind.ANTHROPIC, "claude-opus-4-7", ECHO),
    (ProviderKind.ANTHROPIC, "claude-opus-4-10", ECHO),
    (ProviderKind.ANTHROPIC, "claude-opus-5", ECHO),
    (ProviderKind.ANTHROPIC, "claude-haiku-5-5", ECHO),
    (ProviderKind.ANTHROPIC, "claude-of-tomorrow", ECHO),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html
    (ProviderKind.BEDROCK, "anthropic.claude-v2:1", PREFILL),
    (ProviderKind.BEDROCK, "us.anthropic.claude-sonnet-4-20250514-v1:0", PREFILL),
    (ProviderKind.BEDROCK, "anthropic.claude-haiku-4-5-20251001-v1:0", PREFILL),
    (
        ProviderKind.BEDROCK,
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-5-haiku-20241022-v1:0",
        PREFILL,
    ),
    (ProviderKind.BEDROCK, "us.anthropic.claude-opus-4-6-v1", ECHO),
    (ProviderKind.BEDROCK, "us.amazon.nova-pro-v1:0", ECHO),
    (ProviderKind.BEDROCK, "arn:aws:bedrock:us-east-1:1:application-inference-profile/x", ECHO),
    (ProviderKind.VLLM, "meta-llama/Llama-3.1-8B-Instruct", PREFILL),
    (ProviderKind.OLLAMA, "llama3.1", PREFILL),
    (ProviderKind.LOCALAI, "gemma", ECHO),
    (ProviderKind.SCRIPTED, "script-1", PREFILL),
    (ProviderKind.OPENAI, "gpt-5", ECHO),
    (ProviderKind.OPENAI, "claude-3-haiku-20240307", ECHO),
    (ProviderKind.AZURE, "our-mini", ECHO),
    (ProviderKind.GEMINI, "gemini-2.5-flash", ECHO),
]


@pytest.mark.parametrize(("kind", "model", "how"), TARGETS)
def test_how_a_target_goes_on(kind: ProviderKind, model: str, how: Continuing) -> None:
    assert continuing(kind, model) is how


@pytest.mark.parametrize("kind", ProviderKind)
def test_every_kind_of_provider_has_its_way(kind: ProviderKind) -> None:
    assert continuing(kind, "any") in {PREFILL, ECHO}


# --- which answers

NEVER_ONCE_VISIBLE = {
    "JSON": {"json_output": JsonOutput()},
    "a tool must be called": {"tool_choice": ToolChoice("required")},
    "this tool must be called": {"tool_choice": ToolChoice("named", "f")},
    "the caller began it": {"messages": (HELLO, Message("assistant", (Text("I"),)))},
    "no user": {"messages": ()},
}


@pytest.mark.parametrize("asked", NEVER_ONCE_VISIBLE.values(), ids=NEVER_ONCE_VISIBLE)
def test_some_answers_are_never_continued_once_they_are_visible(asked: dict[str, Any]) -> None:
    assert not may_continue(replace(ASKED, **asked), interrupted())
    assert may_continue(replace(ASKED, **asked), interrupted(""))


def test_several_answers_are_never_continued() -> None:
    assert not may_continue(replace(ASKED, choices=2), interrupted())
    assert not may_continue(replace(ASKED, choices=2), interrupted(""))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"tools": (Tool("f", None, {}),)},
        {"tool_choice": ToolChoice("auto")},
        {"tool_choice": ToolChoice("none")},
        {"reasoning": Reasoning("low")},
        {"stop": ("###",)},
    ],
)
def test_other_answers_are(asked: dict[str, Any]) -> None:
    assert may_continue(replace(ASKED, **asked), interrupted())


@pytest.mark.parametrize(
    ("reasoning", "how", "then"),
    [
        (None, PREFILL, PREFILL),
        (Reasoning(enabled=False), PREFILL, PREFILL),
        (Reasoning("low"), PREFILL, ECHO),
        (Reasoning(budget_tokens=1024), PREFILL, ECHO),
        (Reasoning("low"), ECHO, ECHO),
        (Reasoning("low"), Continuing.NONE, Continuing.NONE),
        (None, Continuing.NONE, Continuing.NONE),
    ],
)
def test_a_model_that_is_to_think_is_not_put_into_mid_answer(
    reasoning: Reasoning | None, how: Continuing, then: Continuing
) -> None:
    assert way_to_continue(replace(ASKED, reasoning=reasoning), how) is then


# --- how they are asked


def test_a_prefill_is_the_text_without_white_space_at_its_end() -> None:
    asked = continued(ASKED, TEXT, PREFILL, delivered_tokens=20)

    assert asked == replace(ASKED, prefill=TEXT.rstrip(), max_output_tokens=80)
    assert asked.turns == (HELLO, Message("assistant", (Text(TEXT.rstrip()),)))


def test_an_echo_is_asked_for_the_last_64_characters() -> None:
    asked = continued(ASKED, TEXT, ECHO, delivered_tokens=20)

    assert asked.prefill is None
    assert asked.turns == (
        HELLO,
        Message("assistant", (Text(TEXT),)),
        Message("user", (Text(GO_ON + TEXT[-64:]),)),
    )


@pytest.mark.parametrize("how", [PREFILL, ECHO])
@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_text_without_words_makes_the_question_be_asked_again(how: Continuing, text: str) -> None:
    assert continued(ASKED, text, how, delivered_tokens=0) == ASKED


@pytest.mark.parametrize(
    ("limit", "delivered", "how", "left"),
    [
        pytest.param(100, 30, PREFILL, 70, id="it shrinks by what was delivered"),
        pytest.param(30, 30, PREFILL, 1, id="1 at least"),
        pytest.param(20, 30, PREFILL, 1, id="also if more was delivered than may be"),
        pytest.param(None, 30, PREFILL, None, id="none stays none"),
        pytest.param(None, 30, ECHO, None, id="none stays none, in an echo"),
        pytest.param(100, 30, ECHO, 70 + 22, id="an echo's repetition is on top"),  # 30 * 64 / 86
    ],
)
def test_the_output_limit(
    limit: int | None, delivered: int, how: Continuing, left: int | None
) -> None:
    asked = replace(ASKED, max_output_tokens=limit)

    assert continued(asked, TEXT, how, delivered_tokens=delivered).max_output_tokens == left


# --- a prefill in each target's words

PREFILLED = replace(ASKED, prefill="Water waits")


@pytest.mark.parametrize(
    ("surface", "flags"),
    [
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
        (VLLM, {"continue_final_message": True, "add_generation_prompt": False}),
        # https://github.com/ollama/ollama/issues/6778
        (OLLAMA, {}),
        # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
        (LOCALAI, {}),
        (OPENAI, {}),
    ],
    ids=["vLLM", "Ollama", "LocalAI", "compatible with OpenAI"],
)
def test_a_prefill_for_openai_compatible_servers(surface: Surface, flags: dict[str, bool]) -> None:
    plain = json.loads(encode_conversation(ASKED, model="m", surface=surface).body)
    fields = json.loads(encode_conversation(PREFILLED, model="m", surface=surface).body)

    last = {"role": "assistant", "content": "Water waits"}
    assert fields == {**plain, **flags, "messages": [*plain["messages"], last]}


def test_a_prefill_for_anthropic() -> None:
    body = encode_anthropic(PREFILLED, model="claude-opus-4-5", default_max_tokens=9).body

    content = [{"type": "text", "text": "Water waits"}]
    assert json.loads(body)["messages"][1:] == [{"role": "assistant", "content": content}]


def test_a_prefill_for_claude_on_bedrock() -> None:
    body = encode_bedrock(PREFILLED, model="anthropic.claude-3-haiku-20240307-v1:0").body

    last = {"role": "assistant", "content": [{"text": "Water waits"}]}
    assert json.loads(body)["messages"][1:] == [last]


def test_other_models_on_bedrock_take_no_prefill() -> None:
    with pytest.raises(Unsupported, match="Amazon Bedrock"):
        encode_bedrock(PREFILLED, model="us.amazon.nova-pro-v1:0")


def test_gemini_takes_no_prefill() -> None:
    with pytest.raises(Unsupported, match="Gemini"):
        encode_gemini(PREFILLED, model="gemini-2.5-flash")


def test_a_prefill_is_a_part_of_the_text_that_is_counted() -> None:
    assert conversation_text(PREFILLED) == "Hello\nWater waits"

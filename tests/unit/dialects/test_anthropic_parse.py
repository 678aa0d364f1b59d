"""A caller's request to Anthropic's messages as a conversation.

Fields after https://platform.claude.com/docs/en/api/messages/create; paths of wrong fields as
Anthropic's own messages have them (`messages.0.content.0.text: Field required`).
"""

import json
from typing import Any

import pytest

from forebay.dialects.anthropic_messages_parse import parse_request
from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Part,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    refuse_untranslated,
)
from forebay.errors import InvalidRequest

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "f", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def body(**fields: Any) -> bytes:
    known = {"model": "claude", "max_tokens": 10, "messages": HELLO}
    return json.dumps({**known, **fields}).encode()


def parse(**fields: Any) -> Conversation:
    return parse_request(body(**fields))


def said(role: str, *blocks: Any) -> Conversation:
    return parse(messages=[{"role": role, "content": list(blocks)}])


# --- what is said


def test_the_least_request() -> None:
    conversation = parse()

    assert conversation == Conversation(
        model="claude",
        messages=(Message("user", (Text("Hello"),)),),
        max_output_tokens=10,
        field_names=conversation.field_names,
    )


@pytest.mark.parametrize(
    ("role", "block", "expected"),
    [
        ("user", {"type": "text", "text": "a"}, Text("a")),
        (
            "user",
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}},
            Image("image/png", "A"),
        ),
        (
            "user",
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            Image(None, None, "https://x/y.png"),
        ),
        (
            "assistant",
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            ToolUse("t", "f", '{"a": 1}'),
        ),
        (
            "user",
            {"type": "tool_result", "tool_use_id": "t", "content": "ok"},
            ToolResult("t", (Text("ok"),)),
        ),
        (
            "user",
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "is_error": True,
                "content": [{"type": "text", "text": "no"}],
            },
            ToolResult("t", (Text("no"),), is_error=True),
        ),
        ("user", {"type": "tool_result", "tool_use_id": "t"}, ToolResult("t", ())),
        (
            "assistant",
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            Thinking("Hm", "s"),
        ),
        ("assistant", {"type": "thinking", "thinking": "Hm", "signature": ""}, Thinking("Hm")),
        ("assistant", {"type": "redacted_thinking", "data": "r"}, Thinking("", redacted="r")),
    ],
)
def test_blocks(role: str, block: Any, expected: Part) -> None:
    conversation = said(role, block)

    assert conversation.messages[0].parts == (expected,)
    assert conversation.untranslated == ()


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Be brief.", ("Be brief.",)),
        ([{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}], ("Be", "brief.")),
        (None, ()),
    ],
)
def test_system_prompts(system: Any, expected: tuple[str, ...]) -> None:
    assert parse(system=system).system == expected


def test_system_prompts_may_come_as_first_messages() -> None:
    conversation = parse(system="a", messages=[{"role": "system", "content": "b"}, *HELLO])

    assert conversation.system == ("a", "b")
    assert len(conversation.messages) == 1


# --- what is asked


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"stream": True}, "stream", True),
        ({"stop_sequences": ["a", "b"]}, "stop", ("a", "b")),
        ({"temperature": 0.5, "top_p": 1, "top_k": 3}, "sampling", Sampling(0.5, 1.0, 3)),
        ({"metadata": {"user_id": "u"}}, "user", "u"),
        ({"metadata": {}}, "user", None),
        ({"tools": [TOOL]}, "tools", (Tool("f", None, {"type": "object"}),)),
        (
            {"tools": [{**TOOL, "type": "custom", "description": "d", "strict": True}]},
            "tools",
            (Tool("f", "d", {"type": "object"}, strict=True),),
        ),
        ({"tool_choice": {"type": "auto"}}, "tool_choice", ToolChoice("auto")),
        ({"tool_choice": {"type": "any"}}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "none"}}, "tool_choice", ToolChoice("none")),
        ({"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice", ToolChoice("named", "f")),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "parallel_tools",
            False,
        ),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
            "parallel_tools",
            True,
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "json_output",
            JsonOutput(schema={"type": "object"}),
        ),
        ({"output_config": {"effort": "max"}}, "reasoning", Reasoning("max")),
        ({"output_config": {}}, "reasoning", None),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            "reasoning",
            Reasoning(budget_tokens=2048),
        ),
        ({"thinking": {"type": "disabled"}}, "reasoning", Reasoning(enabled=False)),
        (
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
            },
            "reasoning",
            Reasoning("low"),
        ),
    ],
)
def test_fields(fields: dict[str, Any], name: str, expected: object) -> None:
    conversation = parse(**fields)

    assert getattr(conversation, name) == expected
    assert conversation.untranslated == ()


# --- what has no counterpart


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"container": "c"}, "container"),
        ({"service_tier": "standard_only"}, "service_tier"),
        ({"speed": "fast"}, "speed"),
        ({"metadata": {"user_id": "u", "x": 1}}, "metadata.x"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "thinking.display"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools.1"),
        ({"tools": [{**TOOL, "defer_loading": True}]}, "tools.0.defer_loading"),
        ({"messages": [*HELLO, {"role": "system", "content": "x"}]}, "messages.1.role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
            "messages.0.content.0",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}
                ]
            },
            "messages.0.content.0.source",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "text", "text": "a", "citations": [{}]}],
                    }
                ]
            },
            "messages.0.content.0.citations",
        ),
    ],
)
def test_what_has_no_counterpart_is_named(fields: dict[str, Any], expected: str) -> None:
    conversation = parse(**fields)

    assert conversation.untranslated == (expected,)
    with pytest.raises(InvalidRequest) as raised:
        refuse_untranslated(conversation, "Anybody")
    assert raised.value.param == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"service_tier": "auto"},
        {"speed": "standard"},
        {"container": None},
        {"tool_choice": None, "metadata": None, "thinking": None, "output_config": None},
        {"messages": [{"role": "assistant", "content": [{**USE, "caller": {"type": "direct"}}]}]},
    ],
    ids=json.dumps,
)
def test_hints_and_what_says_nothing_may_be_left_undone(fields: dict[str, Any]) -> None:
    assert parse(**fields).untranslated == ()


# --- what is wrong


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": None}, "model", "model: Expected `str`, got `null`."),
        ({"max_tokens": 0}, "max_tokens", "max_tokens: Expected `int` >= 1."),
        ({"messages": []}, "messages", "messages: Expected `array` of length >= 1."),
        ({"stop_sequences": ["a", 5]}, "stop_sequences", None),
        ({"temperature": 1.5}, "temperature", "temperature: Expected `float` <= 1.0."),
        ({"messages": [{"role": "user"}]}, "messages.0.content", None),
        ({"messages": [{"role": "secret", "content": ""}]}, "messages.0.role", None),
        ({"messages": ["secret"]}, "messages.0", None),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages.0.content.0", None),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages.0.content.0.text",
            "messages.0.content.0.text: Field required.",
        ),
        (
            {"messages": [{"role": "user", "content": [USE]}]},
            "messages.0.content.0.type",
            "messages.0.content.0.type: no 'tool_use' block can stand here.",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{**USE, "input": "secret"}]}]},
            "messages.0.content.0.input",
            None,
        ),
        ({"system": [{"type": "image", "source": {}}]}, "system.0.type", None),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema", None),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", None),
        ({"tool_choice": {"type": "auto", "name": "f"}}, "tool_choice.name", None),
        (
            {"tool_choice": {"type": "secret"}},
            "tool_choice.type",
            "tool_choice.type: Invalid value.",
        ),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", None),
        (
            {"output_config": {"format": {"type": "json_schema"}}},
            "output_config.format.schema",
            None,
        ),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, message: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse(**fields)

    assert (raised.value.param or "").startswith(param)
    assert message in {None, raised.value.message}
    assert "secret" not in raised.value.message


def test_max_tokens_is_wanted() -> None:
    with pytest.raises(InvalidRequest, match=r"max_tokens: Field required\.") as raised:
        parse_request(b'{"model": "c", "messages": [{"role": "user", "content": "a"}]}')
    assert raised.value.param == "max_tokens"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"model": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"x": ' + b"[" * 100_000, id="deep"),
        pytest.param(
            body(tools=[TOOL]).replace(b'{"type": "object"}', b'{"a": 1e999}'), id="beyond a float"
        ),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_request(data)

"""A conversation as a request to Anthropic.

Expected fields after https://platform.claude.com/docs/en/api/messages/create, `output_config`
after https://platform.claude.com/docs/en/build-with-claude/structured-outputs and …/effort.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.dialects.anthropic_messages_encode import encode_request
from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from forebay.errors import InvalidRequest

HELLO = Conversation("fast", (Message("user", (Text("Hello"),)),))
TOOL = Tool("f", None, {})
SCHEMA = {"type": "object", "properties": {}}


def encode(conversation: Conversation) -> dict[str, Any]:
    request = encode_request(conversation, model="claude-x", default_max_tokens=100)
    fields = json.loads(request.body)
    assert isinstance(fields, dict)
    return fields


def blocks(*parts: Part) -> Any:
    return encode(replace(HELLO, messages=(Message("assistant", parts),)))["messages"]


def test_the_least_request() -> None:
    request = encode_request(HELLO, model="claude-x", default_max_tokens=100)

    assert request.path == "/messages"
    assert request.headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
    }
    assert not request.stream
    assert json.loads(request.body) == {
        "model": "claude-x",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


def test_a_stream_is_asked_for_in_both_places() -> None:
    request = encode_request(replace(HELLO, stream=True), model="c", default_max_tokens=1)

    assert request.stream
    assert json.loads(request.body)["stream"] is True


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"max_output_tokens": 7}, "max_tokens", 7),
        (
            {"system": ("a", "", "b")},
            "system",
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        ),
        ({"stop": ("x",)}, "stop_sequences", ["x"]),
        ({"sampling": Sampling(temperature=0.0)}, "temperature", 0.0),
        ({"sampling": Sampling(temperature=1.0)}, "temperature", 1.0),
        ({"sampling": Sampling(top_p=0.5)}, "top_p", 0.5),
        ({"sampling": Sampling(top_k=5)}, "top_k", 5),
        ({"user": "u"}, "metadata", {"user_id": "u"}),
        ({"tools": (TOOL,)}, "tools", [{"name": "f", "input_schema": {"type": "object"}}]),
        (
            {"tools": (Tool("f", "d", SCHEMA, strict=True),)},
            "tools",
            [{"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}],
        ),
        ({"tool_choice": ToolChoice("auto")}, "tool_choice", {"type": "auto"}),
        ({"tool_choice": ToolChoice("required")}, "tool_choice", {"type": "any"}),
        ({"tool_choice": ToolChoice("named", "f")}, "tool_choice", {"type": "tool", "name": "f"}),
        (
            {"tool_choice": ToolChoice("none"), "parallel_tools": False},
            "tool_choice",
            {"type": "none"},
        ),
        (
            {"tools": (TOOL,), "parallel_tools": False},
            "tool_choice",
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        ({"tools": (TOOL,), "parallel_tools": True}, "tool_choice", None),
        ({"parallel_tools": False}, "tool_choice", None),
        (
            {"json_output": JsonOutput("n", SCHEMA, strict=True)},
            "output_config",
            {"format": {"type": "json_schema", "schema": SCHEMA}},
        ),
        ({"reasoning": Reasoning("high")}, "output_config", {"effort": "high"}),
        ({"reasoning": Reasoning("high")}, "thinking", {"type": "adaptive"}),
        (
            {"reasoning": Reasoning(budget_tokens=2048)},
            "thinking",
            {"type": "enabled", "budget_tokens": 2048},
        ),
        ({"reasoning": Reasoning(enabled=False)}, "thinking", {"type": "disabled"}),
        ({"sampling": Sampling(frequency_penalty=0.0, presence_penalty=0.0)}, "seed", None),
    ],
)
def test_fields(changes: dict[str, Any], name: str, expected: object) -> None:
    assert encode(replace(HELLO, **changes)).get(name) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Text("a"), {"type": "text", "text": "a"}),
        (Refusal("no"), {"type": "text", "text": "no"}),
        (
            Image("image/png", "AA"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AA"},
            },
        ),
        (
            Image(None, None, "https://x/y", "high"),
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
        ),
        (
            ToolUse("t", "f", '{"a": 12345678901234567890123}'),
            {
                "type": "tool_use",
                "id": "t",
                "name": "f",
                "input": {"a": 12345678901234567890123},
            },
        ),
        (ToolUse("t", "f", ""), {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        (
            ToolResult("t", (Text("ok"), Text("")), is_error=True),
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [{"type": "text", "text": "ok"}],
                "is_error": True,
            },
        ),
        (ToolResult("t", ()), {"type": "tool_result", "tool_use_id": "t"}),
        (Thinking("Hm", "s"), {"type": "thinking", "thinking": "Hm", "signature": "s"}),
        (Thinking("", redacted="r"), {"type": "redacted_thinking", "data": "r"}),
    ],
)
def test_parts(part: Part, expected: dict[str, Any]) -> None:
    assert blocks(part) == [{"role": "assistant", "content": [expected]}]


@pytest.mark.parametrize("part", [Text(""), Thinking("another provider's")], ids=repr)
def test_what_anthropic_refuses_as_empty_or_foreign_is_left_out(part: Part) -> None:
    assert blocks(part) == []


def test_turns_of_one_role_become_one() -> None:
    turns = (
        Message("user", (Text("a"),)),
        Message("user", (Text("b"),)),
        Message("assistant", (Text("c"),)),
        Message("user", (Text("d"),)),
    )

    messages = encode(replace(HELLO, messages=turns))["messages"]

    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert [block["text"] for block in messages[0]["content"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"choices": 2}, "n"),
        ({"sampling": Sampling(seed=0)}, "seed"),
        ({"sampling": Sampling(frequency_penalty=0.1)}, "frequency_penalty"),
        ({"sampling": Sampling(presence_penalty=-1.0)}, "presence_penalty"),
        ({"sampling": Sampling(temperature=1.01)}, "temperature"),
        ({"json_output": JsonOutput()}, "response_format"),
        ({"reasoning": Reasoning("minimal")}, "reasoning_effort"),
        ({"untranslated": ("logit_bias",)}, "logit_bias"),
        (
            {"messages": (Message("user", (Image(None, None, "https://x", "low"),)),)},
            "detail",
        ),
    ],
)
def test_what_anthropic_cannot_do_is_refused_by_the_callers_name(
    changes: dict[str, Any], param: str
) -> None:
    names = {
        "choices": "n",
        "json_output": "response_format",
        "reasoning.effort": "reasoning_effort",
    }

    with pytest.raises(InvalidRequest) as raised:
        encode(replace(HELLO, field_names=names, **changes))
    assert raised.value.param == param


@pytest.mark.parametrize("arguments", ["[]", "secret", '{"a": ', "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(InvalidRequest, match="no JSON object") as raised:
        blocks(ToolUse("t", "f", arguments))
    assert "secret" not in raised.value.message

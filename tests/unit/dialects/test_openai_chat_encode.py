"""A conversation in the words of OpenAI and what is compatible with it.

Expected values are what https://platform.openai.com/docs/api-reference/chat/create says of each
field.
"""

import json
from typing import Any

import pytest

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
    Unsupported,
)
from forebay.dialects.openai_chat_encode import (
    LOCALAI,
    OLLAMA,
    OPENAI,
    VLLM,
    Surface,
    encode_conversation,
)

HELLO = (Message("user", (Text("Hello"),)),)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def sent(surface: Surface = OPENAI, **asked: Any) -> dict[str, Any]:
    conversation = Conversation("caller's", **{"messages": HELLO, **asked})
    request = encode_conversation(conversation, model="t", surface=surface)
    fields: dict[str, Any] = json.loads(request.body)
    return fields


def user(*parts: Part) -> Message:
    return Message("user", parts)


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


def test_the_least_request_has_a_model_and_messages() -> None:
    request = encode_conversation(Conversation("m", HELLO), model="t")

    assert json.loads(request.body) == {
        "model": "t",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    assert request.path == "/chat/completions"
    assert request.headers == {"content-type": "application/json"}
    assert not request.stream


def test_a_stream_always_asks_for_usage() -> None:
    request = encode_conversation(Conversation("m", HELLO, stream=True), model="t")

    fields = json.loads(request.body)
    assert (fields["stream"], fields["stream_options"]) == (True, {"include_usage": True})
    assert request.stream


# --- what is asked

WISHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "limit": ({"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    "stop": ({"stop": ("a", "b")}, {"stop": ["a", "b"]}),
    "sampling": (
        {
            "sampling": Sampling(
                temperature=0, top_p=0.5, frequency_penalty=-1, presence_penalty=1, seed=0
            )
        },
        {
            "temperature": 0,
            "top_p": 0.5,
            "frequency_penalty": -1,
            "presence_penalty": 1,
            "seed": 0,
        },
    ),
    "tools": (
        {"tools": (Tool("f", "Does.", SCHEMA, strict=True), Tool("g", None, SCHEMA))},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "Does.",
                        "parameters": SCHEMA,
                        "strict": True,
                    },
                },
                {"type": "function", "function": {"name": "g", "parameters": SCHEMA}},
            ]
        },
    ),
    "any tool or none": ({"tool_choice": ToolChoice("auto")}, {"tool_choice": "auto"}),
    "no tool": ({"tool_choice": ToolChoice("none")}, {"tool_choice": "none"}),
    "some tool": ({"tool_choice": ToolChoice("required")}, {"tool_choice": "required"}),
    "one tool": (
        {"tool_choice": ToolChoice("named", "f")},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    "one tool at a time": ({"parallel_tools": False}, {"parallel_tool_calls": False}),
    "any JSON": ({"json_output": JsonOutput()}, {"response_format": {"type": "json_object"}}),
    "JSON of a schema": (
        {"json_output": JsonOutput("w", SCHEMA, strict=True)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "JSON of a nameless schema": (
        {"json_output": JsonOutput(schema=SCHEMA)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA},
            }
        },
    ),
    "an effort": ({"reasoning": Reasoning("minimal")}, {"reasoning_effort": "minimal"}),
    "an effort and a budget": ({"reasoning": Reasoning("max", 99)}, {"reasoning_effort": "max"}),
    "no reasoning": ({"reasoning": Reasoning(enabled=False)}, {"reasoning_effort": "none"}),
    "some reasoning": ({"reasoning": Reasoning()}, {}),
    "a small budget": ({"reasoning": Reasoning(None, 1024)}, {"reasoning_effort": "low"}),
    "a budget": ({"reasoning": Reasoning(None, 1025)}, {"reasoning_effort": "medium"}),
    "a fair budget": ({"reasoning": Reasoning(None, 8192)}, {"reasoning_effort": "medium"}),
    "a large budget": ({"reasoning": Reasoning(None, 8193)}, {"reasoning_effort": "high"}),
    "choices": ({"choices": 2}, {"n": 2}),
    "user": ({"user": "u"}, {"user": "u"}),
    "instructions": (
        {"system": ("Be brief.",), "messages": ()},
        {"messages": [{"role": "system", "content": "Be brief."}]},
    ),
    "more instructions": (
        {"system": ("a", "b"), "messages": ()},
        {
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                }
            ]
        },
    ),
}


@pytest.mark.parametrize(("asked", "expected"), WISHES.values(), ids=WISHES)
def test_a_wish_has_its_field(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    least = {"model": "t", "messages": [{"role": "user", "content": "Hello"}]}

    assert sent(**asked) == {**least, **expected}


SURFACES: dict[str, tuple[Surface, dict[str, Any], dict[str, Any]]] = {
    "vLLM knows top_k": (VLLM, {"sampling": Sampling(top_k=40)}, {"top_k": 40}),
    "LocalAI knows top_k": (LOCALAI, {"sampling": Sampling(top_k=40)}, {"top_k": 40}),
    "Ollama's limit": (OLLAMA, {"max_output_tokens": 9}, {"max_tokens": 9}),
    "LocalAI's limit": (LOCALAI, {"max_output_tokens": 9}, {"max_tokens": 9}),
    "vLLM's limit": (VLLM, {"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    "a refusal is text": (
        VLLM,
        {"messages": (assistant(Refusal("No.")),)},
        {"messages": [{"role": "assistant", "content": "No."}]},
    ),
}


@pytest.mark.parametrize(("surface", "asked", "expected"), SURFACES.values(), ids=SURFACES)
def test_compatible_targets_have_their_own_fields(
    surface: Surface, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    fields = sent(surface, **asked)

    assert fields | expected == fields


def test_what_happens_anyway_may_be_asked_of_a_target_that_cannot_choose() -> None:
    fields = sent(OLLAMA, tool_choice=ToolChoice("auto"), parallel_tools=True)

    assert fields.keys() == {"model", "messages"}


# --- messages

MESSAGES: dict[str, tuple[Message, list[dict[str, Any]]]] = {
    "text": (user(Text("a")), [{"role": "user", "content": "a"}]),
    "pictures": (
        user(Text("a"), Image("image/png", "AAAA"), Image(None, None, "https://x/y", "low")),
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
                ],
            }
        ],
    ),
    "a picture alone": (
        user(Image(None, None, "https://x/y")),
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}],
            }
        ],
    ),
    "results and what the user says": (
        user(
            ToolResult("c1", (Text("one"),)),
            ToolResult("c2", (Text("tw"), Text("o"))),
            ToolResult("c3", ()),
            Text("a"),
        ),
        [
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {
                "role": "tool",
                "tool_call_id": "c2",
                "content": [{"type": "text", "text": "tw"}, {"type": "text", "text": "o"}],
            },
            {"role": "tool", "tool_call_id": "c3", "content": ""},
            {"role": "user", "content": "a"},
        ],
    ),
    "what the user says and a result": (
        user(Text("a"), ToolResult("c1", (Text("one"),))),
        [
            {"role": "user", "content": "a"},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
        ],
    ),
    "a failure says so": (
        user(
            ToolResult("c1", (Text("No such city."),), is_error=True),
            ToolResult("c2", (), is_error=True),
        ),
        [
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": "The tool failed.\nNo such city.",
            },
            {"role": "tool", "tool_call_id": "c2", "content": "The tool failed."},
        ],
    ),
    "an answer": (assistant(Text("a")), [{"role": "assistant", "content": "a"}]),
    "an answer in parts": (
        assistant(Text("a"), Text("b")),
        [
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ],
    ),
    "a refusal": (
        assistant(Refusal("No.")),
        [{"role": "assistant", "content": None, "refusal": "No."}],
    ),
    "tool calls": (
        assistant(ToolUse("c1", "f", '{"a":1}'), ToolUse("c2", "g", "")),
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "type": "function",
                        "id": "c1",
                        "function": {"name": "f", "arguments": '{"a":1}'},
                    },
                    {
                        "type": "function",
                        "id": "c2",
                        "function": {"name": "g", "arguments": "{}"},
                    },
                ],
            }
        ],
    ),
    "words come before tool calls": (
        assistant(ToolUse("c1", "f", "{}"), Text("a")),
        [
            {
                "role": "assistant",
                "content": "a",
                "tool_calls": [
                    {"type": "function", "id": "c1", "function": {"name": "f", "arguments": "{}"}}
                ],
            }
        ],
    ),
    "reasoning stays with its provider": (
        assistant(Thinking("Hm.", "signed"), Text("a")),
        [{"role": "assistant", "content": "a"}],
    ),
    "reasoning alone": (assistant(Thinking("", redacted="x")), []),
    "nothing": (user(), []),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_turn_becomes_messages(message: Message, expected: list[dict[str, Any]]) -> None:
    assert sent(messages=(message,))["messages"] == expected


# --- what the target cannot do

FIELD_NAMES = {"choices": "n", "parallel_tools": "disable_parallel_tool_use"}

UNSUPPORTED: dict[str, tuple[Surface, dict[str, Any], str, str]] = {
    "top_k": (OPENAI, {"sampling": Sampling(top_k=1)}, "top_k", "OpenAI"),
    "Ollama's choices": (OLLAMA, {"choices": 2}, "n", "Ollama"),
    "Ollama's tools": (OLLAMA, {"parallel_tools": False}, "disable_parallel_tool_use", "Ollama"),
    "Ollama's tool choice": (
        OLLAMA,
        {"tool_choice": ToolChoice("required")},
        "tool_choice",
        "Ollama",
    ),
    "LocalAI's tools": (LOCALAI, {"parallel_tools": False}, "disable_parallel_tool_use", "LocalAI"),
    "untranslated": (VLLM, {"untranslated": ("cache_control",)}, "cache_control", "vLLM"),
    "a picture from a tool": (
        OPENAI,
        {"messages": (*HELLO, user(ToolResult("c", (Image("image/png", "AAAA"),))))},
        "messages[1]",
        "OpenAI",
    ),
    "a picture from the model": (
        OPENAI,
        {"messages": (assistant(Image("image/png", "AAAA")),)},
        "messages[0]",
        "OpenAI",
    ),
    "reasoning of the user": (
        OPENAI,
        {"messages": (user(Thinking("Hm.")),)},
        "messages[0]",
        "OpenAI",
    ),
}


@pytest.mark.parametrize(
    ("surface", "asked", "param", "provider"), UNSUPPORTED.values(), ids=UNSUPPORTED
)
def test_what_the_target_cannot_do_is_refused_by_name(
    surface: Surface, asked: dict[str, Any], param: str, provider: str
) -> None:
    with pytest.raises(Unsupported, match=provider) as caught:
        sent(surface, field_names=FIELD_NAMES, **asked)

    assert caught.value.param == param

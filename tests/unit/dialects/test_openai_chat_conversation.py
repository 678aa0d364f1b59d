"""What an OpenAI caller asks for, in the canonical vocabulary.

Expected values are what https://platform.openai.com/docs/api-reference/chat/create says of each
field; `top_k`, `reasoning` and `reasoning_content` are vLLM's and DeepSeek's.
"""

import json
from dataclasses import replace
from typing import Any, get_type_hints

import msgspec
import pytest
from openai.types.chat import completion_create_params

from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
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
    refuse_untranslated,
)
from forebay.dialects.openai_chat import parse_request
from forebay.dialects.openai_chat_conversation import to_conversation
from forebay.dialects.openai_chat_fields import Fields
from forebay.errors import InvalidRequest

HELLO = {"role": "user", "content": "Hello"}


def understood(**fields: Any) -> Conversation:
    body = {"model": "m", "messages": [HELLO], **fields}
    return to_conversation(parse_request(json.dumps(body).encode()))


def said(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return understood(messages=list(messages)).messages


def user(*parts: Any) -> Message:
    return Message("user", parts)


def assistant(*parts: Any) -> Message:
    return Message("assistant", parts)


# --- what is asked

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "Now.", "parameters": SCHEMA, "strict": True}

FIELDS: dict[str, tuple[dict[str, Any], str, object]] = {
    "stream": ({"stream": True}, "stream", True),
    "n": ({"n": 3}, "choices", 3),
    "max_completion_tokens": ({"max_completion_tokens": 9}, "max_output_tokens", 9),
    "max_tokens": ({"max_tokens": 9}, "max_output_tokens", 9),
    "both limits": ({"max_tokens": 9, "max_completion_tokens": 9}, "max_output_tokens", 9),
    "one stop": ({"stop": "END"}, "stop", ("END",)),
    "stops": ({"stop": ["a", "b"]}, "stop", ("a", "b")),
    "null stop": ({"stop": None}, "stop", ()),
    "sampling": (
        {
            "temperature": 0.5,
            "top_p": 1,
            "top_k": 40,
            "frequency_penalty": -2,
            "presence_penalty": 2.0,
            "seed": -7,
        },
        "sampling",
        Sampling(0.5, 1.0, 40, -2.0, 2.0, -7),
    ),
    "tools": (
        {"tools": [{"type": "function", "function": FUNCTION}]},
        "tools",
        (Tool("weather", "Now.", SCHEMA, strict=True),),
    ),
    "a tool without parameters": (
        {"tools": [{"type": "function", "function": {"name": "now"}}]},
        "tools",
        (Tool("now", None, {"type": "object", "properties": {}}),),
    ),
    "tool_choice auto": ({"tool_choice": "auto"}, "tool_choice", ToolChoice("auto")),
    "tool_choice none": ({"tool_choice": "none"}, "tool_choice", ToolChoice("none")),
    "tool_choice required": ({"tool_choice": "required"}, "tool_choice", ToolChoice("required")),
    "tool_choice named": (
        {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        "tool_choice",
        ToolChoice("named", "weather"),
    ),
    "no tool_choice": ({"tool_choice": None}, "tool_choice", None),
    "parallel_tool_calls": ({"parallel_tool_calls": False}, "parallel_tools", False),
    "text": ({"response_format": {"type": "text"}}, "json_output", None),
    "json_object": ({"response_format": {"type": "json_object"}}, "json_output", JsonOutput()),
    "json_schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
            }
        },
        "json_output",
        JsonOutput("w", SCHEMA, strict=True),
    ),
    "reasoning_effort": ({"reasoning_effort": "low"}, "reasoning", Reasoning("low")),
    "no reasoning": ({"reasoning_effort": "none"}, "reasoning", Reasoning(enabled=False)),
    "reasoning by default": ({"reasoning_effort": None}, "reasoning", None),
    "user": ({"user": "u1"}, "user", "u1"),
    "safety_identifier": ({"safety_identifier": "u1"}, "user", "u1"),
}


@pytest.mark.parametrize(("asked", "name", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field_has_its_counterpart(asked: dict[str, Any], name: str, expected: object) -> None:
    conversation = understood(**asked)

    assert getattr(conversation, name) == expected
    assert conversation.untranslated == ()


def test_nothing_asked_is_nothing_asked() -> None:
    conversation = understood()

    assert conversation == Conversation(
        "m", (user(Text("Hello")),), field_names=conversation.field_names
    )


NAMES: dict[str, tuple[dict[str, Any], str, str]] = {
    "the newer limit": ({"max_completion_tokens": 9}, "max_output_tokens", "max_completion_tokens"),
    "the older limit": ({"max_tokens": 9}, "max_output_tokens", "max_tokens"),
    "no limit": ({}, "max_output_tokens", "max_completion_tokens"),
    "the newer user": ({"safety_identifier": "u"}, "user", "safety_identifier"),
    "the older user": ({"user": "u"}, "user", "user"),
    "sampling": ({"seed": 1}, "sampling.seed", "seed"),
    "choices": ({"n": 2}, "choices", "n"),
    "json": ({}, "json_output", "response_format"),
    "effort": ({}, "reasoning.effort", "reasoning_effort"),
}


@pytest.mark.parametrize(("asked", "name", "param"), NAMES.values(), ids=NAMES)
def test_a_refusal_names_the_field_as_its_caller_does(
    asked: dict[str, Any], name: str, param: str
) -> None:
    assert Unsupported(understood(**asked), name, "T").param == param


# --- what has no counterpart

UNTRANSLATED: dict[str, tuple[dict[str, Any], str]] = {
    "logprobs": ({"logprobs": True}, "logprobs"),
    "top_logprobs": ({"top_logprobs": 2}, "top_logprobs"),
    "logit_bias": ({"logit_bias": {"1": 2}}, "logit_bias"),
    "store": ({"store": True}, "store"),
    "metadata": ({"metadata": {"a": "b"}}, "metadata"),
    "service_tier": ({"service_tier": "flex"}, "service_tier"),
    "modalities": ({"modalities": ["text", "audio"]}, "modalities"),
    "audio": ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    "prediction": ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    "verbosity": ({"verbosity": "low"}, "verbosity"),
    "web_search_options": (
        {"web_search_options": {"search_context_size": "low"}},
        "web_search_options",
    ),
    "prompt_cache_key": ({"prompt_cache_key": "k"}, "prompt_cache_key"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "function_call": ({"function_call": "auto"}, "function_call"),
    "a field of tomorrow": ({"x_new": 0}, "x_new"),
    "a custom tool": (
        {"tools": [{"type": "custom", "custom": {"name": "c"}}]},
        "tools[0]",
    ),
    "a named custom tool": (
        {"tool_choice": {"type": "custom", "custom": {"name": "c"}}},
        "tool_choice",
    ),
    "allowed tools": (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
        "tool_choice",
    ),
    "a schema's description": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "description": "d"},
            }
        },
        "response_format.json_schema.description",
    ),
    "two limits": ({"max_tokens": 9, "max_completion_tokens": 8}, "max_tokens"),
    "two users": ({"user": "u", "safety_identifier": "s"}, "user"),
    "sound": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}
            ]
        },
        "messages[0].content[0]",
    ),
    "a document": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        "messages[0].content[0]",
    ),
    "an empty document": (
        {"messages": [{"role": "user", "content": [{"type": "file"}]}]},
        "messages[0].content[0]",
    ),
    "a participant's name": ({"messages": [{**HELLO, "name": "Ann"}]}, "messages[0].name"),
    "earlier sound": (
        {"messages": [HELLO, {"role": "assistant", "audio": {"id": "a"}}]},
        "messages[1].audio",
    ),
    "a custom tool's call": (
        {
            "messages": [
                HELLO,
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"type": "custom", "id": "c", "custom": {"name": "c", "input": "x"}}
                    ],
                },
            ]
        },
        "messages[1].tool_calls[0]",
    ),
    "instructions in mid-conversation": (
        {"messages": [HELLO, {"role": "system", "content": "Be brief."}]},
        "messages[1].role",
    ),
}


@pytest.mark.parametrize(("asked", "path"), UNTRANSLATED.values(), ids=UNTRANSLATED)
def test_what_has_no_counterpart_is_refused_by_its_whole_path(
    asked: dict[str, Any], path: str
) -> None:
    conversation = understood(**asked)

    assert conversation.untranslated == (path,)
    with pytest.raises(Unsupported) as caught:
        refuse_untranslated(conversation, "T")
    assert caught.value.param == path


NO_WISHES: dict[str, dict[str, Any]] = {
    "n": {"n": 1},
    "no n": {"n": None},
    "logprobs": {"logprobs": False},
    "top_logprobs": {"top_logprobs": 0},
    "store": {"store": False},
    "stream_options": {"stream_options": {"include_usage": True, "include_obfuscation": False}},
    "service_tier auto": {"service_tier": "auto"},
    "service_tier default": {"service_tier": "default"},
    "modalities": {"modalities": ["text"]},
    "verbosity": {"verbosity": "medium"},
    "null": {"x_new": None},
    "an empty list": {"functions": []},
    "an empty object": {"metadata": {}},
    "null in a message": {"messages": [{**HELLO, "name": None}]},
}


@pytest.mark.parametrize("asked", NO_WISHES.values(), ids=NO_WISHES)
def test_what_asks_for_what_happens_anyway_is_no_wish(asked: dict[str, Any]) -> None:
    conversation = understood(**asked)

    assert conversation.untranslated == ()
    assert conversation.choices == 1


OTHERS = get_type_hints(completion_create_params.CompletionCreateParamsBase).keys() - set(
    Fields.__struct_fields__
)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_every_documented_field_without_counterpart_is_refused(name: str) -> None:
    assert understood(**{name: "a wish"}).untranslated == (name,)


# --- messages

PNG = "iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
OTHER_CALL = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}
USES = (ToolUse("c1", "f", '{"a":1}'), ToolUse("c2", "g", ""))

MESSAGES: dict[str, tuple[list[dict[str, Any]], tuple[Message, ...]]] = {
    "a string": ([HELLO], (user(Text("Hello")),)),
    "parts": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
                ],
            }
        ],
        (user(Text("a"), Image("image/png", PNG), Image(None, None, "https://x/y", "low")),),
    ),
    "two users": ([HELLO, HELLO], (user(Text("Hello")), user(Text("Hello")))),
    "an assistant": (
        [{"role": "assistant", "content": "Hi", "tool_calls": None}],
        (assistant(Text("Hi")),),
    ),
    "an assistant's parts": (
        [
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}],
            }
        ],
        (assistant(Text("a"), Refusal("b")),),
    ),
    "a refusal": (
        [{"role": "assistant", "content": None, "refusal": "No."}],
        (assistant(Refusal("No.")),),
    ),
    "DeepSeek's reasoning": (
        [{"role": "assistant", "content": "42", "reasoning_content": "Hm."}],
        (assistant(Thinking("Hm."), Text("42")),),
    ),
    "vLLM's reasoning": (
        [{"role": "assistant", "content": "42", "reasoning": "Hm."}],
        (assistant(Thinking("Hm."), Text("42")),),
    ),
    "an empty answer": ([{"role": "assistant", "content": ""}], (assistant(Text("")),)),
    "tool calls": (
        [{"role": "assistant", "content": "", "tool_calls": [CALL, {**OTHER_CALL, "index": 1}]}],
        (assistant(*USES),),
    ),
    "results and what the user says next": (
        [
            {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, OTHER_CALL]},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": [{"type": "text", "text": "o"}, {"type": "text", "text": "ne"}],
            },
            HELLO,
            HELLO,
        ],
        (
            assistant(Text("Let me see."), *USES),
            user(
                ToolResult("c2", (Text("two"),)),
                ToolResult("c1", (Text("o"), Text("ne"))),
                Text("Hello"),
            ),
            user(Text("Hello")),
        ),
    ),
    "a result after a user": (
        [HELLO, {"role": "tool", "tool_call_id": "c1", "content": "one"}],
        (user(Text("Hello")), user(ToolResult("c1", (Text("one"),)))),
    ),
    "functions, before there were tools": (
        [
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": None},
        ],
        (
            assistant(ToolUse("messages[0].function_call", "f", "{}")),
            user(ToolResult("messages[0].function_call", (Text("one"),))),
            assistant(ToolUse("messages[2].function_call", "f", "{}")),
            user(ToolResult("messages[2].function_call", (Text(""),))),
        ),
    ),
}


@pytest.mark.parametrize(("messages", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_messages_become_turns(
    messages: list[dict[str, Any]], expected: tuple[Message, ...]
) -> None:
    assert said(*messages) == expected


def test_instructions_of_either_name_come_first_and_in_order() -> None:
    conversation = understood(
        messages=[
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            {"role": "system", "content": ""},
            HELLO,
        ]
    )

    assert conversation.system == ("a", "b")
    assert conversation.messages == (user(Text("Hello")),)


# --- what is malformed


def image(url: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown part": (
        {"messages": [HELLO, HELLO, {"role": "user", "content": [{"type": "secret"}]}]},
        "messages[2].content[0].type",
    ),
    "a part without a type": (
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages[0].content[0].type",
    ),
    "a part for another role": (
        {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]},
        "messages[0].content[0].type",
    ),
    "an unknown role": ({"messages": [{"role": "secret"}]}, "messages[0].role"),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "content of no kind": ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
    "no parts": ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    "text of no kind": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
        "messages[0].content[0].text",
    ),
    "a picture without a type": (
        {"messages": [image("data:;base64,AAAA")]},
        "messages[0].content[0].image_url.url",
    ),
    "a picture that is not base64": (
        {"messages": [image("data:image/png,secret")]},
        "messages[0].content[0].image_url.url",
    ),
    "an empty picture": (
        {"messages": [image("data:image/png;base64,")]},
        "messages[0].content[0].image_url.url",
    ),
    "a result of no call": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
    ),
    "a function that was not called": (
        {"messages": [{"role": "function", "name": "secret", "content": "x"}]},
        "messages[0].name",
    ),
    "a call without a name": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"type": "function", "id": "c", "function": {"arguments": ""}}],
                }
            ]
        },
        "messages[0].tool_calls[0].function.name",
    ),
    "a stop that is no text": ({"stop": ["a", 1]}, "stop[1]"),
    "a limit that is no number": ({"max_tokens": "9"}, "max_tokens"),
    "an unknown choice": ({"tool_choice": "secret"}, "tool_choice"),
    "an unknown format": ({"response_format": {"type": "secret"}}, "response_format.type"),
    "a tool without a function": ({"tools": [{"type": "function"}]}, "tools[0].function"),
}


@pytest.mark.parametrize(("asked", "path"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_by_its_path_and_not_quoted(
    asked: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        understood(**asked)

    assert caught.value.param == path
    assert "secret" not in caught.value.message


def test_a_number_that_no_float_holds_is_refused() -> None:
    request = parse_request(b'{"model":"m","messages":[{"role":"user","content":1e999}]}')

    with pytest.raises(InvalidRequest):
        to_conversation(request)


def test_a_number_that_no_float_holds_in_an_unknown_field_is_untranslated() -> None:
    request = parse_request(b'{"model":"m","messages":[{"role":"user","content":"a"}],"x":1e999}')

    assert to_conversation(request).untranslated == ("x",)


def test_text_that_is_no_unicode_is_refused() -> None:
    sent = b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'

    with pytest.raises(InvalidRequest, match="JSON"):
        to_conversation(parse_request(sent))


def test_nesting_without_end_is_refused() -> None:
    request = parse_request(b'{"model":"m","messages":[{"role":"user","content":"a"}]}')
    deep = msgspec.Raw(b"[" * 5000 + b"]" * 5000)

    with pytest.raises(InvalidRequest, match="nested"):
        to_conversation(replace(request, fields={**request.fields, "x": deep}))

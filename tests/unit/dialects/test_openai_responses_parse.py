"""A request for a response as a conversation.

Fields after https://platform.openai.com/docs/api-reference/responses/create.
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
    refuse_untranslated,
)
from forebay.dialects.openai_responses_parse import parse_request
from forebay.errors import InvalidRequest

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
USE = ToolUse("c1", "f", '{"a":1}')


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hello", **fields}).encode()


def parse(**fields: Any) -> Conversation:
    return parse_request(body(**fields)).conversation


def said(*items: Any) -> tuple[Message, ...]:
    return parse(input=list(items)).messages


def by(role: str, *parts: Any) -> dict[str, Any]:
    return {"role": role, "content": list(parts)}


def output(call_id: str = "c1", value: Any = "42") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": value}


def refused(raw: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        parse_request(raw)
    return raised.value


# --- what is said


def test_the_least_request() -> None:
    conversation = parse()

    assert conversation == Conversation(
        model="m",
        messages=(Message("user", (Text("Hello"),)),),
        field_names=conversation.field_names,
    )


@pytest.mark.parametrize(
    ("role", "part", "expected"),
    [
        ("user", {"type": "input_text", "text": "a"}, Text("a")),
        (
            "user",
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
            Image(None, None, "https://x/y.png", "low"),
        ),
        (
            "user",
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
            Image("image/png", "QUJD"),
        ),
        ("assistant", {"type": "output_text", "text": "b", "annotations": []}, Text("b")),
        ("assistant", {"type": "refusal", "refusal": "no"}, Refusal("no")),
    ],
)
def test_a_part_of_a_message(role: str, part: dict[str, Any], expected: Part) -> None:
    (message,) = said(by(role, part))

    assert (message.role, message.parts) == (role, (expected,))


def test_a_message_may_leave_out_its_type_or_be_a_string() -> None:
    long = {"type": "message", **by("user", {"type": "input_text", "text": "a"})}

    assert said({"role": "user", "content": "a"}) == said(long)


def test_what_the_model_gave_in_a_row_is_one_turn() -> None:
    thought = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "h"}]}
    answer = {"type": "message", "id": "msg", "status": "completed", "phase": "final_answer"}

    (turn,) = said(
        thought, {**answer, **by("assistant", {"type": "output_text", "text": "a"})}, CALL
    )

    assert turn == Message("assistant", (Thinking("h"), Text("a"), USE))


def test_outputs_of_functions_are_one_turn_with_what_the_user_says_next() -> None:
    _, results, further = said(
        CALL,
        output(),
        output("c2"),
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    )

    assert [type(part) for part in results.parts] == [ToolResult, ToolResult, Text]
    assert further == Message("user", (Text("b"),))


def test_an_output_may_hold_parts() -> None:
    picture = {"type": "input_image", "image_url": "https://x"}

    (turn,) = said(output(value=[{"type": "input_text", "text": "a"}, picture]))

    assert turn.parts == (ToolResult("c1", (Text("a"), Image(None, None, "https://x"))),)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_come_first_and_then_those_among_the_items(role: str) -> None:
    items = [by(role, {"type": "input_text", "text": "two"}), {"role": "user", "content": "a"}]

    conversation = parse(instructions="one", input=items)

    assert conversation.system == ("one", "two")
    assert len(conversation.messages) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": [{"type": "reasoning_text", "text": "long"}]}, Thinking("long")),
        ({"encrypted_content": "signature:s"}, Thinking("short", "s")),
        ({"summary": [], "encrypted_content": "redacted:r"}, Thinking("", redacted="r")),
    ],
)
def test_reasoning_goes_back(fields: dict[str, Any], expected: Thinking) -> None:
    summary = [{"type": "summary_text", "text": "short"}]

    (turn,) = said({"type": "reasoning", "id": "rs", "summary": summary, **fields})

    assert turn.parts == (expected,)


def test_reasoning_without_anything_is_nothing() -> None:
    assert said({"type": "reasoning", "id": "rs", "summary": []}) == ()


def test_empty_words_of_the_model_are_no_part() -> None:
    empty = by("assistant", {"type": "output_text", "text": ""})

    assert said(empty, CALL) == (Message("assistant", (USE,)),)
    assert said(empty) == ()


# --- what is asked


@pytest.mark.parametrize(
    ("asked", "name", "expected"),
    [
        ({"stream": True}, "stream", True),
        ({"max_output_tokens": 9}, "max_output_tokens", 9),
        ({"temperature": 0.5, "top_p": 0.9}, "sampling", Sampling(0.5, 0.9)),
        ({"parallel_tool_calls": False}, "parallel_tools", False),
        ({"tool_choice": "required"}, "tool_choice", ToolChoice("required")),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            "tool_choice",
            ToolChoice("named", "f"),
        ),
        ({"text": {"format": {"type": "text"}}}, "json_output", None),
        ({"text": {"format": {"type": "json_object"}}}, "json_output", JsonOutput()),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
            "json_output",
            JsonOutput("n", SCHEMA),
        ),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, "reasoning", Reasoning("low")),
        ({"reasoning": {"effort": "none"}}, "reasoning", Reasoning(enabled=False)),
        ({"reasoning": {"summary": "auto"}}, "reasoning", None),
        ({"user": "u"}, "user", "u"),
        ({"safety_identifier": "u", "user": "u"}, "user", "u"),
    ],
)
def test_a_wish(asked: dict[str, Any], name: str, expected: object) -> None:
    conversation = parse(**asked)

    assert getattr(conversation, name) == expected
    assert conversation.untranslated == ()


def test_functions_are_tools() -> None:
    given = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}

    conversation = parse(tools=[{**given, "strict": True}, {"type": "function", "name": "g"}])

    empty = {"type": "object", "properties": {}}
    assert conversation.tools == (Tool("f", "d", SCHEMA, True), Tool("g", None, empty))


@pytest.mark.parametrize(
    "asked",
    [
        {"store": True},
        {"store": False},
        {"metadata": {"a": "b"}},
        {"background": False},
        {"previous_response_id": None},
        {"include": ["reasoning.encrypted_content"]},
        {"truncation": "disabled"},
        {"text": {"verbosity": "medium"}},
        {"prompt_cache_key": "k"},
        {"stream_options": {"include_obfuscation": False}},
        {"service_tier": "auto"},
        {"top_logprobs": 0},
    ],
)
def test_what_changes_no_answer_is_taken(asked: dict[str, Any]) -> None:
    assert parse(**asked) == parse()


# --- what is refused


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"frobnicate": 1}, "frobnicate"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"safety_identifier": "a", "user": "b"}, "user"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        (
            {"input": [by("user", {"type": "input_file", "file_id": "x"})]},
            "input[0].content[0]",
        ),
        (
            {
                "input": [
                    by("user", {"type": "input_text", "text": "a"}),
                    by("system", {"type": "input_text", "text": "b"}),
                ]
            },
            "input[1].role",
        ),
        (
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}]},
            "input[0].encrypted_content",
        ),
    ],
)
def test_what_has_no_counterpart_is_named(asked: dict[str, Any], path: str) -> None:
    conversation = parse(**asked)

    with pytest.raises(Unsupported) as raised:
        refuse_untranslated(conversation, "Gemini")
    assert conversation.untranslated == (path,)
    assert raised.value.param == path


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "stores no responses"),
        ({"conversation": "conv_1"}, "conversation", "stores no responses"),
        ({"background": True}, "background", "stores no responses"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "runs no tools"),
        ({"tools": [{}]}, "tools[0].type", "runs no tools"),
        ({"tools": {}}, "tools", "Expected `array"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "'function_call'"),
        ({"input": [{"type": 7}]}, "input[0].type", "'function_call'"),
        ({"input": [7]}, "input[0]", "Expected `object`"),
        ({"input": None}, "input", "got `null`"),
        ({"input": []}, "input", "length >= 1"),
        ({"input": [{"content": "a"}]}, "input[0].role", "Missing"),
        ({"input": [by("user")]}, "input[0].content", "a part"),
        ({"input": [by("user", {"type": "sound"})]}, "input[0].content[0].type", "Invalid"),
        (
            {"input": [by("user", {"type": "refusal", "refusal": "CANARY"})]},
            "input[0].content[0].type",
            "can stand here",
        ),
        (
            {"input": [by("user", {"type": "input_image", "file_id": "x"})]},
            "input[0].content[0].image_url",
            "stores no files",
        ),
        (
            {"input": [by("user", {"type": "input_image", "image_url": "data:CANARY"})]},
            "input[0].content[0].image_url",
            "base64",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens", ">= 1"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name", "Missing"),
        ({"model": ""}, "model", "length >= 1"),
    ],
)
def test_a_fault_is_named_and_nothing_is_quoted(
    asked: dict[str, Any], param: str, words: str
) -> None:
    refusal = refused(body(**asked))

    assert refusal.param == param
    assert words in refusal.message
    assert "CANARY" not in refusal.message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"model":"m","input":"\xff"}', "UTF-8"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "Expected `object`"),
        (b'{"model":"m"}', "Missing required parameter: 'input'"),
        (b'{"input":"a"}', "Missing required parameter: 'model'"),
        (b'{"model":"m","input":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeply"),
    ],
)
def test_a_body_that_is_no_request(raw: bytes, words: str) -> None:
    assert words in refused(raw).message


def test_a_number_beyond_all_bounds_in_an_unknown_field_is_no_fault_of_the_body() -> None:
    raw = b'{"model":"m","input":"a","x":1e999}'

    assert parse_request(raw).conversation.untranslated == ("x",)

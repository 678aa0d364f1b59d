"""A conversation as a request to Amazon Bedrock's Converse.

Expected fields after https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
and the pages of its types (API_runtime_ContentBlock.html, …). That reference in machine form is
botocore's model of the API, which validates requests in `tests/contract/providers/test_bedrock.py`.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from forebay.dialects.bedrock_converse import encode_request
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
from forebay.errors import InvalidRequest

CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
HELLO = Conversation("fast", (Message("user", (Text("Hello"),)),))
TOOL = Tool("f", None, {"type": "object"})
USED = Message("assistant", (ToolUse("t1", "f", "{}"),))


def encode(model: str = CLAUDE, **changes: Any) -> dict[str, Any]:
    fields = json.loads(encode_request(replace(HELLO, **changes), model=model).body)
    assert isinstance(fields, dict)
    del fields["messages"]
    return fields


def said(*parts: Part) -> Any:
    conversation = replace(HELLO, messages=(Message("assistant", parts),))
    (turn,) = json.loads(encode_request(conversation, model=CLAUDE).body)["messages"]
    return turn["content"]


# --- the request as a whole


def test_the_least_request() -> None:
    request = encode_request(HELLO, model=CLAUDE)
    assert request.path == "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"
    assert request.headers == {"content-type": "application/json", "accept": "application/json"}
    assert not request.stream
    assert json.loads(request.body) == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}]
    }


def test_a_streamed_request_has_a_path_of_its_own() -> None:
    request = encode_request(replace(HELLO, stream=True), model="m")
    assert request.path == "/model/m/converse-stream"
    assert request.headers["accept"] == "application/vnd.amazon.eventstream"
    assert request.stream


def test_an_arn_is_one_segment_of_the_path() -> None:
    arn = "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.anthropic.claude-x"
    assert encode_request(HELLO, model=arn).path == (
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A111122223333%3Ainference-profile%2F"
        "eu.anthropic.claude-x/converse"
    )


# --- what is said


def test_neighbours_of_one_role_become_one_turn() -> None:
    # Converse refuses others: "roles must alternate between user and assistant".
    messages = (
        Message("user", (Text("a"),)),
        Message("user", (Text("b"),)),
        Message("assistant", (Text("c"),)),
    )
    body = encode_request(replace(HELLO, messages=messages), model=CLAUDE).body
    assert json.loads(body)["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("a"), {"text": "a"}),
        (Refusal("no"), {"text": "no"}),
        (
            Image("image/png", "iVBO"),
            {"image": {"format": "png", "source": {"bytes": "iVBO"}}},
        ),
        (
            Image("image/jpeg", "/9j/", detail="high"),
            {"image": {"format": "jpeg", "source": {"bytes": "/9j/"}}},
        ),
        (
            ToolUse("t1", "f", '{"a": 1.50}'),
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1.5}}},
        ),
        (ToolUse("t1", "f", ""), {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}),
        (
            ToolResult("t1", (Text("4"), Text(""), Image("image/webp", "UklG"))),
            {
                "toolResult": {
                    "toolUseId": "t1",
                    "content": [
                        {"text": "4"},
                        {"image": {"format": "webp", "source": {"bytes": "UklG"}}},
                    ],
                }
            },
        ),
        (
            ToolResult("t1", (Text("no"),), is_error=True),
            {"toolResult": {"toolUseId": "t1", "content": [{"text": "no"}], "status": "error"}},
        ),
        (
            Thinking("hm", "c2ln"),
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        ),
        (Thinking("", redacted="eA=="), {"reasoningContent": {"redactedContent": "eA=="}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_part_has_its_block(part: Part, block: dict[str, Any]) -> None:
    assert said(part) == [block]


def test_what_says_nothing_or_cannot_go_back_is_left_out() -> None:
    """Converse refuses blank text, and reasoning that its model has not signed."""
    assert said(Text(""), Thinking("another provider's"), Text("a")) == [{"text": "a"}]


@pytest.mark.parametrize("arguments", ["{", "[1]", "3", "[" * 10_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(InvalidRequest, match="no JSON object") as refused:
        said(ToolUse("t1", "f", arguments))
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    ("image", "param"),
    [
        (Image(None, None, url="https://example.com/a.png"), "url"),
        (Image(None, None, url="s3://bucket/a.png"), "url"),
        (Image("image/tiff", "SUkq"), "media_type"),
        (Image("image/png", "iVBO", detail="low"), "detail"),
    ],
)
def test_an_image_that_converse_cannot_take_is_refused(image: Image, param: str) -> None:
    with pytest.raises(Unsupported, match="Amazon Bedrock cannot honour") as refused:
        said(image)
    assert refused.value.param == param


# --- what is asked


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"system": ("a", "", "b")}, {"system": [{"text": "a"}, {"text": "b"}]}),
        (
            {
                "max_output_tokens": 9,
                "stop": ("x", "y"),
                "sampling": Sampling(temperature=0.0, top_p=0.5),
            },
            {
                "inferenceConfig": {
                    "maxTokens": 9,
                    "temperature": 0.0,
                    "topP": 0.5,
                    "stopSequences": ["x", "y"],
                }
            },
        ),
        ({"sampling": Sampling(frequency_penalty=0, presence_penalty=0.0)}, {}),
        ({"parallel_tools": True}, {}),
        ({"user": "u-1@example"}, {"requestMetadata": {"user": "u-1@example"}}),
        (
            {"json_output": JsonOutput("n", {"type": "object"}, strict=True)},
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n"}},
                    }
                }
            },
        ),
        (
            {"json_output": JsonOutput(None, {})},
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": "{}"}},
                    }
                }
            },
        ),
    ],
)
def test_each_field_has_its_place(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    assert encode(**changes) == fields


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"choices": 2}, "choices"),
        ({"sampling": Sampling(frequency_penalty=0.1)}, "frequency_penalty"),
        ({"sampling": Sampling(presence_penalty=-1)}, "presence_penalty"),
        ({"sampling": Sampling(seed=0)}, "seed"),
        ({"sampling": Sampling(temperature=1.1)}, "temperature"),
        ({"parallel_tools": False}, "parallel_tools"),
        ({"json_output": JsonOutput()}, "json_output"),
        ({"user": "é"}, "user"),
        ({"user": "u" * 257}, "user"),
        ({"untranslated": ("logit_bias",)}, "logit_bias"),
        ({"tool_choice": ToolChoice("required")}, "tool_choice"),
        ({"tool_choice": ToolChoice("none"), "messages": (USED,)}, "tool_choice"),
        ({"reasoning": Reasoning(effort="minimal")}, "effort"),
    ],
)
def test_what_converse_cannot_do_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as refused:
        encode(**changes)
    assert refused.value.param == param


# --- tools


@pytest.mark.parametrize(
    ("tool", "spec"),
    [
        (TOOL, {"name": "f", "inputSchema": {"json": {"type": "object"}}}),
        (
            Tool("g", "adds", {}, strict=True),
            {"name": "g", "inputSchema": {"json": {}}, "description": "adds", "strict": True},
        ),
    ],
)
def test_a_tool_is_specified(tool: Tool, spec: dict[str, Any]) -> None:
    assert encode(tools=(tool,)) == {"toolConfig": {"tools": [{"toolSpec": spec}]}}


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (None, None),
        (ToolChoice("auto"), None),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", "f"), {"tool": {"name": "f"}}),
    ],
)
def test_tools_may_or_must_be_used(choice: ToolChoice | None, field: Any) -> None:
    assert encode(tools=(TOOL,), tool_choice=choice)["toolConfig"].get("toolChoice") == field


def test_tools_that_must_not_be_used_are_not_named() -> None:
    assert encode(tools=(TOOL,), tool_choice=ToolChoice("none")) == {}


# --- what only some models take


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (CLAUDE, {"top_k": 7}),
        ("eu." + CLAUDE, {"top_k": 7}),
        (NOVA, {"inferenceConfig": {"topK": 7}}),
    ],
)
def test_top_k_goes_where_the_model_s_own_page_says(model: str, fields: dict[str, Any]) -> None:
    # Bedrock's user guide, model-parameters-anthropic-claude-messages.html; Nova's,
    # using-converse-api.html.
    assert encode(model, sampling=Sampling(top_k=7)) == {"additionalModelRequestFields": fields}


@pytest.mark.parametrize(
    ("reasoning", "fields"),
    [
        (
            Reasoning(enabled=False),
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        ),
        (
            Reasoning(budget_tokens=2048),
            {
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 2048}
                }
            },
        ),
        (
            Reasoning(effort="high"),
            {
                "additionalModelRequestFields": {"thinking": {"type": "adaptive"}},
                "outputConfig": {"effort": "high"},
            },
        ),
        (Reasoning(), {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}}),
    ],
)
def test_a_claude_is_told_how_to_think(reasoning: Reasoning, fields: dict[str, Any]) -> None:
    # Bedrock's user guide, claude-messages-extended-thinking.html, -adaptive-thinking.html.
    assert encode(reasoning=reasoning) == fields


@pytest.mark.parametrize(
    ("reasoning", "fields"),
    [(Reasoning(effort="low"), {"outputConfig": {"effort": "low"}}), (Reasoning(), {})],
)
def test_other_models_have_an_effort(reasoning: Reasoning, fields: dict[str, Any]) -> None:
    assert encode(NOVA, reasoning=reasoning) == fields


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"sampling": Sampling(top_k=7)}, "top_k"),
        ({"reasoning": Reasoning(budget_tokens=2048)}, "budget_tokens"),
        ({"reasoning": Reasoning(enabled=False)}, "reasoning"),
    ],
)
def test_what_a_model_is_not_known_to_take_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as refused:
        encode(LLAMA, **changes)
    assert refused.value.param == param

"""What a request can cost, whatever its dialect."""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from forebay.dialects.canonical import (
    Conversation,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from forebay.dialects.demand import conversation_demand, demand_of, embeddings_demand
from forebay.dialects.demand_parts import Gathered
from forebay.dialects.embeddings import parse_request as parse_embeddings
from forebay.dialects.question import (
    chat_question,
    completions_question,
    messages_question,
    responses_question,
)
from forebay.model import Demand, Picture

PNG = b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
).decode()
SEEN = Picture(640, 480)
HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(**fields: Any) -> Demand:
    return demand_of(chat_question(json.dumps({"model": "m", "messages": HI, **fields}).encode()))


def messages(**fields: Any) -> Demand:
    body = {"model": "m", "messages": HI, "max_tokens": 100, **fields}
    return demand_of(messages_question(json.dumps(body).encode(), {}))


def responses(**fields: Any) -> Demand:
    return demand_of(
        responses_question(json.dumps({"model": "m", "input": "hi", **fields}).encode())
    )


def completion(**fields: Any) -> Demand:
    return demand_of(completions_question(json.dumps({"model": "m", **fields}).encode()))


def part(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "what?"}, of]}]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_tokens": 7, "max_completion_tokens": 8}, 8),
        ({"max_tokens": None}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": "9"}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": 7.0}, None),
        ({"max_tokens": 10**30}, 10_000_000),
    ],
)
def test_a_chat_limit_is_read_if_it_is_one(fields: dict[str, Any], limit: int | None) -> None:
    assert chat(**fields).output_limit == limit


def test_a_chat_counts_all_that_its_model_reads() -> None:
    said = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "look"}], "name": "ann"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    demand = chat(messages=said, documents=[{"text": "doc"}], tools=[TOOL], n=3)

    assert {"be brief", "look", "ann", "f", '{"a":1}', "42", "c1"} <= set(demand.texts)
    assert '[{"text": "doc"}]' in demand.texts
    assert demand.schemas == (json.dumps([TOOL]),)
    assert (demand.framed, demand.tools, demand.answers) == (4, 1, 3)
    assert demand.unbounded == ()


def test_what_no_model_reads_is_not_counted() -> None:
    demand = chat(metadata={"a": "b" * 500}, user="u" * 100, logit_bias={"1": 2}, stop=["end"])

    assert demand.texts == ("hi",)


def test_a_number_beyond_all_limits_is_none() -> None:
    body = b'{"model":"m","max_tokens":1e999,"messages":[{"role":"user","content":"hi"}]}'

    assert demand_of(chat_question(body)).output_limit is None


@pytest.mark.parametrize(
    ("url", "picture"),
    [
        (f"data:image/png;base64,{PNG}", Picture(640, 480, "low")),
        ("https://example.com/cat.png", Picture(None, None, "low")),
        ("data:image/png;base64,AAAA", Picture(None, None, "low")),
        (7, Picture(None, None, "low")),
    ],
)
def test_a_chat_picture_has_a_size_if_it_is_here(url: object, picture: Picture) -> None:
    of = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}

    demand = chat(messages=part(of))

    assert demand.pictures == (picture,)
    assert demand.texts == ("what?",)
    assert demand.unbounded == ()


def test_a_chat_picture_may_be_but_its_address() -> None:
    demand = chat(messages=part({"type": "image_url", "image_url": "https://a", "detail": "low"}))

    assert demand.pictures == (Picture(None, None, "low"),)


@pytest.mark.parametrize(
    ("fields", "unbounded"),
    [
        ({"messages": part({"type": "input_audio", "input_audio": {}})}, "messages[0].content[1]"),
        ({"messages": part({"type": "file", "file": {}})}, "messages[0].content[1]"),
        ({"messages": part({"type": "video_url"})}, "messages[0].content[1]"),
        ({"messages": part({"type": {}})}, "messages[0].content[1]"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"web_search_options": {"a": 1}}, "web_search_options"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"tools": [TOOL, {"type": "web_search"}]}, "tools[1]"),
    ],
)
def test_what_has_no_bound_in_a_chat_is_named(fields: dict[str, Any], unbounded: str) -> None:
    assert unbounded in chat(**fields).unbounded


def test_what_is_null_asks_for_nothing() -> None:
    demand = chat(audio=None, web_search_options=None, tools=None, modalities=["text"])

    assert demand.unbounded == ()


@pytest.mark.parametrize(
    ("effort", "reasons"), [(None, False), ("none", False), ("low", True), (["odd"], True)]
)
def test_a_chat_says_whether_to_think(effort: object, *, reasons: bool) -> None:
    assert chat(reasoning_effort=effort).reasons is reasons


# --- Anthropic's messages


def test_messages_count_all_that_their_model_reads() -> None:
    said = [
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "42"}],
                },
                {
                    "type": "document",
                    "title": "doc",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                },
            ],
        },
    ]
    demand = messages(messages=said, system="be brief", tools=[{"name": "f", "input_schema": {}}])

    assert {"be brief", "look", "hm", "sig", "42", "doc", "words"} <= set(demand.texts)
    assert any('"a":1' in text for text in demand.texts)
    assert (demand.framed, demand.tools, demand.own_tools) == (4, 1, 0)
    assert demand.unbounded == ()
    assert demand.output_limit == 100


@pytest.mark.parametrize(
    ("source", "picture"),
    [
        ({"type": "base64", "media_type": "image/png", "data": PNG}, SEEN),
        ({"type": "url", "url": "https://example.com/cat.png"}, Picture()),
        ({"type": "file", "file_id": "f"}, Picture()),
        ("odd", Picture()),
    ],
)
def test_a_picture_in_a_message_has_a_size_if_it_is_here(source: Any, picture: Picture) -> None:
    nested = {"type": "tool_result", "content": [{"type": "image", "source": source}]}

    demand = messages(messages=part(nested))

    assert demand.pictures == (picture,)
    assert demand.texts == ("what?",)


@pytest.mark.parametrize(
    ("fields", "unbounded"),
    [
        (
            {"messages": part({"type": "document", "source": {"type": "base64", "data": "x"}})},
            "messages[0].content[1]",
        ),
        (
            {"messages": part({"type": "document", "source": {"type": "url", "url": "x"}})},
            "messages[0].content[1]",
        ),
        ({"messages": part({"type": "container_upload"})}, "messages[0].content[1]"),
        ({"tools": [{"type": "web_search_20250305", "max_uses": 2}]}, "tools[0]"),
        ({"tools": [{"type": "code_execution_20250825"}]}, "tools[0]"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"container": {"skills": []}}, "container"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management"),
    ],
)
def test_what_has_no_bound_in_messages_is_named(fields: dict[str, Any], unbounded: str) -> None:
    assert messages(**fields).unbounded == (unbounded,)


def test_tools_of_anthropic_that_the_caller_runs_have_a_bound() -> None:
    demand = messages(
        tools=[{"type": "bash_20250124", "name": "bash"}, {"type": "custom", "name": "f"}],
        speed="standard",
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )

    assert demand.unbounded == ()
    assert (demand.tools, demand.own_tools) == (2, 1)


# --- the others


def test_a_response_counts_instructions_input_and_tools() -> None:
    demand = responses(
        instructions="be brief",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "look"}]},
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                    {"type": "input_image", "image_url": "https://example.com/a.png"},
                ],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
        ],
        tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        text={"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}},
        max_output_tokens=9,
        reasoning={"effort": "low"},
    )

    assert {"be brief", "look", "f", "{}", "42"} <= set(demand.texts)
    assert [(each.width, each.height) for each in demand.pictures] == [(640, 480), (None, None)]
    assert len(demand.schemas) == 2
    assert (demand.tools, demand.output_limit, demand.reasons) == (1, 9, True)


@pytest.mark.parametrize(
    ("fields", "texts", "ids", "answers"),
    [
        ({"prompt": "a"}, ("a",), 0, 1),
        ({"prompt": ["a", "b"], "n": 3}, ("a", "b"), 0, 6),
        ({"prompt": ["a", "b"], "n": 1, "best_of": 4}, ("a", "b"), 0, 8),
        ({"prompt": [1, 2, 3]}, (), 3, 1),
        ({"prompt": [[1, 2], [3]]}, (), 3, 2),
        ({"prompt": "a", "suffix": "z"}, ("a", '"z"'), 0, 1),
        ({}, (), 0, 1),
    ],
)
def test_a_completion_counts_prompts_ids_and_answers(
    fields: dict[str, Any], texts: tuple[str, ...], ids: int, answers: int
) -> None:
    demand = completion(**fields)

    assert (demand.texts, demand.token_ids, demand.answers) == (texts, ids, answers)
    assert demand.usual_output_limit == 16


def test_embeddings_have_no_answers_in_words() -> None:
    asked = parse_embeddings(b'{"model":"m","input":["a","b\\u00e4"]}')
    of_ids = parse_embeddings(b'{"model":"m","input":[[1,2],[3]]}')

    assert embeddings_demand(asked) == Demand(texts=("a", "bä"), framed=2, answers=0)
    assert embeddings_demand(of_ids) == Demand(token_ids=3, framed=2, answers=0)


def test_a_conversation_counts_all_its_parts() -> None:
    said = (
        Message("user", (Image("image/png", PNG), Text("look"))),
        Message("assistant", (Thinking("hm", "sig"), Refusal("no"), ToolUse("t1", "f", "{}"))),
        Message("user", (ToolResult("t1", (Text("42"), Image(None, None, "https://a", "low"))),)),
    )
    asked = Conversation(
        "m", said, system=("be brief",), prefill="so", reasoning=Reasoning(enabled=False)
    )

    demand = conversation_demand(asked)

    texts = ["be brief", "look", "hm", "sig", "", "no", "t1", "f", "{}", "t1", "42", "so"]
    assert list(demand.texts) == texts
    assert demand.pictures == (SEEN, Picture(None, None, "low"))
    assert (demand.framed, demand.reasons, demand.output_limit) == (5, False, None)


def test_what_cannot_be_decoded_any_more_counts_as_it_stands() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    gathered = Gathered()

    found = gathered.look_through(
        "messages", msgspec.Raw(nested), part=lambda *_: False, markers=frozenset()
    )

    assert found is None
    assert gathered.texts == [nested.decode()]


def test_what_is_nested_too_deeply_counts_as_it_stands() -> None:
    deep = b"[" * 900 + b"]" * 900
    body = (
        b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"odd":%b}' % deep
    )

    for demand in (demand_of(chat_question(body)), demand_of(messages_question(body, {}))):
        assert deep.decode() in demand.texts

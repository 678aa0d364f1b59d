"""A conversation in Gemini's words; what Gemini cannot do is refused by the caller's name for it.

Expected values are of https://ai.google.dev/api/generate-content and
https://ai.google.dev/api/caching (Content, Tool, ToolConfig), v1beta.
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
from forebay.dialects.gemini_generate import encode_request
from forebay.errors import InvalidRequest

MODEL = "gemini-2.5-flash"
HELLO = (Message("user", (Text("Hello"),)),)
FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", "Looks outside.", SCHEMA)
CALL = ToolUse("c1", "get_weather", '{"city": "Oslo"}')
ENCODED_CALL = {"functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "Oslo"}}}
UNSIGNED = "skip_thought_signature_validator"


def asked(**fields: Any) -> Conversation:
    return Conversation(**{"model": "fast", "messages": HELLO, **fields})


def encoded(conversation: Conversation, model: str = MODEL) -> Any:
    return json.loads(encode_request(conversation, model=model).body)


def config(model: str = MODEL, **fields: Any) -> Any:
    return encoded(asked(**fields), model).get("generationConfig")


def history(*parts: Part, model: str = MODEL) -> Any:
    """Encode what the model said."""
    contents = encoded(asked(messages=(Message("assistant", parts), *HELLO)), model)["contents"]
    assert [content["role"] for content in contents] == ["model", "user"]
    return contents[0]["parts"]


# --- where it goes


@pytest.mark.parametrize(
    ("stream", "model", "path"),
    [
        (False, "gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"),
        (True, "gemini-2.5-flash", "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        (False, "a/../b?c#d é", "/models/a%2F..%2Fb%3Fc%23d%20%C3%A9:generateContent"),
    ],
    ids=["whole", "stream", "a strange name"],
)
def test_the_model_and_the_method_are_in_the_path(stream: bool, model: str, path: str) -> None:  # noqa: FBT001  a table's column
    request = encode_request(asked(stream=stream), model=model)

    assert (request.path, request.stream) == (path, stream)
    assert request.headers == {"content-type": "application/json"}


def test_what_is_not_asked_for_is_not_sent() -> None:
    assert encoded(asked()) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def test_the_end_users_name_and_a_schemas_name_are_not_sent() -> None:
    conversation = asked(user="u1", json_output=JsonOutput("answer"))

    assert encoded(conversation)["generationConfig"] == {"responseMimeType": "application/json"}


# --- generationConfig


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_output_tokens": 7}, {"maxOutputTokens": 7}),
        ({"stop": ("a", "b")}, {"stopSequences": ["a", "b"]}),
        ({"sampling": Sampling(temperature=0.0)}, {"temperature": 0.0}),
        ({"sampling": Sampling(top_p=0.5)}, {"topP": 0.5}),
        ({"sampling": Sampling(top_k=3)}, {"topK": 3}),
        ({"sampling": Sampling(frequency_penalty=0.1)}, {"frequencyPenalty": 0.1}),
        ({"sampling": Sampling(presence_penalty=-0.1)}, {"presencePenalty": -0.1}),
        ({"sampling": Sampling(seed=0)}, {"seed": 0}),
        ({"choices": 2}, {"candidateCount": 2}),
        ({"json_output": JsonOutput()}, {"responseMimeType": "application/json"}),
        (
            {"json_output": JsonOutput("x", SCHEMA, strict=True)},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
    ],
    ids=lambda value: next(iter(value), ""),
)
def test_what_is_asked_is_in_the_generation_config(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert config(**fields) == expected


@pytest.mark.parametrize(
    ("model", "reasoning", "expected"),
    [
        ("gemini-2.5-pro", Reasoning("minimal"), {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", Reasoning("low"), {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", Reasoning("medium"), {"thinkingBudget": 8192}),
        ("gemini-2.5-pro", Reasoning("high"), {"thinkingBudget": 24576}),
        ("gemini-3-flash", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash", Reasoning("low"), {"thinkingLevel": "LOW"}),
        ("gemini-flash-latest", Reasoning("medium"), {"thinkingLevel": "MEDIUM"}),
        ("gemini-4-pro", Reasoning("high"), {"thinkingLevel": "HIGH"}),
        ("gemini-2.5-pro", Reasoning(budget_tokens=4000), {"thinkingBudget": 4000}),
        ("gemini-3-flash", Reasoning(budget_tokens=4000), {"thinkingBudget": 4000}),
        ("gemini-3-flash", Reasoning(), {}),
    ],
)
def test_reasoning_has_a_level_or_a_budget_and_is_shown(
    model: str, reasoning: Reasoning, expected: dict[str, Any]
) -> None:
    """Source: https://ai.google.dev/gemini-api/docs/openai#thinking."""
    thinking = config(model, reasoning=reasoning)["thinkingConfig"]

    assert thinking == {"includeThoughts": True, **expected}


@pytest.mark.parametrize("reasoning", [Reasoning(enabled=False), Reasoning("none")])
def test_reasoning_is_turned_off(reasoning: Reasoning) -> None:
    """Source: ThinkingConfig: "0 is DISABLED"."""
    assert config(reasoning=reasoning) == {"thinkingConfig": {"thinkingBudget": 0}}


# --- what is said


def test_system_prompts_are_the_system_instruction() -> None:
    body = encoded(asked(system=("Be kind.", "", "Be brief.")))

    assert body["systemInstruction"] == {"parts": [{"text": "Be kind."}, {"text": "Be brief."}]}


def test_an_empty_system_prompt_is_none() -> None:
    assert "systemInstruction" not in encoded(asked(system=("",)))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Text("Hi"), {"text": "Hi"}),
        (Refusal("No."), {"text": "No."}),
        (
            Image("image/png", "aGk="),
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        ),
        (Image(None, None, FILE), {"fileData": {"fileUri": FILE}}),
        (
            Image("image/png", None, FILE),
            {"fileData": {"mimeType": "image/png", "fileUri": FILE}},
        ),
        (CALL, ENCODED_CALL),
        (ToolUse("c1", "now", ""), {"functionCall": {"id": "c1", "name": "now", "args": {}}}),
    ],
    ids=["text", "refusal", "image", "file", "typed file", "call", "call without arguments"],
)
def test_a_part_is_encoded(part: Part, expected: dict[str, Any]) -> None:
    assert history(part) == [expected]


def test_arguments_are_passed_on_as_the_model_wrote_them() -> None:
    conversation = asked(messages=(Message("assistant", (ToolUse("c", "f", '{"x": 1.10}'),)),))

    assert b'"args":{"x": 1.10}' in encode_request(conversation, model=MODEL).body


def test_turns_of_one_role_become_one() -> None:
    results = [Message("user", (ToolResult(call_id, (Text("1"),)),)) for call_id in ("c1", "c2")]
    calls = [Message("assistant", (ToolUse(call_id, "f", "{}"),)) for call_id in ("c1", "c2")]

    contents = encoded(asked(messages=(*HELLO, *calls, *results)))["contents"]

    assert [(c["role"], len(c["parts"])) for c in contents] == [
        ("user", 1),
        ("model", 2),
        ("user", 2),
    ]


def test_empty_texts_are_left_out() -> None:
    messages = (Message("assistant", (Text(""),)), Message("user", (Text(""), Text("Hi"))))

    assert encoded(asked(messages=messages))["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]}
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ToolResult("c1", (Text("rain"),)), {"response": {"output": "rain"}}),
        (ToolResult("c1", (Text("a"), Text("b"))), {"response": {"output": "a\nb"}}),
        (ToolResult("c1", ()), {"response": {"output": ""}}),
        (ToolResult("c1", (Text("no"),), is_error=True), {"response": {"error": "no"}}),
        (
            ToolResult("c1", (Text("see"), Image("image/png", "aGk="))),
            {
                "response": {"output": "see"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
            },
        ),
    ],
    ids=["text", "texts", "nothing", "error", "image"],
)
def test_a_tools_result_has_the_functions_name(
    result: ToolResult, expected: dict[str, Any]
) -> None:
    """Source: FunctionResponse: "output" for the function's output, "error" for error details."""
    messages = (*HELLO, Message("assistant", (CALL,)), Message("user", (result,)))

    response = encoded(asked(messages=messages))["contents"][2]["parts"][0]["functionResponse"]

    assert response == {"id": "c1", "name": "get_weather", **expected}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ((None, "auto"), None),
        (("low", "auto"), {"mediaResolution": "MEDIA_RESOLUTION_LOW"}),
        (("high", "high"), {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}),
    ],
)
def test_the_pictures_detail_is_the_media_resolution(
    details: tuple[str | None, str | None], expected: dict[str, Any] | None
) -> None:
    """Source: https://ai.google.dev/gemini-api/docs/media-resolution."""
    shown, answered = (Image("image/png", "aGk=", detail=detail) for detail in details)
    messages = (
        Message("user", (Text("?"), shown)),
        Message("assistant", (CALL,)),
        Message("user", (ToolResult("c1", (Text("!"), answered)),)),
    )

    assert config(messages=messages) == expected


# --- reasoning goes back


OWN, FOREIGN = "gemini:c2ln", "EqQBCgIYAhIM"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            (Thinking("Hm.", OWN), CALL),
            [{"text": "Hm.", "thought": True}, {**ENCODED_CALL, "thoughtSignature": "c2ln"}],
        ),
        ((Thinking("", OWN), Text("Yes")), [{"text": "Yes", "thoughtSignature": "c2ln"}]),
        (
            (Text("Yes"), Thinking("", OWN)),
            [{"text": "Yes"}, {"text": "", "thoughtSignature": "c2ln"}],
        ),
        (
            (Text("Yes"), Thinking("", OWN), Thinking("", "gemini:Yg=="), CALL),
            [
                {"text": "Yes"},
                {"text": "", "thoughtSignature": "c2ln"},
                {**ENCODED_CALL, "thoughtSignature": "Yg=="},
            ],
        ),
        ((Thinking("Hm.", FOREIGN), Text("Yes")), [{"text": "Yes"}]),
        ((Thinking("Hm."), Text("Yes")), [{"text": "Yes"}]),
        ((Thinking("", redacted="x"), Text("Yes")), [{"text": "Yes"}]),
    ],
    ids=["call", "text", "last", "two", "foreign", "unsigned", "redacted"],
)
def test_a_signature_goes_back_on_the_part_that_follows(
    parts: tuple[Part, ...], expected: list[dict[str, Any]]
) -> None:
    """Source: https://ai.google.dev/gemini-api/docs/thought-signatures."""
    assert history(*parts) == expected


def test_gemini_3_gets_a_signature_for_the_first_call_of_a_turn_without_one() -> None:
    """Source: https://ai.google.dev/gemini-api/docs/thought-signatures, FAQ."""
    parts = history(Text("See."), CALL, CALL, model="gemini-3-pro")

    assert [part.get("thoughtSignature") for part in parts] == [None, UNSIGNED, None]


def test_gemini_3_gets_its_own_signature_where_there_is_one() -> None:
    assert history(Thinking("", OWN), CALL, model="gemini-3-pro") == [
        {**ENCODED_CALL, "thoughtSignature": "c2ln"}
    ]


def test_older_models_get_no_signature_that_they_did_not_make() -> None:
    assert history(CALL, model="gemini-2.5-pro") == [ENCODED_CALL]


# --- tools


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (
            WEATHER,
            {
                "name": "get_weather",
                "description": "Looks outside.",
                "parametersJsonSchema": SCHEMA,
            },
        ),
        (Tool("now", None, {}), {"name": "now"}),
    ],
    ids=["all", "name alone"],
)
def test_tools_are_function_declarations(tool: Tool, expected: dict[str, Any]) -> None:
    assert encoded(asked(tools=(tool,)))["tools"] == [{"functionDeclarations": [expected]}]


STRICT = Tool("f", None, SCHEMA, strict=True)


@pytest.mark.parametrize(
    ("tool", "choice", "expected"),
    [
        (WEATHER, ToolChoice("auto"), {"mode": "AUTO"}),
        (WEATHER, ToolChoice("none"), {"mode": "NONE"}),
        (WEATHER, ToolChoice("required"), {"mode": "ANY"}),
        (WEATHER, ToolChoice("named", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (STRICT, None, {"mode": "VALIDATED"}),
        (STRICT, ToolChoice("auto"), {"mode": "VALIDATED"}),
        (STRICT, ToolChoice("required"), {"mode": "ANY"}),
        (STRICT, ToolChoice("none"), {"mode": "NONE"}),
    ],
    ids=lambda value: value.mode if isinstance(value, ToolChoice) else "",
)
def test_the_tool_choice_is_the_calling_mode(
    tool: Tool, choice: ToolChoice | None, expected: dict[str, Any]
) -> None:
    """Source: FunctionCallingConfig.Mode; https://ai.google.dev/gemini-api/docs/function-calling."""
    body = encoded(asked(tools=(tool,), tool_choice=choice))

    assert body["toolConfig"] == {"functionCallingConfig": expected}


def test_without_a_choice_gemini_chooses() -> None:
    assert "toolConfig" not in encoded(asked(tools=(WEATHER,)))


@pytest.mark.parametrize("parallel", [True, None])
def test_tools_may_be_called_in_parallel(parallel: bool | None) -> None:  # noqa: FBT001  a table's column
    assert "toolConfig" not in encoded(asked(tools=(WEATHER,), parallel_tools=parallel))


def test_tools_that_there_are_not_need_not_be_called_one_by_one() -> None:
    assert "tools" not in encoded(asked(parallel_tools=False))


# --- what Gemini cannot do


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"untranslated": ("logit_bias",)}, "logit_bias"),
        ({"stop": tuple("abcdef")}, "stop"),
        ({"sampling": Sampling(seed=2**31)}, "seed"),
        ({"sampling": Sampling(seed=-(2**31))}, "seed"),
        ({"tools": (WEATHER,), "parallel_tools": False}, "parallel_tools"),
        ({"reasoning": Reasoning("xhigh")}, "effort"),
        ({"reasoning": Reasoning("low", budget_tokens=9)}, "effort"),
        ({"messages": (Message("user", (Image(None, None, "https://x.org/a.png"),)),)}, "url"),
        ({"messages": (Message("user", (Image(None, None),)),)}, "url"),
        (
            {
                "messages": (
                    Message(
                        "user",
                        tuple(
                            Image("image/png", "aGk=", detail=detail) for detail in ("low", "high")
                        ),
                    ),
                )
            },
            "detail",
        ),
        (
            {"messages": (Message("user", (Image("image/png", "aGk=", detail="original"),)),)},
            "detail",
        ),
    ],
    ids=[
        *("untranslated", "six stops", "seed", "negative seed", "one tool at a time", "effort"),
        *("effort and budget", "url", "no image", "two details", "unknown detail"),
    ],
)
def test_what_gemini_cannot_do_is_refused(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(Unsupported, match="Gemini cannot honour") as raised:
        encode_request(asked(**fields), model=MODEL)

    assert raised.value.param == name


def test_a_field_is_refused_by_the_callers_name_for_it() -> None:
    names = {"parallel_tools": "parallel_tool_calls"}

    with pytest.raises(Unsupported) as raised:
        encode_request(
            asked(tools=(WEATHER,), parallel_tools=False, field_names=names), model=MODEL
        )

    assert raised.value.param == "parallel_tool_calls"


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (Text(""),),
        (ToolResult("c9", ()),),
        (Image(None, "aGk="),),
        (ToolUse("c", "f", "secret"),),
        (ToolUse("c", "f", '["secret"]'),),
        (ToolUse("c", "f", '{"secret": '),),
        (ToolUse("c", "f", '{"secret":' + "[" * 5000 + "]" * 5000 + "}"),),
    ],
    ids=[
        *("nothing", "empty", "uncalled tool", "no type", "no JSON", "no object", "broken", "deep"),
    ],
)
def test_what_is_no_conversation_is_refused_without_quoting_it(parts: tuple[Part, ...]) -> None:
    conversation = asked(messages=(Message("assistant", parts),), field_names={"messages": "input"})

    with pytest.raises(InvalidRequest) as raised:
        encode_request(conversation, model=MODEL)

    assert raised.value.param == "input"
    assert "secret" not in raised.value.message

"""Google's own SDK reads our test data as we do, and sends what we send."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from forebay.dialects import UpstreamReported
from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Reasoning,
    Sampling,
    StopReason,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from forebay.dialects.gemini_generate import encode_request
from forebay.dialects.gemini_generate_reader import FINISH_REASONS, StreamReader
from forebay.model import UpstreamRequest, Usage
from tests.support.gemini import GEMINI_STREAMS, GeminiStream, event, read, said

each_stream = pytest.mark.parametrize("case", GEMINI_STREAMS, ids=lambda case: case.name)


@dataclass
class Gemini:
    """The SDK's client, and the line's other end: what it answers and what it was sent."""

    answer: bytes = b""
    received: list[httpx2.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        transport = httpx2.MockTransport(self._answer)
        self.line = httpx2.Client(transport=transport)
        options = types.HttpOptions(
            httpx_client=self.line, api_version="v1beta", base_url="http://127.0.0.1"
        )
        self.client = genai.Client(api_key="made-up", http_options=options)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.received.append(request)
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, content=self.answer, headers=headers)

    def read(self, stream: bytes) -> list[types.GenerateContentResponse]:
        """Let the SDK read a stream."""
        self.answer = stream
        return list(self.client.models.generate_content_stream(model="m", contents="Hello"))


@pytest.fixture
def gemini() -> Iterator[Gemini]:
    gemini = Gemini()
    yield gemini
    gemini.client.close()
    gemini.line.close()


def candidates(
    responses: list[types.GenerateContentResponse], index: int
) -> Iterator[types.Candidate]:
    for response in responses:
        yield from (c for c in response.candidates or () if (c.index or 0) == index)


def parts(responses: list[types.GenerateContentResponse], index: int) -> Iterator[types.Part]:
    for candidate in candidates(responses, index):
        yield from (candidate.content and candidate.content.parts) or ()


# --- answers


@each_stream
def test_the_sdk_reads_the_same_text(case: GeminiStream, gemini: Gemini) -> None:
    responses = gemini.read(case.sent)

    said_of = [
        "".join(part.text or "" for part in parts(responses, index) if not part.thought)
        for index in range(len(case.texts))
    ]
    assert tuple(said_of) == case.texts


@each_stream
def test_the_sdk_reads_the_same_thoughts(case: GeminiStream, gemini: Gemini) -> None:
    thoughts = [part.text or "" for part in parts(gemini.read(case.sent), 0) if part.thought]

    assert "".join(thoughts) == case.thoughts


@each_stream
def test_the_sdk_reads_the_same_function_calls(case: GeminiStream, gemini: Gemini) -> None:
    calls = [part.function_call for part in parts(gemini.read(case.sent), 0)]

    assert [(call.name, call.args or {}) for call in calls if call] == [
        (name, json.loads(arguments)) for name, arguments in case.tools
    ]


@each_stream
def test_the_sdk_reads_the_same_usage(case: GeminiStream, gemini: Gemini) -> None:
    usage = gemini.read(case.sent)[-1].usage_metadata

    assert usage is not None
    assert usage.total_token_count == case.usage.input_tokens + case.usage.output_tokens
    assert case.usage == Usage(
        input_tokens=usage.prompt_token_count or 0,
        output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cached_input_tokens=usage.cached_content_token_count or 0,
        reasoning_tokens=usage.thoughts_token_count or 0,
    )


@each_stream
def test_the_sdk_reads_the_same_ending(case: GeminiStream, gemini: Gemini) -> None:
    """The SDK has no word for a use of tools; a blocked prompt has no candidates."""
    responses = gemini.read(case.sent)
    ends = [
        [c.finish_reason.value for c in candidates(responses, index) if c.finish_reason]
        for index in range(len(case.texts))
    ]
    feedback = responses[0].prompt_feedback
    blocked = bool(feedback and feedback.block_reason)

    expected = StopReason.END if case.tools else case.reason
    assert [[FINISH_REASONS[reason] for reason in of] for of in ends] == [
        [] if blocked else [expected] for _ in case.texts
    ]


def test_each_finish_reason_that_we_know_is_one_of_the_sdks() -> None:
    assert set(FINISH_REASONS) <= {reason.value for reason in types.FinishReason}


def test_the_sdk_finds_a_bare_error_in_a_stream_as_we_do(gemini: Gemini) -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    stream = event(said({"text": "a"})) + json.dumps(error, indent=2).encode()

    with pytest.raises(errors.APIError) as theirs:
        gemini.read(stream)
    with pytest.raises(UpstreamReported) as ours:
        read(StreamReader(), stream)

    assert (theirs.value.code, theirs.value.status, theirs.value.message) == (
        ours.value.error["status"],
        ours.value.error["code"],
        ours.value.error["message"],
    )


# --- requests


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
EVERYTHING = Conversation(
    model="fast",
    messages=(
        Message("user", (Text("Look."), Image("image/png", "aGk="))),
        Message(
            "assistant",
            (
                Thinking("Hm.", "gemini:c2ln"),
                ToolUse("c1", "get_weather", '{"city": "Oslo"}'),
                ToolUse("c2", "get_time", ""),
            ),
        ),
        Message(
            "user",
            (
                ToolResult("c1", (Text("rain"), Image("image/png", "aGk="))),
                ToolResult("c2", (Text("no clock"),), is_error=True),
            ),
        ),
        Message("assistant", (Text("It rains."), Thinking("", "gemini:Yg=="))),
        Message("user", (Text("And tomorrow?"),)),
    ),
    system=("Be kind.", "Be brief."),
    max_output_tokens=100,
    stop=("END",),
    sampling=Sampling(0.5, 0.9, 40, 0.1, -0.1, 7),
    tools=(Tool("get_weather", "Looks outside.", SCHEMA), Tool("get_time", None, {})),
    tool_choice=ToolChoice("named", "get_weather"),
    json_output=JsonOutput("answer", SCHEMA),
    reasoning=Reasoning("low"),
    choices=2,
)
OUTLINES = {
    "everything": (EVERYTHING, "gemini-3-flash"),
    "budget": (
        Conversation("fast", EVERYTHING.messages[:1], reasoning=Reasoning(budget_tokens=512)),
        "gemini-2.5-flash",
    ),
    "unsigned": (
        Conversation(
            "fast",
            (
                Message("user", (Text("Look."),)),
                Message("assistant", (ToolUse("c1", "f", "{}"),)),
                Message("user", (ToolResult("c1", (Text("1"),)),)),
            ),
            tools=(Tool("f", None, SCHEMA, strict=True),),
        ),
        "gemini-3-flash",
    ),
    "detail": (
        Conversation(
            "fast", (Message("user", (Image("image/png", "aGk=", detail="high"), Text("?"))),)
        ),
        "gemini-2.5-flash",
    ),
}
each_request = pytest.mark.parametrize(
    ("conversation", "model"), OUTLINES.values(), ids=OUTLINES.keys()
)


def send_by_sdk(gemini: Gemini, request: UpstreamRequest, model: str) -> None:
    """Read a request into the SDK's types, which know no other fields, and let it send them."""
    body = json.loads(request.body)
    generation: dict[str, Any] = body.get("generationConfig", {})
    config = {
        name: body[name] for name in ("systemInstruction", "tools", "toolConfig") if name in body
    }
    gemini.answer = event(said({"text": "a"}, finish="STOP"))
    list(
        gemini.client.models.generate_content_stream(
            model=model,
            contents=[types.Content.model_validate(each) for each in body["contents"]],
            config=types.GenerateContentConfig.model_validate(
                {**generation, **config, "automaticFunctionCalling": {"disable": True}}
            ),
        )
    )


def in_camel_case(value: Any) -> Any:
    """Undo the SDK's mixed spelling: its inner fields are in snake case, which Google takes too."""
    match value:
        case dict():
            return {
                re.sub("_([a-z])", lambda found: found[1].upper(), name): in_camel_case(inner)
                for name, inner in value.items()
            }
        case list():
            return [in_camel_case(inner) for inner in value]
        case _:
            return value


@each_request
def test_the_sdk_sends_the_same_body(
    conversation: Conversation, model: str, gemini: Gemini
) -> None:
    request = encode_request(conversation, model=model)

    send_by_sdk(gemini, request, model)

    sent = in_camel_case(json.loads(gemini.received[0].content))
    ours = json.loads(request.body)
    assert {"generationConfig": {}, **ours} == sent


@each_request
def test_the_generation_config_is_one_of_the_public_type(
    conversation: Conversation, model: str
) -> None:
    body = json.loads(encode_request(conversation, model=model).body)

    types.GenerationConfig.model_validate(body.get("generationConfig", {}))


def test_the_sdk_calls_the_same_path(gemini: Gemini) -> None:
    streamed = Conversation("fast", EVERYTHING.messages[:1], stream=True)
    request = encode_request(streamed, model="gemini-2.5-flash")

    send_by_sdk(gemini, request, "gemini-2.5-flash")

    assert gemini.received[0].url.raw_path == b"/v1beta" + request.path.encode()

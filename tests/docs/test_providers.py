"""The page on providers says of each kind what the code does."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from forebay.dialects.canonical import (
    Conversation,
    Image,
    JsonOutput,
    Message,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Unsupported,
    UsageReported,
)
from forebay.dialects.continuation import continuing
from forebay.dialects.embeddings import parse_request as parse_embeddings
from forebay.dialects.question import AnswerIdentity
from forebay.errors import InvalidRequest
from forebay.service.catalog import Target
from forebay.service.embedding_targets import check_able
from forebay.service.target_dialects import TargetDialect
from forebay.settings import ConfigSource, PriceTable, ProviderKind, parse_gateway_toml
from forebay.settings.provider_kinds import DEFAULT_BASE_URLS
from forebay.wiring.catalog import DIALECTS
from tests.docs.pages import ROOT, blocks
from tests.support.gateway import PRICE
from tests.support.told_provider import ToldProvider

PAGE = "docs/reference/providers.md"
PRICES_FILE = ROOT / "layers/core/python/forebay/data/prices.json"

# `scripted` takes what `openai` takes and heeds little of it: there is nothing to tell apart.
COLUMNS = {
    "`openai`, `azure`": ("openai", "azure"),
    "`anthropic`": ("anthropic",),
    "`gemini`": ("gemini",),
    "`bedrock`": ("bedrock",),
    "`ollama`": ("ollama",),
    "`vllm`": ("vllm",),
    "`localai`": ("localai",),
}
# Where it depends on the family of a model, each is asked.
FAMILIES = {
    "bedrock": {
        "Claude": "anthropic.claude-haiku-4-5-20251001-v1:0",
        "Nova": "amazon.nova-lite-v1:0",
        "others": "meta.llama3-1-8b-instruct-v1:0",
    },
    "gemini": {"2": "gemini-2.5-flash", "3": "gemini-3-pro-preview"},
}

HELLO = Message("user", (Text("Hello"),))
ASKED = Conversation("fast", (HELLO,))
TOOL = Tool("weather", "Tells it.", {"type": "object", "properties": {}})
SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}}
PIXEL = Image("image/png", "iVBORw0KGgo=")
PICTURE = Image(None, None, "https://example.com/cat.png")
CALL = Message("assistant", (ToolUse("call_1", "weather", "{}"),))


def result_of(part: Text | Image, *, failed: bool = False) -> Conversation:
    """Return a conversation in which a tool was called and answered."""
    result = Message("user", (ToolResult("call_1", (part,), is_error=failed),))
    return replace(ASKED, messages=(HELLO, CALL, result), tools=(TOOL,))


def with_image(image: Image) -> Conversation:
    return replace(ASKED, messages=(Message("user", (Text("What is it?"), image)),))


def with_tools(choice: ToolChoice | None = None, *, parallel: bool | None = None) -> Conversation:
    return replace(ASKED, tools=(TOOL,), tool_choice=choice, parallel_tools=parallel)


def with_sampling(**asked: float) -> Conversation:
    sampling: Any = asked
    return replace(ASKED, sampling=Sampling(**sampling))


def with_reasoning(effort: str | None = None, **how: Any) -> Conversation:
    return replace(ASKED, reasoning=Reasoning(effort, **how))


FEATURES: Mapping[str, Conversation] = {
    "streaming": replace(ASKED, stream=True),
    "system prompts": replace(ASKED, system=("Be brief.", "Be kind.")),
    "limit of output tokens": replace(ASKED, max_output_tokens=100),
    "tools": with_tools(),
    "tool choice: one must be called": with_tools(ToolChoice("required")),
    "tool choice: this one must be called": with_tools(ToolChoice("named", "weather")),
    "tool choice: none may be called": with_tools(ToolChoice("none")),
    "parallel tool calls, allowed": with_tools(parallel=True),
    "parallel tool calls, forbidden": with_tools(parallel=False),
    "tool results": result_of(Text("Rain.")),
    "tool results that are failures": result_of(Text("No line."), failed=True),
    "images in tool results": result_of(PIXEL),
    "images by data": with_image(PIXEL),
    "images by URL": with_image(PICTURE),
    "images in low detail": with_image(replace(PIXEL, detail="low")),
    "refusals in the history": replace(
        ASKED, messages=(HELLO, Message("assistant", (Refusal("No."),)), HELLO)
    ),
    "JSON of any shape (JSON mode)": replace(ASKED, json_output=JsonOutput()),
    "JSON of a schema": replace(ASKED, json_output=JsonOutput("town", SCHEMA, strict=True)),
    "stop sequences": replace(ASKED, stop=("END",)),
    "more than 5 stop sequences": replace(ASKED, stop=tuple("ABCDEF")),
    "temperature up to 1": with_sampling(temperature=0.7),
    "temperature above 1": with_sampling(temperature=1.5),
    "`top_p`": with_sampling(top_p=0.9),
    "`top_k`": with_sampling(top_k=40),
    "seed": with_sampling(seed=7),
    "frequency penalty": with_sampling(frequency_penalty=0.5),
    "presence penalty": with_sampling(presence_penalty=0.5),
    "several answers (`n`)": replace(ASKED, choices=2),
    "reasoning: effort `minimal`": with_reasoning("minimal"),
    "reasoning: effort `low`, `medium`, `high`": with_reasoning("medium"),
    "reasoning: a budget of tokens": with_reasoning(budget_tokens=2048),
    "reasoning: off": with_reasoning(enabled=False),
    "an id of the end user": replace(ASKED, user="u-17"),
}
CACHED = "cached input tokens, where reported"


def takes(dialect: TargetDialect, model: str, asked: Conversation) -> bool:
    try:
        request = dialect.encode(asked, model)
    except Unsupported:
        return False
    assert request.stream is asked.stream
    return True


def answer(kind: str, asked: Conversation) -> str:
    """Say whether a kind takes what is asked: `yes`, `no`, or which models of it do."""
    families = FAMILIES.get(kind, {"": "any"})
    dialect = DIALECTS[ProviderKind(kind)]
    taking = [name for name, model in families.items() if takes(dialect, model, asked)]
    if len(taking) in {0, len(families)}:
        return "yes" if taking else "no"
    return ", ".join(taking)


OPENAI_REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
REPLIES: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("openai", "azure", "ollama", "vllm", "localai"), OPENAI_REPLY),
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
    "gemini": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {
            "promptTokenCount": 9,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 1,
            "totalTokenCount": 10,
        },
    },
    "bedrock": {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 5,
            "outputTokens": 1,
            "totalTokens": 10,
            "cacheReadInputTokens": 4,
        },
    },
}


def reads_cached(kind: str) -> str:
    """Say whether the cached tokens of a reply, in the provider's own words, are noticed."""
    reader = DIALECTS[ProviderKind(kind)].reader(ASKED, AnswerIdentity("1", "m", 1))
    events = [*reader.feed(msgspec.json.encode(REPLIES[kind])), *reader.end()]
    usages = [event.usage for event in events if isinstance(event, UsageReported)]
    return "yes" if usages[-1].cached_input_tokens == 4 else "no"


def row(feature: str, answers: Mapping[str, str]) -> str:
    cells = []
    for kinds in COLUMNS.values():
        (cell,) = {answers[kind] for kind in kinds}
        cells.append(cell)
    return f"| {feature} | {' | '.join(cells)} |"


def table() -> list[str]:
    kinds = [kind for kinds in COLUMNS.values() for kind in kinds]
    return [
        f"| feature | {' | '.join(COLUMNS)} |",
        f"|---{'|---' * len(COLUMNS)}|",
        *(row(name, {k: answer(k, asked) for k in kinds}) for name, asked in FEATURES.items()),
        row(CACHED, {kind: reads_cached(kind) for kind in kinds}),
    ]


def page_table() -> list[str]:
    lines = (ROOT / PAGE).read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| feature |"))
    end = next(n for n, line in enumerate(lines) if n > start and not line.startswith("|"))
    return lines[start:end]


def test_the_table_of_features_is_what_the_code_does() -> None:
    """Where it is not: what the assertion shows is the table to paste."""
    assert "\n".join(page_table()) == "\n".join(table())


def test_the_table_has_every_kind_but_the_scripted() -> None:
    named = {kind for kinds in COLUMNS.values() for kind in kinds}
    assert named | {"scripted"} == {str(kind) for kind in DIALECTS} == set(ProviderKind)


def test_the_table_tells_something_apart() -> None:
    assert answer("anthropic", FEATURES["seed"]) == "no"
    assert answer("gemini", FEATURES["seed"]) == "yes"
    assert answer("bedrock", FEATURES["`top_k`"]) == "Claude, Nova"


def parsed(text: str) -> set[ProviderKind]:
    """Return the kinds that an example configures; every one of its models can be called."""
    environ = dict.fromkeys(re.findall(r'"env:(\w+)"', text), "set")
    prices = PriceTable.from_json(PRICES_FILE.read_bytes())
    config = parse_gateway_toml([ConfigSource(PAGE, text.encode())], environ, prices)
    assert set(config.available_models()) == set(config.models) != set()
    return {provider.kind for provider in config.providers.values()}


EXAMPLES = [block for block in blocks("toml") if block.page == PAGE]


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_is_accepted(block: Any) -> None:
    assert parsed(block.text)


def test_every_kind_has_an_example() -> None:
    assert set().union(*(parsed(block.text) for block in EXAMPLES)) == set(ProviderKind)


@pytest.mark.parametrize("kind", DEFAULT_BASE_URLS)
def test_the_page_names_the_address_of(kind: ProviderKind) -> None:
    assert f"`{DEFAULT_BASE_URLS[kind]}`" in (ROOT / PAGE).read_text()


def rows_of(heading: str) -> dict[str, list[str]]:
    """The table below a heading: its cells by its first one."""
    section = (ROOT / PAGE).read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    cells = [
        re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if "|" in line
    ]
    return {first.strip("`"): rest for first, *rest in cells}


EMBEDDING_MODELS = {"Titan V2": "amazon.titan-embed-text-v2:0", "Cohere": "cohere.embed-v4:0"}


def embeds(kind: ProviderKind, model: str) -> bool:
    target = Target("p", ToldProvider(), model, PRICE, DIALECTS[kind])
    try:
        check_able(target, parse_embeddings(b'{"model":"m","input":"hi"}'))
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("kind", ProviderKind)
def test_the_page_says_who_embeds_and_who_completes(kind: ProviderKind) -> None:
    embedding, completing = rows_of("## Embeddings and completions")[kind]

    if embeds(kind, "any"):
        assert embedding == "yes"
    else:
        able = [name for name, model in EMBEDDING_MODELS.items() if embeds(kind, model)]
        assert embedding == (", ".join(able) or "no")
    assert completing == ("yes" if DIALECTS[kind].speaks_chat else "no")


@pytest.mark.parametrize("kind", ProviderKind)
def test_the_page_says_who_goes_on_and_how(kind: ProviderKind) -> None:
    (how,) = rows_of("## Going on with an answer")[kind]

    old, new = continuing(kind, "claude-haiku-4-5"), continuing(kind, "any")
    assert how == (new if old is new else f"Claude up to 4.5: {old}, others: {new}")

"""A stream that breaks off in mid-answer is continued by the next target, exactly, or says so."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.providers.scripted_answers import TEXT
from forebay.model import Outcome
from forebay.service.catalog import Catalog, ModelPolicy, Target
from forebay.service.target_dialects import OPENAI
from forebay.settings import Continuing, ModelResilience, ScriptedContinuing, ScriptedSettings
from tests.support.asgi import Reply, call
from tests.support.gateway import PRICE, World
from tests.support.scripted import always, no_dice

TOKENS = 24
ANSWER = " ".join((TEXT.split() * 2)[:TOKENS])
"""What a healthy target says from its beginning to its end."""

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
QUESTION = {"model": "m", "stream": True}
SAID = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {**QUESTION, "messages": SAID, "stream_options": {"include_usage": True}},
    MESSAGES: {**QUESTION, "messages": SAID, "max_tokens": 500},
    RESPONSES: {**QUESTION, "input": "hi"},
}
ENDS = {CHAT: "data: [DONE]", MESSAGES: "event: message_stop", RESPONSES: "response.completed"}


@dataclass
class Pair:
    """A model whose first target breaks off, with one fallback."""

    after_tokens: int = 7
    fault: str = "cut"
    continues: str = "prefill"
    how: Continuing = Continuing.PREFILL
    second_fault: str | None = None
    policy: ModelResilience = field(default_factory=ModelResilience)
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        first = always(self.fault, after_tokens=self.after_tokens)
        targets = {
            "m": (self._target("first", ScriptedSettings(tokens=TOKENS, faults=first)),),
            "f": (self._target("second", self._second()),),
        }
        policies = {"m": ModelPolicy(self.policy)}
        catalog = Catalog(targets, {}, {"m": ("f",)}, policies)
        self.app = self.world.serve(self.world.gateway_of(catalog))

    def _second(self) -> ScriptedSettings:
        continues = ScriptedContinuing(self.continues)
        if self.second_fault is None:
            return ScriptedSettings(tokens=TOKENS, continues=continues)
        faults = always(self.second_fault, after_tokens=5)
        return ScriptedSettings(tokens=TOKENS, continues=continues, faults=faults)

    def _target(self, name: str, script: ScriptedSettings) -> Target:
        provider = ScriptedProvider(name, script, self.world.clock, no_dice)
        return Target(name, provider, "x", PRICE, OPENAI, continuing=self.how)

    def ask(self, path: str = CHAT, **more: Any) -> Reply:
        headers = {"authorization": f"Bearer {self.world.secret()}"}
        body = {**BODIES[path], **more}
        return asyncio.run(call(self.app, "POST", path, headers=headers, body=body))


def said(reply: Reply) -> str:
    """The answer's text, in whichever dialect."""
    texts: list[str] = []
    for line in reply.body.decode().splitlines():
        data = line.removeprefix("data: ")
        if data in (line, "[DONE]"):
            continue
        event = json.loads(data)
        texts += [choice["delta"].get("content") or "" for choice in event.get("choices", [])]
        if event.get("type") == "content_block_delta":
            texts.append(event["delta"].get("text", ""))
        if event.get("type") == "response.output_text.delta":
            texts.append(event["delta"])
    return "".join(texts)


each_dialect = pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])


@each_dialect
@pytest.mark.parametrize("fault", ["cut", "stall", "broken_json"])
@pytest.mark.parametrize(
    ("continues", "how"),
    [
        ("prefill", Continuing.PREFILL),
        ("echo", Continuing.ECHO),
        ("restart", Continuing.ECHO),
    ],
)
def test_inv4_an_answer_that_broke_off_is_continued_exactly(
    path: str, fault: str, continues: str, how: Continuing
) -> None:
    pair = Pair(fault=fault, continues=continues, how=how)

    reply = pair.ask(path)

    assert said(reply) == ANSWER
    assert ENDS[path] in reply.body.decode()
    assert reply.ended
    (row,) = pair.world.rows()
    assert row.outcome is Outcome.COMPLETE
    assert [each.result for each in row.attempts] == ["cut", "complete"]


@pytest.mark.parametrize("after_tokens", range(1, TOKENS))
@pytest.mark.parametrize(
    ("continues", "how"), [("prefill", Continuing.PREFILL), ("echo", Continuing.ECHO)]
)
def test_inv4_wherever_it_broke_off(after_tokens: int, continues: str, how: Continuing) -> None:
    assert said(Pair(after_tokens, continues=continues, how=how).ask()) == ANSWER


@each_dialect
@pytest.mark.parametrize("continues", ["preamble", "other"])
def test_inv3_a_target_that_goes_on_elsewise_is_not_believed(path: str, continues: str) -> None:
    pair = Pair(continues=continues, how=Continuing.ECHO)

    reply = pair.ask(path)

    assert ANSWER.startswith(said(reply))
    assert ENDS[path] not in reply.body.decode()
    assert "error" in reply.body.decode()
    assert not reply.ended
    (row,) = pair.world.rows()
    assert row.outcome is Outcome.CUT


@each_dialect
def test_inv3_what_must_not_be_continued_ends_in_an_error(path: str) -> None:
    pair = Pair(policy=ModelResilience(continuation=False))

    reply = pair.ask(path)

    assert ANSWER.startswith(said(reply))
    assert ENDS[path] not in reply.body.decode()
    assert [each.result for each in pair.world.rows()[0].attempts] == ["cut"]


def test_inv3_targets_that_do_not_continue_leave_an_error() -> None:
    reply = Pair(how=Continuing.NONE).ask()

    assert ENDS[CHAT] not in reply.body.decode()
    assert not reply.ended


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_inv3_answers_that_nobody_else_can_go_on_with_end_in_an_error(more: dict[str, Any]) -> None:
    reply = Pair().ask(**more)

    assert ENDS[CHAT] not in reply.body.decode()
    assert reply.events()[-1]["error"]["code"] == "upstream_cut"


def test_a_continuation_that_breaks_off_is_continued_in_turn() -> None:
    """Both targets break off after their tokens: what each adds is kept."""
    pair = Pair(after_tokens=7, second_fault="cut")

    reply = pair.ask()

    said_so_far = said(reply)
    (row,) = pair.world.rows()
    assert ANSWER.startswith(said_so_far)
    assert len(said_so_far.split()) == 7 + 5 + 7 + 5
    assert [each.result for each in row.attempts] == ["cut"] * 4


def test_the_caller_sees_one_answer_of_one_identity() -> None:
    events = [each for each in Pair().ask().events() if each != "[DONE]"]

    assert len({(each["id"], each["created"], each["model"]) for each in events}) == 1
    roles = [choice for each in events for choice in each["choices"] if "role" in choice["delta"]]
    assert len(roles) == 1


def test_the_caller_sees_the_usage_of_one_answer_and_the_cost_of_all() -> None:
    pair = Pair()

    usage = pair.ask().events()[-2]["usage"]

    (row,) = pair.world.rows()
    assert usage["prompt_tokens"] == 1
    assert abs(usage["completion_tokens"] - TOKENS) <= 15  # words counted by a vocabulary
    assert usage["forebay"]["cost_usd"] == f"{row.cost_nano_usd / 10**9:.9f}"
    assert row.usage.output_tokens > usage["completion_tokens"]


def test_a_limit_on_the_answer_holds_for_all_of_it() -> None:
    reply = Pair().ask(max_tokens=60)

    assert len(said(reply).split()) <= 60


def test_a_stop_sequence_over_the_seam_ends_the_answer() -> None:
    """Seven words went out, `… until the`; the sequence begins in them and ends after them."""
    words = ANSWER.split()
    stop = f"{words[6]} {words[7]}"

    reply = Pair().ask(stop=[stop])

    assert stop not in said(reply)
    assert ENDS[CHAT] in reply.body.decode()


def test_a_tool_call_that_breaks_off_is_made_again_without_notice() -> None:
    world = World()
    broken = ScriptedSettings(tool_call=True, faults=always("cut", after_tokens=2))
    providers = [broken, ScriptedSettings(tool_call=True)]
    targets = [
        Target(f"t{index}", ScriptedProvider("p", script, world.clock, no_dice), "x", PRICE, OPENAI)
        for index, script in enumerate(providers)
    ]
    catalog = Catalog({"m": (targets[0],), "f": (targets[1],)}, {}, {"m": ("f",)})
    app = world.serve(world.gateway_of(catalog))
    headers = {"authorization": f"Bearer {world.secret()}"}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]

    reply = asyncio.run(
        call(app, "POST", CHAT, headers=headers, body={**BODIES[CHAT], "tools": tools})
    )

    calls = [
        part
        for event in reply.events()
        if event != "[DONE]"
        for choice in event["choices"]
        for part in choice["delta"].get("tool_calls", [])
    ]
    assert [part["function"]["name"] for part in calls if "name" in part["function"]] == ["look"]
    assert json.loads("".join(part["function"].get("arguments", "") for part in calls)) is not None
    assert ENDS[CHAT] in reply.body.decode()

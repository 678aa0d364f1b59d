"""Every caller's answer, gone on with by every target: exact, and ended as the caller expects.

The target's streams are those of `tests/data/streams`: in an echo a target that begins again writes
them, in a prefill one that writes on does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from forebay.dialects import DialectError
from forebay.dialects.canonical import Started, TextDelta
from forebay.dialects.continuation import Interrupted
from forebay.dialects.exchange import Exchange
from forebay.dialects.question import (
    AnswerIdentity,
    Question,
    chat_question,
    messages_question,
    responses_question,
)
from forebay.dialects.seam import SeamMismatch
from forebay.errors import InvalidRequest
from forebay.model import Usage
from forebay.money import NanoUsd, Price
from forebay.service import target_dialects
from forebay.service.catalog import Target
from forebay.service.exchanges import continued_exchange
from forebay.service.target_dialects import TargetDialect
from forebay.settings import Continuing
from tests.support.bedrock import TEXT, lines
from tests.support.streams import FOLDER
from tests.support.told_provider import ToldProvider

HELLO = [{"role": "user", "content": "hello"}]
IDENTITY = AnswerIdentity("answer-1", "m", 7)
DELIVERED = Usage(3, 2)
SPENT = NanoUsd(1_000_000)
PRICE = Price(input=250_000_000, cached_input=25_000_000, output=2_000_000_000)
"""0.25, 0.025 and 2.00 USD per million tokens."""
BEGUN = "Let me see. "

# --- callers


def events_in(written: bytes) -> Iterator[Any]:
    for line in written.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


def chat_text(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content", "") for choice in event["choices"])


def messages_text(event: dict[str, Any]) -> str:
    return str(event.get("delta", {}).get("text", ""))


def responses_text(event: dict[str, Any]) -> str:
    return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""


@dataclass(frozen=True)
class Caller:
    """A dialect that comes in."""

    asked: Callable[..., Question]
    text_of: Callable[[dict[str, Any]], str]
    """Of one event of the answer."""
    terminal: bytes
    """What stands at the end of a whole stream, and nowhere else: a pattern."""

    def said(self, written: bytes) -> str:
        """All text of an answer."""
        return "".join(map(self.text_of, events_in(written)))

    def ends(self, written: bytes) -> int:
        """How often it ends as if it were whole."""
        return len(re.findall(self.terminal, written))


def chat(**more: Any) -> Question:
    return chat_question(
        json.dumps({"model": "m", "stream": True, "messages": HELLO, **more}).encode()
    )


def messages(**more: Any) -> Question:
    fields = {"model": "m", "stream": True, "max_tokens": 99, "messages": HELLO, **more}
    return messages_question(json.dumps(fields).encode(), {})


def responses(**more: Any) -> Question:
    return responses_question(
        json.dumps({"model": "m", "stream": True, "input": "hello", **more}).encode()
    )


CALLERS = {
    "chat": Caller(chat, chat_text, rb"data: \[DONE\]"),
    "messages": Caller(messages, messages_text, b"event: message_stop"),
    "responses": Caller(responses, responses_text, rb"event: response\.(?:completed|incomplete)"),
}
each_caller = pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)

# --- targets


@dataclass(frozen=True)
class Told:
    """A dialect that goes out, and a stream of it."""

    dialect: TargetDialect
    sent: bytes
    text: str
    """Of the stream, reasoning apart."""


def recorded(name: str) -> bytes:
    return (FOLDER / f"{name}.sse").read_bytes()


GREETING = 'Grüße, "world"\u2028'
TARGETS = {
    "openai": Told(target_dialects.OPENAI, recorded("openai_plain"), f"{GREETING} \U0001f600\n"),
    "openai, CRLF": Told(target_dialects.OPENAI, recorded("crlf_and_comments"), "Sure"),
    "azure": Told(target_dialects.OPENAI, recorded("azure_plain"), "Ok"),
    "localai": Told(target_dialects.LOCALAI, recorded("openai_usage"), "Hello there"),
    "ollama": Told(target_dialects.OLLAMA, recorded("ollama_plain"), "Hi!"),
    "vllm": Told(target_dialects.VLLM, recorded("vllm_plain"), "42"),
    "anthropic": Told(
        target_dialects.ANTHROPIC, recorded("anthropic_text"), f"{GREETING}\U0001f600"
    ),
    "anthropic, thinking": Told(
        target_dialects.ANTHROPIC, recorded("anthropic_thinking"), "27 * 453 = 12231"
    ),
    "gemini": Told(target_dialects.GEMINI, recorded("gemini_plain"), f"{GREETING} \U0001f600\n"),
    "gemini, thinking": Told(
        target_dialects.GEMINI, recorded("gemini_thinking"), "There are three."
    ),
    "bedrock": Told(target_dialects.BEDROCK, lines(*TEXT), "Héllo\n\u2028"),
}
PREFILLED = ("openai", "openai, CRLF", "azure", "localai", "ollama", "anthropic", "bedrock")
TOOLS_AFTER = {
    "openai": ("Ah.", Told(target_dialects.OPENAI, recorded("openai_tools"), "")),
    "anthropic": ("Ah.", Told(target_dialects.ANTHROPIC, recorded("anthropic_tools"), "Okay.")),
    "gemini": ("Let", Told(target_dialects.GEMINI, recorded("gemini_tools"), "Let me look. ")),
}
each_target = pytest.mark.parametrize("told", TARGETS.values(), ids=TARGETS)
each_that_writes_on = pytest.mark.parametrize(
    "told", [TARGETS[name] for name in PREFILLED], ids=PREFILLED
)


def go_on(
    asked: Question, told: Told, begun: str, how: Continuing, model: str = "anthropic.claude-3"
) -> tuple[bytes, Exchange | None]:
    """Return what the caller has already, and the exchange that is to go on."""
    writer = asked.writer(IDENTITY)
    written = writer.write([Started("first", "m"), TextDelta(begun)])
    target = Target("p", ToldProvider(), model, PRICE, told.dialect, continuing=how)
    broken = Interrupted(begun, writer, None)
    return written, continued_exchange(
        asked, target, IDENTITY, broken, delivered=DELIVERED, spent=lambda: SPENT
    )


def answer(caller: Caller, told: Told, begun: str, how: Continuing, step: int) -> bytes:
    """Return all that the caller gets; the rest of it comes in pieces of so many bytes."""
    written, exchange = go_on(caller.asked(), told, begun, how)
    assert exchange is not None
    for at in range(0, len(told.sent), step):
        written += exchange.feed(told.sent[at : at + step])
    return written + exchange.end()


@each_caller
@each_target
def test_inv4_an_answer_that_is_begun_again_goes_on_where_it_broke_off(
    caller: Caller, told: Told
) -> None:
    beginnings = [told.text[:length] for length in range(1, len(told.text) + 1)]

    answers = [answer(caller, told, begun, Continuing.ECHO, 4096) for begun in beginnings]

    assert {caller.said(written) for written in answers} == {told.text}
    assert {caller.ends(written) for written in answers} == {1}


@each_caller
@each_target
def test_inv4_it_goes_on_wherever_its_bytes_are_split(caller: Caller, told: Told) -> None:
    answers = [answer(caller, told, told.text[:2], Continuing.ECHO, step) for step in (1, 2, 7)]

    assert {caller.said(written) for written in answers} == {told.text}


@each_caller
@each_that_writes_on
def test_inv4_an_answer_that_is_written_on_goes_on_where_it_broke_off(
    caller: Caller, told: Told
) -> None:
    written = answer(caller, told, "Let me see:", Continuing.PREFILL, 1)

    assert caller.said(written) == f"Let me see:{told.text}"
    assert caller.ends(written) == 1


@each_caller
@pytest.mark.parametrize(("begun", "told"), TOOLS_AFTER.values(), ids=TOOLS_AFTER)
def test_tools_may_be_called_after_the_seam(caller: Caller, begun: str, told: Told) -> None:
    begins_again = told.text.startswith(begun)
    how = Continuing.ECHO if begins_again else Continuing.PREFILL

    written = answer(caller, told, begun, how, 1)

    assert caller.said(written) == begun + told.text.removeprefix(begun)
    assert b"get_weather" in written
    assert b"get_time" in written
    assert caller.ends(written) == 1


@each_caller
@each_target
def test_inv3_a_rest_that_is_cut_never_looks_whole(caller: Caller, told: Told) -> None:
    _, exchange = go_on(caller.asked(), told, told.text[:1], Continuing.ECHO)
    assert exchange is not None
    written = exchange.feed(told.sent[: len(told.sent) // 3])

    with pytest.raises(DialectError):
        exchange.end()

    assert caller.ends(written) == 0


@each_caller
@each_target
def test_inv4_something_else_reaches_nobody(caller: Caller, told: Told) -> None:
    _, exchange = go_on(caller.asked(), told, "Nobody ever said that.", Continuing.ECHO)
    assert exchange is not None

    assert exchange.feed(told.sent) == b""
    with pytest.raises(SeamMismatch):
        exchange.end()
    broken = exchange.interrupted()
    assert broken is not None
    assert broken.text == "Nobody ever said that."


# --- who is asked, and how


def asked_of(told: Told, how: Continuing, **asked: Any) -> Any:
    _, exchange = go_on(chat(**asked), told, BEGUN, how)
    assert exchange is not None
    return json.loads(exchange.request.body)


def test_a_target_that_writes_on_gets_the_beginning_as_its_own() -> None:
    sent = asked_of(TARGETS["vllm"], Continuing.PREFILL, max_completion_tokens=50)

    assert sent["messages"] == [*HELLO, {"role": "assistant", "content": BEGUN.rstrip()}]
    assert sent["continue_final_message"] is True
    assert sent["max_completion_tokens"] == 50 - DELIVERED.output_tokens


def test_another_gets_it_as_a_turn_that_it_is_to_go_on_with() -> None:
    sent = asked_of(TARGETS["anthropic"], Continuing.ECHO)

    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert sent["messages"][-1]["content"][0]["text"].endswith(BEGUN)


def test_a_model_that_is_to_think_is_asked_to_go_on() -> None:
    sent = asked_of(TARGETS["vllm"], Continuing.PREFILL, reasoning_effort="low")

    assert "continue_final_message" not in sent
    assert sent["messages"][-1]["role"] == "user"


@pytest.mark.parametrize(
    ("asked", "begun", "how"),
    [
        pytest.param({}, BEGUN, Continuing.NONE, id="a target that does not"),
        pytest.param({"n": 2}, BEGUN, Continuing.PREFILL, id="several answers"),
        pytest.param({}, "la " * 40, Continuing.ECHO, id="a text that cannot be recognised"),
    ],
)
def test_what_cannot_be_continued_is_not(
    asked: dict[str, Any], begun: str, how: Continuing
) -> None:
    assert go_on(chat(**asked), TARGETS["openai"], begun, how)[1] is None


@pytest.mark.parametrize(
    ("asked", "told", "how"),
    [
        pytest.param({"logprobs": True}, "openai", Continuing.ECHO, id="log probabilities"),
        pytest.param({"audio": {"voice": "a"}}, "openai", Continuing.ECHO, id="audio"),
        pytest.param({"seed": 7}, "anthropic", Continuing.ECHO, id="not with this target"),
        pytest.param({}, "gemini", Continuing.PREFILL, id="no prefill there"),
    ],
)
def test_what_the_target_cannot_do_is_refused(
    asked: dict[str, Any], told: str, how: Continuing
) -> None:
    with pytest.raises(InvalidRequest):
        go_on(chat(**asked), TARGETS[told], BEGUN, how)


def test_the_note_is_of_what_all_targets_are_paid() -> None:
    asked = chat(stream_options={"include_usage": True})
    told = TARGETS["localai"]  # it reports 19 input tokens, 8 of them cached, and 5 of output
    _, exchange = go_on(asked, told, told.text[:5], Continuing.ECHO)
    assert exchange is not None
    exchange.feed(told.sent)

    shown = list(events_in(exchange.end()))[-1]["usage"]

    assert shown["prompt_tokens"] == DELIVERED.input_tokens
    assert shown["forebay"] == {"cost_usd": "0.001012950"}

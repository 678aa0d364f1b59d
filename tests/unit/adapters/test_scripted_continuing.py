"""How the scripted model goes on with an answer that broke off: well, badly, not at all."""

import json
from typing import Any

import pytest

from forebay.adapters.providers.scripted_answers import (
    ANCHOR_CHARACTERS,
    OTHER_TEXT,
    PREAMBLE,
    text_of,
)
from forebay.settings import ScriptedContinuing, ScriptedSettings
from tests.support.scripted import play, request

TOKENS = 40
WHOLE = text_of(TOKENS)
BEGUN = text_of(20)
REST = WHOLE[len(BEGUN) :]
ANCHOR = BEGUN[-ANCHOR_CHARACTERS:]
HELLO = {"role": "user", "content": "hi"}
GO_ON = {"role": "user", "content": f"Go on. The last words are: {ANCHOR}"}
THANKS = {"role": "user", "content": "Thanks! And now?"}


def begun(content: Any = BEGUN) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def goes_on(continues: str, *messages: dict[str, Any], **fields: Any) -> str:
    script = ScriptedSettings(tokens=TOKENS, continues=ScriptedContinuing(continues))
    (body,) = play(request(messages=list(messages), **fields), script)
    return str(json.loads(body)["choices"][0]["message"]["content"])


def test_a_prefilled_turn_is_written_to_its_end() -> None:
    assert goes_on("prefill", HELLO, begun()) == REST


ASKED = {
    "echo": ANCHOR + REST,
    "restart": WHOLE,
    "preamble": PREAMBLE + ANCHOR + REST,
    "other": OTHER_TEXT,
}


@pytest.mark.parametrize(("continues", "said"), ASKED.items())
def test_asked_to_go_on_it_does_so_in_its_way(continues: str, said: str) -> None:
    assert goes_on(continues, HELLO, begun(), GO_ON) == said


@pytest.mark.parametrize(("continues", "said"), ASKED.items())
def test_it_does_so_too_if_its_own_turn_stands_last(continues: str, said: str) -> None:
    assert goes_on(continues, HELLO, begun()) == said


def test_a_model_that_needs_its_turn_last_begins_again_if_it_is_asked() -> None:
    assert goes_on("prefill", HELLO, begun(), GO_ON) == WHOLE


@pytest.mark.parametrize("length", [1, 2, 7, 64, 65, len(WHOLE) - 1, len(WHOLE)])
def test_any_beginning_and_its_rest_are_the_answer(length: int) -> None:
    assert WHOLE[:length] + goes_on("prefill", HELLO, begun(WHOLE[:length])) == WHOLE


def test_after_the_last_word_there_is_only_the_end() -> None:
    assert goes_on("echo", HELLO, begun(WHOLE), GO_ON | {"content": WHOLE}) == WHOLE[-64:]


def test_an_echo_of_little_is_all_of_it() -> None:
    assert goes_on("echo", HELLO, begun("Water"), GO_ON | {"content": "Water"}) == WHOLE


def test_a_turn_in_parts_is_read_as_one() -> None:
    parts = [{"type": "text", "text": BEGUN[:9]}, {"type": "text", "text": BEGUN[9:]}]

    assert goes_on("prefill", HELLO, begun(parts)) == REST


@pytest.mark.parametrize(
    "said", ["", None, "Other words.", 7], ids=["nothing", "null", "other words", "a number"]
)
@pytest.mark.parametrize("continues", ScriptedContinuing)
def test_what_is_no_beginning_of_its_answer_is_an_ordinary_turn(continues: str, said: Any) -> None:
    asked = {"role": "user", "content": str(said)}

    assert goes_on(continues, HELLO, begun(said), asked) == WHOLE
    assert goes_on(continues, HELLO, begun(said)) == WHOLE


@pytest.mark.parametrize("continues", ScriptedContinuing)
def test_a_question_after_an_answer_is_an_ordinary_turn(continues: str) -> None:
    assert goes_on(continues, HELLO, begun(WHOLE), THANKS) == WHOLE
    assert goes_on(continues, HELLO, begun(BEGUN), THANKS) == WHOLE


def test_the_rest_is_limited_like_any_answer() -> None:
    assert goes_on("prefill", HELLO, begun(), max_tokens=2) == " " + " ".join(REST.split()[:2])


def test_a_conversation_without_messages_is_answered() -> None:
    assert goes_on("echo") == WHOLE

"""A bound is never below what a request takes in a real vocabulary, framed as its provider does."""

import asyncio
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.tokens import TiktokenCounter, _load
from forebay.admission.bound import BoundTarget
from forebay.dialects.demand import demand_of
from forebay.dialects.question import chat_question, messages_question
from forebay.model import KeyPolicy
from forebay.money import FREE
from forebay.service.bounding import Bounding
from forebay.settings import ProviderKind
from tests.unit.adapters.test_tokens import Incidents

ROOT = Path(__file__).parents[2]
VOCABULARIES = ROOT / "layers" / "numerics" / "tiktoken"
ENCODING = _load(VOCABULARIES, "o200k_base")
LINES = (ROOT / "tests" / "data" / "texts" / "texts.jsonl").read_text(encoding="utf-8").splitlines()
REAL = st.sampled_from([json.loads(line)["text"] for line in LINES])
BOUNDING = Bounding(TiktokenCounter(str(VOCABULARIES), Incidents()))
GPT = BoundTarget(ProviderKind.OPENAI, "gpt-4o", FREE)
CLAUDE = BoundTarget(ProviderKind.ANTHROPIC, "claude-haiku-4-5", FREE)

TEXTS = REAL | st.text(st.characters(codec="utf-8"), max_size=80)
TALKS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "system"]), TEXTS), min_size=1, max_size=6
)


def actual(talk: list[tuple[str, str]]) -> int:
    """Count as OpenAI bills: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken."""
    framed = (4 + len(ENCODING.encode_ordinary(role + text)) for role, text in talk)
    return 3 + sum(framed)


@given(TALKS, st.sampled_from(["calibrated", "proven"]))
def test_a_chat_takes_no_more_than_its_bound(talk: list[tuple[str, str]], hold: str) -> None:
    said = [{"role": role, "content": text} for role, text in talk]
    asked = chat_question(json.dumps({"model": "m", "messages": said}).encode())
    policy = KeyPolicy(hold="proven" if hold == "proven" else "calibrated")

    bound = asyncio.run(BOUNDING.worst_case(demand_of(asked), [GPT], policy, has_budget=True))

    assert bound.input_tokens >= actual(talk)


@given(st.lists(REAL, min_size=1, max_size=6))
def test_real_messages_take_no_more_than_their_bound(texts: list[str]) -> None:
    said = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts]
    body = {"model": "m", "max_tokens": 1, "messages": said, "system": texts[0]}
    asked = messages_question(json.dumps(body).encode(), {})

    bound = asyncio.run(
        BOUNDING.worst_case(demand_of(asked), [CLAUDE], KeyPolicy(), has_budget=True)
    )

    assert bound.input_tokens >= actual([("user", text) for text in [texts[0], *texts]])

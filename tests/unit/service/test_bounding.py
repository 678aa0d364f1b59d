"""The worst case of a request, with its tokens counted where that can be done."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forebay.adapters.tokens import TiktokenCounter
from forebay.admission.bound import Bound, BoundTarget
from forebay.admission.input_bound import REQUEST_TOKENS
from forebay.admission.text_bound import COUNTED_BYTES, calibrated, proven
from forebay.errors import CostNotBounded
from forebay.model import Demand, KeyPolicy
from forebay.money import FREE
from forebay.ports import Tokenizer
from forebay.service.bounding import Bounding
from forebay.settings import ProviderKind
from tests.unit.adapters.test_tokens import Incidents

VOCABULARIES = Path(__file__).parents[3] / "layers" / "numerics" / "tiktoken"
TEXT = "The quick brown fox jumps over the lazy dog."
GPT = BoundTarget(ProviderKind.OPENAI, "gpt-4o", FREE)
CLAUDE = BoundTarget(ProviderKind.ANTHROPIC, "claude-haiku-4-5", FREE)
GPT_ELSEWHERE = BoundTarget(ProviderKind.VLLM, "gpt-4o", FREE)


@dataclass
class Known:
    """Port `Tokenizer`: knows one model, whose tokens are words."""

    asked: list[str] = field(default_factory=list)

    async def count_exactly(self, text: str, *, model: str) -> int | None:
        self.asked.append(model)
        return len(text.split()) if model == "gpt-4o" else None


def bound(
    demand: Demand,
    *targets: BoundTarget,
    policy: KeyPolicy | None = None,
    tokenizer: Tokenizer | None = None,
) -> Bound:
    async def main() -> Bound:
        bounding = Bounding(tokenizer or Known())
        return await bounding.worst_case(demand, targets, policy or KeyPolicy(), has_budget=True)

    return asyncio.run(main())


def test_a_model_with_a_known_vocabulary_is_counted_with_a_token_more_for_each_text() -> None:
    demand = Demand(texts=(TEXT,), schemas=("{ }",), output_limit=1)

    assert bound(demand, GPT).input_tokens == 9 + 2 + 2 + REQUEST_TOKENS


@pytest.mark.parametrize("target", [CLAUDE, GPT_ELSEWHERE], ids=["another's", "served elsewhere"])
def test_other_models_are_bounded_and_not_counted(target: BoundTarget) -> None:
    known = Known()

    found = bound(Demand(texts=(TEXT,), output_limit=1), target, tokenizer=known)

    assert found.input_tokens == calibrated(TEXT) + REQUEST_TOKENS
    assert known.asked == []


def test_a_vocabulary_that_is_not_at_hand_leaves_the_bound() -> None:
    unheard_of = BoundTarget(ProviderKind.OPENAI, "unheard-of", FREE)

    found = bound(Demand(texts=(TEXT,), output_limit=1), unheard_of)

    assert found.input_tokens == calibrated(TEXT) + REQUEST_TOKENS


def test_a_proven_hold_counts_nothing() -> None:
    known = Known()

    found = bound(
        Demand(texts=(TEXT,), output_limit=1), GPT, policy=KeyPolicy(hold="proven"), tokenizer=known
    )

    assert found.input_tokens == proven(TEXT) + REQUEST_TOKENS
    assert known.asked == []


@pytest.mark.parametrize(
    "text",
    ["word " * (COUNTED_BYTES // 5), "x" * 1_500, "word " * 200_000],
    ids=["long", "unbroken", "on a thread"],
)
def test_what_would_take_long_to_count_is_not_counted(text: str) -> None:
    known = Known()

    found = bound(Demand(texts=(text, "end"), output_limit=1), GPT, tokenizer=known)

    assert found.input_tokens == calibrated(text + "\nend") + REQUEST_TOKENS
    assert known.asked == []


def test_what_has_no_bound_is_refused() -> None:
    with pytest.raises(CostNotBounded):
        bound(Demand(texts=(TEXT,), unbounded=("audio",)), GPT)


def test_each_model_is_counted_once() -> None:
    known = Known()

    bound(Demand(texts=(TEXT,), output_limit=1), GPT, GPT, tokenizer=known)

    assert known.asked == ["gpt-4o"]


# --- the adapter


def count(text: str, model: str, directory: Path | None = VOCABULARIES) -> int | None:
    counter = TiktokenCounter(None if directory is None else str(directory), Incidents())
    return asyncio.run(counter.count_exactly(text, model=model))


@pytest.mark.parametrize(
    ("text", "tokens"), [(TEXT, 10), ("", 0), ("The quick brown fox. " * 1000, 5001)]
)
def test_tiktoken_counts_exactly(text: str, tokens: int) -> None:
    assert count(text, "gpt-4o-2024-11-20") == tokens


@pytest.mark.parametrize(
    ("text", "model", "directory"),
    [
        (TEXT, "claude-haiku-4-5", VOCABULARIES),
        (TEXT, "davinci", VOCABULARIES),
        (TEXT, "gpt-4o", None),
        ("word " * (COUNTED_BYTES // 5 + 1), "gpt-4o", VOCABULARIES),
    ],
    ids=["unknown model", "other vocabulary", "no files", "too long"],
)
def test_tiktoken_estimates_nothing(text: str, model: str, directory: Path | None) -> None:
    assert count(text, model, directory) is None

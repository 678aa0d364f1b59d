"""How many tokens a picture can be, by its provider's documentation."""

import pytest

from forebay.admission.picture_tokens import UNKNOWN_PICTURE_TOKENS, picture_tokens
from forebay.model import Picture
from forebay.settings import ProviderKind

OPENAI, ANTHROPIC, GEMINI = ProviderKind.OPENAI, ProviderKind.ANTHROPIC, ProviderKind.GEMINI


@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        # The page's own examples: 1024 x 1024 -> 765, 2048 x 4096 -> 1105, low -> 85.
        ("gpt-4o", 1024, 1024, "high", 765),
        ("gpt-4o", 2048, 4096, None, 1105),
        ("gpt-4o", 4096, 8192, "low", 85),
        ("gpt-4o-mini", 4096, 8192, "low", 2833),
        ("gpt-4o-mini", 1024, 1024, "high", 2833 + 4 * 5667),
        ("gpt-5", 1024, 1024, "high", 70 + 4 * 140),
        ("o3", 1024, 1024, "high", 75 + 4 * 150),
        ("gpt-4o", 10, 4000, "auto", 85 + 8 * 170),
        # Patches: 1024 x 1024 -> 1024, at most 1536, times the model's factor.
        ("gpt-4.1-mini", 1024, 1024, None, 1659),
        ("gpt-5-mini", 1800, 2400, "high", 2489),
        ("gpt-5-nano", 1800, 2400, None, 3779),
        ("o4-mini", 32, 32, None, 2),
    ],
)
def test_openai_counts_tiles_or_patches(
    model: str, width: int, height: int, detail: str | None, tokens: int
) -> None:
    assert picture_tokens(Picture(width, height, detail), OPENAI, model) == tokens


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        # The page's table: 200 x 200 -> ~54, 1000 x 1000 -> ~1334, 1092 x 1092 -> ~1590.
        ("claude-haiku-4-5", 200, 200, 64),
        ("claude-haiku-4-5", 1000, 1000, 1334),
        ("claude-haiku-4-5", 1092, 1092, 1590),
        ("claude-3-5-sonnet-20241022", 8000, 8000, 1600),
        ("claude-sonnet-4-20250514", 8000, 8000, 1600),
        ("claude-opus-4-6", 8000, 8000, 1600),
        ("claude-opus-4-7", 8000, 8000, 4784),
        ("claude-opus-5", None, None, 4784),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, None, 1600),
    ],
)
def test_anthropic_counts_area(
    model: str, width: int | None, height: int | None, tokens: int
) -> None:
    assert picture_tokens(Picture(width, height), ANTHROPIC, model) == tokens
    assert picture_tokens(Picture(width, height), ProviderKind.BEDROCK, model) == tokens


@pytest.mark.parametrize(
    ("model", "picture", "tokens"),
    [
        ("gemini-2.5-flash", Picture(384, 384), 4 * 258),
        ("gemini-2.5-flash", Picture(960, 540), 6 * 258),
        ("gemini-2.5-flash", Picture(), 2304),
        ("gemini-2.5-flash", Picture(960, 540, "high"), 2304),
        ("gemini-3-pro", Picture(960, 540), 1120),
    ],
)
def test_gemini_counts_tiles(model: str, picture: Picture, tokens: int) -> None:
    assert picture_tokens(picture, GEMINI, model) == tokens


@pytest.mark.parametrize(
    ("kind", "model"),
    [(ProviderKind.VLLM, "qwen2-vl"), (ProviderKind.OLLAMA, "llava"), (ProviderKind.BEDROCK, "x")],
)
def test_a_model_without_a_known_formula_takes_the_most(kind: ProviderKind, model: str) -> None:
    assert picture_tokens(Picture(10, 10), kind, model) == UNKNOWN_PICTURE_TOKENS


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        *((OPENAI, model) for model in ("gpt-4o", "gpt-4o-mini", "gpt-5-mini", "gpt-5.4", "o3")),
        (ANTHROPIC, "claude-haiku-4-5"),
    ],
)
def test_no_size_is_dearer_than_an_unknown_one(kind: ProviderKind, model: str) -> None:
    most = picture_tokens(Picture(), kind, model)

    for width in (1, 100, 768, 2_000, 10_000):
        for height in (1, 100, 768, 2_000, 10_000):
            assert 0 < picture_tokens(Picture(width, height), kind, model) <= most

"""How many tokens a text can be."""

import json
import sys
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.tokens import _load
from forebay.admission.text_bound import (
    COUNTED_BYTES,
    NORMALIZED_FACTOR,
    PIECE,
    calibrated,
    is_countable,
    proven,
)

ROOT = Path(__file__).parents[3]
ENCODINGS = [
    _load(ROOT / "layers" / "numerics" / "tiktoken", name) for name in ("o200k_base", "cl100k_base")
]
LINES = (ROOT / "tests" / "data" / "texts" / "texts.jsonl").read_text(encoding="utf-8").splitlines()
TEXTS = [json.loads(line)["text"] for line in LINES]
CHINESE = "我们都是人，生来自由。"  # noqa: RUF001 - so it is written
FILES = sorted((ROOT / "layers" / "core" / "python" / "forebay").glob("*/*.py"))[:40]


def tokens(text: str) -> int:
    """Count in the vocabulary that makes the most of it."""
    return max(len(each.encode_ordinary(text)) for each in ENCODINGS)


def test_no_real_text_has_more_tokens_than_its_bound() -> None:
    over = [text[:40] for text in TEXTS if calibrated(text) < tokens(text)]

    assert not over


def test_the_bound_of_real_text_is_within_three_and_a_half_times_its_tokens() -> None:
    total = sum(map(tokens, TEXTS))
    bound = sum(map(calibrated, TEXTS))
    print(f"calibrated bound / tokens: {bound / total:.2f} over {len(TEXTS)} texts")

    assert bound < 3.5 * total


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_code_has_more_tokens_than_its_bound(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert tokens(text) <= calibrated(text) < 3.5 * tokens(text) + 16


@given(st.text(max_size=300))
def test_no_text_at_all_has_more_tokens_than_bytes(text: str) -> None:
    assert tokens(text) <= proven(text)


@given(st.text(st.characters(), max_size=50), st.integers(1, 40))
def test_both_bounds_take_whatever_comes(text: str, times: int) -> None:
    assert calibrated(text * times) >= 0
    assert proven(text * times) >= len((text * times).encode("utf-8", "surrogatepass"))


def test_what_is_no_valid_unicode_is_bounded_too() -> None:
    assert proven("\ud83d broken") == 10
    assert calibrated("\ud83d broken") > 0


@pytest.mark.parametrize("letter", ["a", " ", "\n", "字", "😀", "+", "\ufdfa"])
def test_six_megabytes_of_one_letter_count_as_their_bytes(letter: str) -> None:
    size = len(letter.encode())
    text = letter * (6_000_000 // size)

    assert 6_000_000 <= calibrated(text) <= 6_000_000 * 1.001


def test_a_long_unbroken_run_is_bounded_by_its_bytes_wherever_it_begins() -> None:
    prose = "The quick brown fox jumps over it. "
    for shift in range(0, PIECE, 50):
        text = prose * 20 + "x" * shift + "q" * 1_000 + " " + prose * 20

        assert calibrated(text) >= calibrated(prose * 40) + PIECE * 0.4
        assert not is_countable(text)


def test_words_are_never_taken_for_a_run() -> None:
    assert is_countable("word " * 2_000)
    assert is_countable(CHINESE * 500)


def test_a_text_over_64_kilobytes_is_not_counted() -> None:
    assert is_countable("word " * (COUNTED_BYTES // 5))
    assert not is_countable("word " * (COUNTED_BYTES // 5 + 1))
    assert not is_countable("ю " * (COUNTED_BYTES // 3 + 1))


def test_chinese_is_not_held_at_its_bytes() -> None:
    text = CHINESE * 200

    assert calibrated(text) < 0.7 * len(text.encode())


def test_a_vocabulary_that_normalizes_sees_no_more_bytes_than_are_proven() -> None:
    for text in ("\ufdfa" * 10, "և" * 100, "ﬃ ①"):
        assert proven(text) >= len(normalize("NFKC", text).encode())


def test_no_character_grows_by_more_than_the_factor() -> None:
    grown = {
        character: len(normalize("NFKC", character).encode()) / len(character.encode())
        for character in map(chr, range(0x80, sys.maxunicode + 1))
        if not 0xD800 <= ord(character) < 0xE000
    }

    assert max(grown.values()) == NORMALIZED_FACTOR


def test_ligatures_without_end_are_taken_at_the_worst() -> None:
    text = "\ufdfa" * 500_000

    assert proven(text) == NORMALIZED_FACTOR * 1_500_000

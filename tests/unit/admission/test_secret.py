"""The shape of a secret: what is made is read, what is damaged is refused."""

import os
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forebay.admission import ENTROPY_BYTES, digest, holds_secret, masked, matches, mint, parse
from forebay.admission.secret import ALPHABET, TEXT_LENGTH

ENTROPY = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)
SAMPLE = mint(bytes(range(ENTROPY_BYTES)))


@given(ENTROPY)
def test_a_minted_secret_is_read_back_whole(entropy: bytes) -> None:
    minted = mint(entropy)
    assert parse(minted.text) == minted


@given(ENTROPY)
def test_a_secret_is_51_characters_of_base62_behind_its_prefix(entropy: bytes) -> None:
    text = mint(entropy).text
    assert len(text) == TEXT_LENGTH == 51
    assert text.startswith("fb-")
    assert set(text[3:]) <= set(string.ascii_letters + string.digits)


def test_the_key_id_is_the_ten_characters_after_the_prefix() -> None:
    assert SAMPLE.key_id == SAMPLE.text[3:13]


def test_different_entropy_gives_a_different_id_and_a_different_secret() -> None:
    texts = [mint(os.urandom(ENTROPY_BYTES)).text for _ in range(1000)]
    assert len({text[3:13] for text in texts}) == 1000
    assert len({text[13:45] for text in texts}) == 1000


def test_every_character_is_about_as_frequent_as_any_other() -> None:
    drawn = "".join(mint(os.urandom(ENTROPY_BYTES)).text[3:45] for _ in range(5000))
    # 210,000 characters: 3,387 of each expected, standard deviation 58; six of them is never.
    counts = [drawn.count(character) for character in ALPHABET]
    assert min(counts) > 3387 - 6 * 58
    assert max(counts) < 3387 + 6 * 58


def test_too_few_random_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="64 random bytes, not 63"):
        mint(bytes(63))


@pytest.mark.parametrize("position", range(3, TEXT_LENGTH))
def test_any_single_changed_character_is_refused(position: int) -> None:
    others = set(ALPHABET) - {SAMPLE.text[position]}
    changed = [SAMPLE.text[:position] + c + SAMPLE.text[position + 1 :] for c in others]
    assert [parse(text) for text in changed] == [None] * 61


@given(ENTROPY, st.integers(3, TEXT_LENGTH - 1), st.sampled_from(ALPHABET))
def test_a_changed_character_is_refused_in_any_secret(
    entropy: bytes, position: int, character: str
) -> None:
    text = mint(entropy).text
    assume(text[position] != character)
    assert parse(text[:position] + character + text[position + 1 :]) is None


@given(ENTROPY, st.integers(3, TEXT_LENGTH - 1), st.integers(3, TEXT_LENGTH - 1))
def test_two_swapped_characters_are_refused(entropy: bytes, one: int, other: int) -> None:
    characters = list(mint(entropy).text)
    assume(characters[one] != characters[other])
    characters[one], characters[other] = characters[other], characters[one]
    assert parse("".join(characters)) is None


@given(ENTROPY, ENTROPY)
def test_the_id_of_one_key_with_the_rest_of_another_is_refused(one: bytes, other: bytes) -> None:
    assume(mint(one).key_id != mint(other).key_id)
    assert parse(mint(one).text[:13] + mint(other).text[13:]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fb-",
        "sk-" + SAMPLE.text[3:],
        SAMPLE.text[:-1],
        SAMPLE.text + "0",
        SAMPLE.text + "\n",
        " " + SAMPLE.text[:-1],
        SAMPLE.text.swapcase(),
        SAMPLE.text[:20] + "\N{CYRILLIC SMALL LETTER A}" + SAMPLE.text[21:],
        SAMPLE.text[:20] + "\N{ARABIC-INDIC DIGIT ONE}" + SAMPLE.text[21:],
        SAMPLE.text[:20] + "\ud800" + SAMPLE.text[21:],
        SAMPLE.text * 100_000,
    ],
    ids=[
        "empty", "prefix", "openai", "cut", "longer", "newline", "space", "case", "homoglyph",
        "digit", "surrogate", "huge",
    ],
)  # fmt: skip
def test_a_malformed_secret_is_refused(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_read_or_refused_without_an_error(text: str) -> None:
    assert parse(text) is None
    assert parse("fb-" + text) is None


def test_a_secret_matches_its_own_hash_and_no_other() -> None:
    other = mint(bytes(ENTROPY_BYTES))
    assert matches(digest(SAMPLE.text), SAMPLE.text)
    assert not matches(digest(SAMPLE.text), other.text)


def test_the_hash_is_sha_256_in_hex() -> None:
    # FIPS 180-2, appendix B.1.
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_damaged_hash_in_the_store_matches_nothing() -> None:
    assert not matches("", SAMPLE.text)
    assert not matches("héx", SAMPLE.text)


def test_neither_repr_nor_mask_shows_the_secret() -> None:
    assert SAMPLE.text not in repr(SAMPLE)
    assert masked(SAMPLE) == SAMPLE.text[:7] + "…"


@given(ENTROPY)
def test_a_further_secret_of_a_key_has_its_id(entropy: bytes) -> None:
    minted = mint(entropy, key_id="0123456789")
    assert minted.key_id == "0123456789"
    assert parse(minted.text) == minted
    assert minted.text[13:45] == mint(entropy).text[13:45]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SAMPLE.text, True),
        (f"see {SAMPLE.text}!", True),
        (SAMPLE.text[:40], True),
        (SAMPLE.text[:-1] + "!", True),
        (SAMPLE.key_id, False),
        (SAMPLE.text[:13], False),
        ("fb-team", False),
        ("", False),
    ],
    ids=["whole", "within", "cut", "mistyped", "id", "id and prefix", "name", "empty"],
)
def test_a_text_with_a_secret_in_it_is_told_from_one_without(text: str, *, expected: bool) -> None:
    assert holds_secret(text) is expected

"""How many tokens a text can be, in a vocabulary that is not at hand. Linear in its length.

A token stands for at least one byte, so the UTF-8 bytes are a proof (`proven`); it is four times
too much for English. `calibrated` is what 99.99 % of real texts stay under, with 5 % on top: bytes
are weighed by what they are, since languages and notations differ more than vocabularies do.
`benchmarks/token_bounds.py` measures it. Over 35,157 texts (prose of 75 languages, chats, code,
data) in seven vocabularies (o200k, cl100k, Claude 2, Gemma 3, Llama 3.1, Qwen 3, DeepSeek 3) one, a
piece of base64, was above it, by 1 %; by volume it is 1.9 to 2.4 times what there is.
"""

from __future__ import annotations

import string
from typing import Final
from unicodedata import is_normalized, normalize

COUNTED_BYTES: Final = 64 * 1024
"""Texts up to here are worth counting (15 ms at most)."""

PIECE: Final = 500
"""Characters. A piece of a text without any break in it is no language, so it is bounded by its
bytes: any unbroken run of 1,000 characters holds such a piece, and no run of under 500 does."""

BREAKS: Final = "、。，．！？；：「」（）…·।။።۔،؛"  # noqa: RUF001 - they are meant
"""What breaks a text in scripts that are written without spaces."""

NORMALIZED_BYTES: Final = 1024 * 1024
NORMALIZED_FACTOR: Final = 11
"""NFKC makes at most so many bytes of one (of U+FDFA; a test tries all characters)."""

_PER_TEXT: Final = 8_000
"""For texts of a word or two, which can be a token a letter."""
_LETTERS: Final = string.ascii_letters.encode()
_ASCII: Final = bytes(range(0x80))
_CONTINUATIONS: Final = bytes(range(0x80, 0xC0))
_TWO: Final = bytes(range(0xC0, 0xE0))
_INDIC: Final = bytes([0xE0, 0xE1, 0xE2, 0xEA, 0xEE])
_EAST_ASIAN: Final = bytes([*range(0xE3, 0xEA), 0xEB, 0xEC, 0xED, 0xEF])

# Thousandths of a token for each …
_LETTER: Final = 560
"""ASCII letter: English takes 250, Somali 480, base64 550."""
_SPACE: Final = 150
_OTHER_ASCII: Final = 1_050
"""Digit, punctuation, line break: some vocabularies have a token for each."""
_TWO_BYTES: Final = 2_200
"""Character of two bytes. Above 2,000, since some vocabularies decompose ligatures first."""
_THREE_INDIC: Final = 3_300
"""Character that begins with E0-E2 or EA: Indic, Thai, Ethiopic, Khmer, Yi, Javanese, symbols (and
a quarter of Hangul). Above 3,000 for the same reason."""
_THREE_EAST_ASIAN: Final = 1_600
"""Any other character of three bytes: kana, Han, Hangul, full-width forms."""
_FOUR: Final = 4_200
"""Any other character: emoji, rare scripts."""


def proven(text: str) -> int:
    """Return a number of tokens that no byte-level vocabulary exceeds.

    Some vocabularies normalize text first (NFKC), and see more bytes where it has ligatures. That
    is done here too, up to `NORMALIZED_BYTES` of its outcome; the rest is taken at the worst.
    """
    if text.isascii() or is_normalized("NFKC", text):
        return len(_utf8(text))
    total = 0
    for at in range(0, len(text), COUNTED_BYTES):
        if total > NORMALIZED_BYTES:
            return total + NORMALIZED_FACTOR * len(_utf8(text[at:]))
        part = text[at : at + COUNTED_BYTES]
        total += max(len(_utf8(part)), len(_utf8(normalize("NFKC", part))))
    return total


def calibrated(text: str) -> int:
    """Return a number of tokens that real text does not exceed.

    Cost: 2-8 ns a byte.
    """
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    broken = "".join(piece for piece in pieces if _is_broken(piece))
    whole = len(broken) == len(text)
    unbroken = 0 if whole else len(_utf8(text)) - len(_utf8(broken))
    return unbroken - (-(_milli_tokens(_utf8(broken)) + _PER_TEXT) // 1000)


def is_countable(text: str) -> bool:
    """Whether counting a text's tokens exactly is worth its time, and sure to end soon."""
    if len(text) > COUNTED_BYTES or len(_utf8(text)) > COUNTED_BYTES:
        return False
    return all(_is_broken(text[at : at + PIECE]) for at in range(0, len(text), PIECE))


def _is_broken(piece: str) -> bool:
    """Whether a piece has a break, or is too short to tell: the last one of a text."""
    if len(piece) < PIECE:
        return True
    if len(piece.split(None, 1)) != 1 or piece[0].isspace() or piece[-1].isspace():
        return not piece.isspace()  # white space alone is a run like any other
    return not piece.isascii() and any(mark in piece for mark in BREAKS)


def _milli_tokens(data: bytes) -> int:
    """Weigh UTF-8 by the kinds of its bytes; each kind that is found is taken out of the rest."""
    ascii_bytes = data if data.isascii() else data.translate(None, _NOT_ASCII)
    others = ascii_bytes.translate(None, _LETTERS)
    letters = len(ascii_bytes) - len(others)
    spaces = others.count(b" ")
    weight = letters * _LETTER + spaces * _SPACE + (len(others) - spaces) * _OTHER_ASCII
    if len(ascii_bytes) == len(data):
        return weight
    leads = data.translate(None, _ASCII + _CONTINUATIONS)
    rest = leads.translate(None, _TWO)
    weight += (len(leads) - len(rest)) * _TWO_BYTES
    three = rest.translate(None, _INDIC)
    weight += (len(rest) - len(three)) * _THREE_INDIC
    four = three.translate(None, _EAST_ASIAN)
    return weight + (len(three) - len(four)) * _THREE_EAST_ASIAN + len(four) * _FOUR


_NOT_ASCII: Final = bytes(range(0x80, 0x100))


def _utf8(text: str) -> bytes:
    # JSON may hold half a surrogate pair ("\ud83d"): no valid UTF-8, but nothing to fail on.
    return text.encode("utf-8", "surrogatepass")

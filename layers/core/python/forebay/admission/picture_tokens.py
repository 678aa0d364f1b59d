"""How many tokens a picture can be, by what its provider's documentation says.

OpenAI: https://platform.openai.com/docs/guides/images-vision#calculating-costs (tiles of 512
pixels, or patches of 32 times the model's factor); Anthropic:
https://platform.claude.com/docs/en/build-with-claude/vision (width x height / 750, up to a
maximum); Gemini: https://ai.google.dev/gemini-api/docs/tokens (258 a tile) and
https://ai.google.dev/gemini-api/docs/media-resolution. A picture whose size is not known takes
the documented maximum. Formulas are rounded up, and where a page leaves a case open (whether small
pictures are enlarged) the dearer reading is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Final

from forebay.model import Picture
from forebay.settings import ProviderKind

UNKNOWN_PICTURE_TOKENS: Final = 16_384
"""Of models with no documented formula here; what Qwen's vision models take at most, which are the
dearest of those that are commonly self-hosted
(https://huggingface.co/Qwen/Qwen2-VL-7B-Instruct: 4 to 16,384 visual tokens)."""

_TILE: Final = 512
_SHORT_SIDE: Final = 768
_LONG_SIDE: Final = 2048
_PATCH: Final = 32


@dataclass(frozen=True, slots=True)
class _Tiles:
    """OpenAI's older way: a picture is cut in tiles once its short side is 768 pixels long."""

    base: int
    tile: int

    def tokens(self, picture: Picture) -> int:
        if picture.detail == "low":
            return self.base
        if not (picture.width and picture.height):
            return self.base + 8 * self.tile
        short, long = sorted((picture.width, picture.height))
        along = ceil(min(_LONG_SIDE, _SHORT_SIDE * long / short) / _TILE)
        return self.base + 2 * along * self.tile


@dataclass(frozen=True, slots=True)
class _Patches:
    """OpenAI's newer way: patches, of which there are so many at most, times a factor."""

    factor: float
    most: int = 1_536

    def tokens(self, picture: Picture) -> int:
        patches = self.most
        if picture.width and picture.height:
            patches = min(patches, ceil(picture.width / _PATCH) * ceil(picture.height / _PATCH))
        return ceil(patches * self.factor)


_OPENAI: Final = (
    (re.compile(r"gpt-4o-mini"), _Tiles(2833, 5667)),
    (re.compile(r"(?:gpt-4\.1|gpt-5)-nano(?!\d)"), _Patches(2.46)),
    (re.compile(r"(?:gpt-4\.1|gpt-5)-mini(?!\d)"), _Patches(1.62)),
    (re.compile(r"o4-mini"), _Patches(1.72)),
    (re.compile(r"(?:chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4)(?![\d.])"), _Tiles(85, 170)),
    (re.compile(r"gpt-5(?![\d.])"), _Tiles(70, 140)),
    (re.compile(r"o[13](?!\d)"), _Tiles(75, 150)),
    (re.compile(r".*nano"), _Patches(2.46, 10_000)),
    (re.compile(r".*mini"), _Patches(1.72, 10_000)),
)
"""By the beginning of the model's name, the first that fits."""

_NEWER_OPENAI: Final = _Patches(1.2, 10_000)
"""Since gpt-5.2: up to 10,000 patches where `detail` is `original`."""

_CLAUDE_UP_TO_4_6: Final = re.compile(
    r"(?:.*[./])?claude-(?:v?[123](?!\d)|instant|(?:opus|sonnet|haiku)-4(?:-[0-6](?!\d)|-\d{8}|$|@))"
)
CLAUDE_MOST: Final = 1_600
CLAUDE_MOST_SINCE_4_7: Final = 4_784
"""Pictures of up to 2,576 pixels are seen whole."""

_GEMINI_3: Final = re.compile(r"(?:models/)?gemini-(?:[3-9]|\d\d)")
GEMINI_3_TOKENS: Final = 1_120
"""At its high resolution, which is the default of pictures."""
GEMINI_MOST: Final = 2_304
"""Of earlier models, at high resolution."""
_GEMINI_TILE: Final = 258


def is_claude(model: str) -> bool:
    """Whether a name is that of one of Anthropic's models, wherever it is served."""
    return "claude" in model


def is_newer_claude(model: str) -> bool:
    """Whether a Claude has the vocabulary and the eyes that came with Opus 4.7."""
    return is_claude(model) and not _CLAUDE_UP_TO_4_6.match(model)


def picture_tokens(picture: Picture, kind: ProviderKind, model: str) -> int:
    """Return how many input tokens a picture is at most."""
    if is_claude(model) or kind is ProviderKind.ANTHROPIC:
        return _claude(picture, model)
    if kind in {ProviderKind.OPENAI, ProviderKind.AZURE}:
        return _openai(model).tokens(picture)
    if kind is ProviderKind.GEMINI:
        return _gemini(picture, model)
    return UNKNOWN_PICTURE_TOKENS


def _openai(model: str) -> _Tiles | _Patches:
    return next((way for name, way in _OPENAI if name.match(model)), _NEWER_OPENAI)


def _claude(picture: Picture, model: str) -> int:
    most = CLAUDE_MOST_SINCE_4_7 if is_newer_claude(model) else CLAUDE_MOST
    if not (picture.width and picture.height):
        return most
    by_area = ceil(picture.width * picture.height / 750)
    by_patches = ceil(picture.width / 28) * ceil(picture.height / 28)
    return min(most, max(by_area, by_patches))


def _gemini(picture: Picture, model: str) -> int:
    if _GEMINI_3.match(model):
        return GEMINI_3_TOKENS
    if picture.detail == "high" or not (picture.width and picture.height):
        return GEMINI_MOST
    side = min(max(min(picture.width, picture.height) / 1.5, 256), 768)
    tiles = ceil(picture.width / side) * ceil(picture.height / side)
    return tiles * _GEMINI_TILE

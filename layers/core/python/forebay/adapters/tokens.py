"""Ports `TokenCounter` and `Tokenizer` over tiktoken's vocabularies.

They lie in the `numerics` layer.

tiktoken itself fetches a vocabulary that it does not find, also in place of one whose checksum is
wrong. Here nothing may be fetched while a caller waits: the files are read and checked by us, and
only tiktoken's encoder is used.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from forebay.ports import Telemetry

if TYPE_CHECKING:
    import tiktoken  # at run time only when something is counted: 30 ms

EXACT_BYTES: Final = 64 * 1024
"""Texts up to here are counted, at 50-230 ns a byte (tiktoken 0.14; the dear ones are runs of
one letter class): 15 ms at most. Longer ones are estimated from four samples."""

_INLINE_BYTES: Final = 8 * 1024
"""Texts up to here are counted on the loop: 2 ms at most, under 5 on a Lambda of one core."""

_SAMPLES: Final = 4
_SAMPLE_CHARACTERS: Final = 4 * 1024

BYTES_PER_TOKEN: Final = 4
"""For estimates without a vocabulary. Measured in o200k_base: JSON 3.5, English and Chinese 4.0,
code 4.5, German and Japanese 4.8, Russian 7.5 (but base64 1.5)."""


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    file: str
    """As tiktoken names it in its cache: the SHA-1 of the vocabulary's address."""
    sha256: str
    pattern: str
    """Cuts text into the pieces that are encoded one by one; from tiktoken_ext/openai_public.py
    (MIT), where it cannot be had without loading a vocabulary. A test compares them."""


_LETTERS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_VOCABULARIES: Final = {
    "o200k_base": _Vocabulary(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}*{_SMALL}+{_ENDINGS}"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}+{_SMALL}*{_ENDINGS}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
    "cl100k_base": _Vocabulary(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    ),
}
_DEFAULT: Final = "o200k_base"
"""OpenAI's since gpt-4o; for other makers' models the nearest that is at hand."""


class TiktokenCounter:
    """Counts tokens; estimates them for long texts, and where a vocabulary is missing.

    A vocabulary is loaded when it is first needed (0.35 s and 80 MB for o200k_base), on a thread.

    Args:
        directory: Where the vocabulary files lie, under tiktoken's names; None: nowhere.
        telemetry: Told once of each vocabulary that is missing or damaged.
    """

    def __init__(self, directory: str | None, telemetry: Telemetry) -> None:
        self._directory = None if directory is None else Path(directory)
        self._telemetry = telemetry
        self._encodings: dict[str, tiktoken.Encoding | None] = {}
        self._loading = asyncio.Lock()

    async def count(self, text: str, *, model: str) -> int:
        """Count the tokens of a text; markers such as `<|endoftext|>` in it are plain text."""
        size = _size(text)
        if size == 0:
            return 0
        encoding = await self._encoding_for(model)
        if encoding is None:
            return max(1, round(size / BYTES_PER_TOKEN))
        if size <= _INLINE_BYTES:
            return len(encoding.encode_ordinary(text))
        if size <= EXACT_BYTES:
            return len(await asyncio.to_thread(encoding.encode_ordinary, text))
        return await asyncio.to_thread(_estimate, encoding, text, size)

    async def count_exactly(self, text: str, *, model: str) -> int | None:
        """Count the tokens of a text in the model's own vocabulary.

        Returns:
            None where that vocabulary is not known or not at hand, or the text is over
            `EXACT_BYTES`.
        """
        name = _own_vocabulary(model)
        size = _size(text)
        encoding = None if name is None or size > EXACT_BYTES else await self._encoding(name)
        if encoding is None:
            return None
        if size <= _INLINE_BYTES:
            return len(encoding.encode_ordinary(text))
        return len(await asyncio.to_thread(encoding.encode_ordinary, text))

    async def _encoding_for(self, model: str) -> tiktoken.Encoding | None:
        return await self._encoding(_own_vocabulary(model) or _DEFAULT)

    async def _encoding(self, name: str) -> tiktoken.Encoding | None:
        if name not in self._encodings:
            async with self._loading:
                if name not in self._encodings:
                    self._encodings[name] = await self._load(name)
        return self._encodings[name]

    async def _load(self, name: str) -> tiktoken.Encoding | None:
        try:
            return await asyncio.to_thread(_load, self._directory, name)
        except (OSError, ImportError, ValueError) as error:
            self._telemetry.incident(
                "vocabulary_missing",
                f"tokens are estimated from bytes: {name} cannot be loaded",
                vocabulary=name,
                reason=str(error),
            )
            return None


def _own_vocabulary(model: str) -> str | None:
    try:
        from tiktoken.model import encoding_name_for_model  # noqa: PLC0415  lazy: see above

        name = encoding_name_for_model(model)
    except (ImportError, KeyError):
        return None
    return name if name in _VOCABULARIES else None


def _load(directory: Path | None, name: str) -> tiktoken.Encoding:
    """Read a vocabulary.

    Raises:
        OSError: The file is missing.
        ValueError: It is not the file that tiktoken's authors published.
        ImportError: tiktoken is not installed.
    """
    import tiktoken  # noqa: PLC0415  lazy: see above

    if directory is None:
        raise FileNotFoundError("no folder of vocabularies is configured")
    vocabulary = _VOCABULARIES[name]
    data = (directory / vocabulary.file).read_bytes()
    if sha256(data).hexdigest() != vocabulary.sha256:
        raise ValueError(f"{vocabulary.file} is damaged")
    lines = (line.split() for line in data.splitlines() if line)
    return tiktoken.Encoding(
        name,
        pat_str=vocabulary.pattern,
        mergeable_ranks={b64decode(token): int(rank) for token, rank in lines},
        special_tokens={},
    )


def _estimate(encoding: tiktoken.Encoding, text: str, size: int) -> int:
    """Count samples from all over the text, and carry their density on to all its bytes.

    A constant would be off threefold for base64, which long requests often hold.
    """
    step = (len(text) - _SAMPLE_CHARACTERS) // (_SAMPLES - 1)
    samples = [
        text[start : start + _SAMPLE_CHARACTERS] for start in range(0, step * _SAMPLES, step)
    ]
    counted = sum(len(encoding.encode_ordinary(sample)) for sample in samples)
    return round(counted * size / sum(map(_size, samples)))


def _size(text: str) -> int:
    # JSON may hold half a surrogate pair ("\ud83d"): no valid UTF-8, but nothing to fail on.
    return len(text.encode("utf-8", "surrogatepass"))

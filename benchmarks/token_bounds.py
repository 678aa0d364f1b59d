"""How far off the calibrated bound of a text's tokens is.

    python -m benchmarks.token_bounds [DIRECTORY]

Measured in the two vocabularies that Forebay ships, and in all that lie in DIRECTORY as
`NAME/tokenizer.json` (Hugging Face's form; needs `pip install tokenizers`), on the texts of
`tests/data/texts` and on this repository's own code and data, whole and in pieces as messages
have them. Printed are bound / tokens, and how many texts have more tokens than their bound.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Final

from forebay.adapters.tokens import _load
from forebay.admission.text_bound import calibrated, proven

ROOT: Final = Path(__file__).parent.parent
VOCABULARIES: Final = ROOT / "layers" / "numerics" / "tiktoken"
TEXTS: Final = ROOT / "tests" / "data" / "texts" / "texts.jsonl"
PIECES: Final = (120, 600, 2_500, 9_000)
FILES: Final = {
    "code": "layers/core/python/forebay/**/*.py",
    "prose": "docs/**/*.md",
    "hashes": "uv.lock",
    "JSON": "layers/core/python/forebay/data/*.json",
    "YAML": "*.yaml",
}

Count = Callable[[str], int]


def texts() -> Iterator[tuple[str, str]]:
    """Yield each text with its kind."""
    for line in TEXTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["from"].partition("/")[0], row["text"]
    for kind, pattern in FILES.items():
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            for size in PIECES:
                yield from ((kind, text[at : at + size]) for at in range(0, len(text), size))


def vocabularies(directory: Path | None) -> dict[str, Count]:
    """Return how to count, by vocabulary."""
    counts: dict[str, Count] = {}
    for name in ("o200k_base", "cl100k_base"):
        counts[name] = _shipped(name)
    for path in sorted(directory.glob("*/tokenizer.json")) if directory else ():
        counts[path.parent.name] = _of_hugging_face(path)
    return counts


def _shipped(name: str) -> Count:
    encoding = _load(VOCABULARIES, name)
    return lambda text: len(encoding.encode_ordinary(text))


def _of_hugging_face(path: Path) -> Count:
    encoding = import_module("tokenizers").Tokenizer.from_file(str(path))
    return lambda text: len(encoding.encode(text, add_special_tokens=False))


def main(directory: Path | None = None) -> None:
    """Print a table."""
    found = [(kind, text) for kind, text in texts() if text.strip()]
    kinds = dict.fromkeys(kind for kind, _ in found)
    print(f"{len(found)} texts; median of bound / tokens, and texts over their bound")
    for name, count in vocabularies(directory).items():
        tokens = [count(text) for _, text in found]
        bounds = [calibrated(text) for _, text in found]
        ratios = [bound / max(1, token) for bound, token in zip(bounds, tokens, strict=True)]
        over = sum(ratio < 1 for ratio in ratios)
        broken = sum(proven(text) < token for (_, text), token in zip(found, tokens, strict=True))
        print(f"{name:>14}  over {over} ({over / len(found):.4%})  over in bytes {broken}")
        for kind in kinds:
            of_kind = [
                ratio for (each, _), ratio in zip(found, ratios, strict=True) if each == kind
            ]
            print(f"{kind:>20} {median(of_kind):.2f}, least {min(of_kind):.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

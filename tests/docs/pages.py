"""The project's Markdown pages, taken apart: links, headings, code."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from typing_extensions import override

ROOT = Path(__file__).parents[2]
BUILT = {"build", "dist", "node_modules"}  # and whatever begins with a dot

_FENCE = re.compile(r"^[ >]*(?P<mark>```+|~~~+)(?P<language>\S*)")
_LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<to>[^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?)\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced piece of code."""

    page: str
    line: int
    language: str
    text: str

    @override
    def __str__(self) -> str:
        """Name it for pytest."""
        return f"{self.page}:{self.line}"


def project_files(*suffixes: str) -> Iterator[Path]:
    """Walk over the project's own files, leaving out what is installed or built."""
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in BUILT and not name.startswith(".")]
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffixes))


@cache
def pages() -> list[str]:
    """Return all Markdown pages, relative to the project."""
    return sorted(str(path.relative_to(ROOT)) for path in project_files(".md"))


@cache
def _parts(page: str) -> tuple[str, list[Block]]:
    prose: list[str] = []
    blocks: list[Block] = []
    mark, language, inside = "", "", list[str]()
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if mark:
            if fence and fence["mark"].startswith(mark) and not fence["language"]:
                blocks.append(Block(page, number - len(inside), language, "\n".join(inside) + "\n"))
                mark = ""
            else:
                inside.append(line)
            prose.append("")
        elif fence:
            mark, language, inside = fence["mark"], fence["language"], []
            prose.append("")
        else:
            prose.append(line)
    assert not mark, f"{page}: a code block is not closed"
    return "\n".join(prose), blocks


def blocks(*languages: str) -> list[Block]:
    """Return the code blocks of these languages, on all pages."""
    return [block for page in pages() for block in _parts(page)[1] if block.language in languages]


def spans(page: str) -> list[str]:
    """Return what stands between backticks in the text of a page."""
    return _SPAN.findall(_parts(page)[0])


def links(page: str) -> list[str]:
    """Return where a page's links lead, images left out."""
    prose = _SPAN.sub("", _parts(page)[0])
    return [found["to"] for found in _LINK.finditer(prose)]


@cache
def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    seen: dict[str, int] = {}
    found: set[str] = set()
    for line in _parts(page)[0].splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            continue
        title = _LINK.sub(lambda link: link[0][1:].partition("]")[0], heading["title"])
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        times = seen.get(slug, 0)
        seen[slug] = times + 1
        found.add(f"{slug}-{times}" if times else slug)
    return found


def headings(page: str) -> list[str]:
    """Return a page's headings, with their number signs."""
    return [line for line in _parts(page)[0].splitlines() if _HEADING.match(line)]

"""Files that are named exist, and nothing is named that is none of the project's."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, pages, project_files, spans

ARCHITECTURE = "docs/architecture.md"
# Where the page says that its paths begin.
BASES = (
    ROOT,
    ROOT / "layers/core/python/forebay",
    ROOT / "layers/runtime/python/lambda_streaming",
)
FILE = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w.-]+/|[\w-]+\.(py|toml|yaml|md)")
NAMED = sorted({span for span in spans(ARCHITECTURE) if FILE.fullmatch(span)})

SOMEBODYS_FOLDER = re.compile(r"(?<![\w.$}])/(?:home|Users|root|work)/[\w.]")
OUTSIDE = re.compile(r"\.\./" + "shared")
TEXT = (".py", ".md", ".toml", ".yaml", ".yml", ".json", ".mk", ".sh", "Makefile")


@pytest.mark.parametrize("name", NAMED)
def test_a_file_that_the_architecture_names_exists(name: str) -> None:
    assert any((base / name).exists() for base in BASES)


def test_the_architecture_names_files() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize("page", [page for page in pages() if page != ARCHITECTURE])
def test_a_source_file_that_a_page_names_exists(page: str) -> None:
    inside = [span for span in spans(page) if re.fullmatch(r"(\w[\w.-]*/)+[\w.-]+\.py", span)]
    bases = (*BASES, BASES[1].parent, Path(ROOT, page).parent)
    assert [name for name in inside if not any((base / name).exists() for base in bases)] == []


def test_the_architecture_has_the_layers_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert "\n".join(layers) + "\n" in [b.text for b in blocks("text") if b.page == ARCHITECTURE]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in project_files(*TEXT)
        for line in _lines(path)
        if SOMEBODYS_FOLDER.search(line) or OUTSIDE.search(line)
    ]
    assert found == []


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines()

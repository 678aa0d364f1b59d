"""Decisions are numbered without a gap, have one form, and what cites them can find them."""

import re

import pytest

from tests.docs.pages import ROOT, headings, pages, project_files

FOLDER = "docs/decisions/"
DECISIONS = [page for page in pages() if page.startswith(FOLDER)]
HEADINGS = [
    "## Context",
    "## Options",
    "## Decision",
    "## Consequences",
    "## How we would notice that it was wrong",
]
CITED = re.compile(r"\bdecisions? (\d{4})\b")


def number_of(page: str) -> str:
    return page.removeprefix(FOLDER)[:4]


def test_numbers_are_consecutive() -> None:
    assert [number_of(page) for page in DECISIONS] == [
        f"{number:04}" for number in range(1, len(DECISIONS) + 1)
    ]


@pytest.mark.parametrize("page", DECISIONS)
def test_a_decision_has_its_number_a_title_and_the_five_headings(page: str) -> None:
    title, *rest = headings(page)
    assert re.fullmatch(rf"# {number_of(page)}: [^.]+", title)
    assert rest == HEADINGS


@pytest.mark.parametrize("page", DECISIONS)
def test_a_decision_fits_on_one_page(page: str) -> None:
    assert len((ROOT / page).read_text().splitlines()) <= 60


def test_a_decision_that_is_cited_exists() -> None:
    cited = {
        (number, str(path.relative_to(ROOT)))
        for path in project_files(".py", ".md", ".yaml", ".toml", "Makefile", ".mk")
        for number in CITED.findall(path.read_text())
    }
    known = {number_of(page) for page in DECISIONS}
    assert {cite for cite in cited if cite[0] not in known} == set()

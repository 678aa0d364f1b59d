"""Links lead somewhere."""

import os
from pathlib import PurePosixPath

import pytest

from tests.docs.pages import ROOT, anchors, links, pages

LINKS = [(page, to) for page in pages() for to in links(page)]


@pytest.mark.parametrize(("page", "to"), [link for link in LINKS if "://" not in link[1]])
def test_a_relative_link_leads_to_a_file_and_its_anchor_to_a_heading(page: str, to: str) -> None:
    path, _, anchor = to.partition("#")
    target = os.path.normpath(PurePosixPath(page).parent / path) if path else page
    assert not path.startswith("/"), "GitHub shows no absolute paths"
    assert not target.startswith(".."), "leads out of the project"
    assert (ROOT / target).exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize(("page", "to"), [link for link in LINKS if "://" in link[1]])
def test_an_absolute_link_is_https(page: str, to: str) -> None:
    assert to.startswith("https://"), page


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith("docs/")])
def test_the_index_leads_to_every_page(page: str) -> None:
    linked = {
        os.path.normpath(PurePosixPath("docs") / to.split("#")[0]) for to in links("docs/README.md")
    }
    assert page == "docs/README.md" or page in linked

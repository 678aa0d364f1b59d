"""What counts where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.model import Usage
from forebay.rollups import LONGEST_VALUE_BYTES, Dimension, Group, Totals, groups_of, roll_ups_of
from tests.support.admin_api import ledger_row

NOON = 1_795_435_200.0
ROW = ledger_row("1", NOON, team="core", tags=("a", "b", "a"))


@pytest.mark.parametrize(
    ("dimension", "groups"),
    [
        (Dimension.DAY, [("2026-11-23", "2026-11-23")]),
        (Dimension.KEY, [("web", "aaaaaaaaaa")]),
        (Dimension.TEAM, [("core", "default/core")]),
        (Dimension.MODEL, [("fast", "fast")]),
        (Dimension.TAG, [("a", "a"), ("b", "b")]),
    ],
)
def test_a_row_has_these_values(dimension: Dimension, groups: list[tuple[str, str]]) -> None:
    assert groups_of(ROW, dimension) == tuple(Group(*each) for each in groups)


def test_rows_without_a_team_are_together_in_their_tenant() -> None:
    assert groups_of(replace(ROW, team=None), Dimension.TEAM) == (Group("", "default/"),)


def test_a_row_without_tags_counts_in_four_dimensions() -> None:
    counted = [each.dimension for each in roll_ups_of(replace(ROW, tags=()))]
    assert counted == [Dimension.DAY, Dimension.KEY, Dimension.TEAM, Dimension.MODEL]


@pytest.mark.parametrize("text", ["x" * 10_000, "ö" * 129, "\ud800" * 300])
def test_a_value_too_long_for_a_key_is_shortened_and_stays_itself(text: str) -> None:
    tags = (text, text + "1", text[:256])
    groups = groups_of(replace(ROW, tags=tags), Dimension.TAG)
    assert len(groups) == len({each.id for each in groups}) == len(set(tags))
    assert all(len(each.id.encode(errors="replace")) <= LONGEST_VALUE_BYTES for each in groups)


def test_cache_writes_of_both_kinds_count_together() -> None:
    usage = Usage(100, 10, 40, cache_write_input_tokens=7, cache_write_1h_input_tokens=5)
    totals = Totals()
    totals.add(replace(ROW, usage=usage))
    assert totals.cache_write_input_tokens == 12

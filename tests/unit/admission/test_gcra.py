"""The generic cell rate algorithm in branches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.admission.gcra import BURST_US, CLOCKS_APART_US, Charge, Rate

NOW = 1_800_000_000_000_000
TEN = Rate(10)  # one every 6 s
S = 1_000_000


@pytest.mark.parametrize(
    ("tat", "charge", "after"),
    [
        (0, Charge(6 * S, up_to=NOW, start=NOW), NOW + 6 * S),
        (NOW, Charge(6 * S, up_to=NOW, start=NOW), NOW + 6 * S),
        (NOW + 1, Charge(6 * S, above=NOW, up_to=NOW + 54 * S), NOW + 6 * S + 1),
        (NOW + 54 * S, Charge(6 * S, above=NOW, up_to=NOW + 54 * S), NOW + 60 * S),
        (NOW + 54 * S + 1, Charge(6 * S, above=NOW, up_to=NOW + 54 * S), None),
        (NOW + 70 * S, Charge(6 * S, above=NOW, up_to=NOW + 54 * S), None),
        (NOW + 70 * S + 1, Charge(6 * S, above=NOW + 70 * S, start=NOW), NOW + 6 * S),
    ],
    ids=["unused", "just earned", "ahead", "last", "used up", "a clock ahead", "a clock at fault"],
)
def test_the_branch_that_fits_an_arrival_time(tat: int, charge: Charge, after: int | None) -> None:
    assert TEN.charge(1, tat, NOW) == charge
    assert charge.after(tat) == after


def test_a_branch_refuses_what_it_was_not_made_for() -> None:
    behind, ahead = TEN.charge(1, NOW - 1, NOW), TEN.charge(1, NOW + 1, NOW)
    assert behind.after(NOW + 1) is None
    assert ahead.after(NOW) is None


@given(
    limit=st.integers(1, 10_000),
    units=st.integers(1, 10_000),
    ahead=st.integers(-2 * BURST_US, 2 * BURST_US),
)
def test_the_branches_together_are_the_formula(limit: int, units: int, ahead: int) -> None:
    rate, tat = Rate(limit), NOW + ahead
    cost = rate.cost_us(units)
    at_fault = ahead > BURST_US + rate.cost_us(1) + CLOCKS_APART_US
    start = NOW if at_fault else max(tat, NOW)
    admitted = start + cost if start + cost <= NOW + BURST_US else None
    after = rate.charge(units, tat, NOW).after(tat)
    assert after == admitted or cost > BURST_US
    assert (rate.free_in_s(units, tat, NOW) == 0) == (admitted is not None)


@given(units=st.integers(1, 100), ahead=st.integers(0, BURST_US))
def test_after_the_wait_that_is_told_it_is_admitted(units: int, ahead: int) -> None:
    rate, tat = Rate(100), NOW + ahead
    later = NOW + round(rate.free_in_s(units, tat, NOW) * 1e6)
    assert rate.charge(units, tat, later).after(tat) is not None


@pytest.mark.parametrize(
    ("ahead_s", "left", "full_in_s"),
    [(-9, 10, 0), (0, 10, 0), (7, 8, 7), (60, 0, 60), (500, 10, 0)],
)
def test_what_is_left_and_when_all_is_back(ahead_s: int, left: int, full_in_s: int) -> None:
    tat = NOW + ahead_s * S
    assert TEN.left(tat, NOW) == left
    assert TEN.full_in_s(tat, NOW) == full_in_s


@pytest.mark.parametrize(
    ("charged_to_s", "refund_s"), [(60, 30), (31, 30), (30, 30), (12, 12), (0, 0), (-5, 0)]
)
def test_a_refund_ends_where_time_has_earned_it(charged_to_s: int, refund_s: int) -> None:
    assert TEN.refund_us(5, NOW + charged_to_s * S, NOW) == refund_s * S


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 60), st.integers(0, 60), st.integers(0, 90)),
        max_size=30,
    )
)
def test_used_units_never_exceed_burst_and_rate(calls: list[tuple[int, int, int, int]]) -> None:
    """Each call: seconds since the last, units charged, units used, seconds until it is settled."""
    rate, tat, now = Rate(60), 0, NOW
    open_calls: list[tuple[int, int, int]] = []  # settled at, unused, tat after its charge
    used: list[tuple[int, int]] = []  # at, units
    for gap_s, charged, wanted, lasts_s in calls:
        now += gap_s * S
        for end, unused, own in sorted(open_calls):
            if end <= now:
                tat -= rate.refund_us(unused, own, end)
        open_calls = [call for call in open_calls if call[0] > now]
        after = rate.charge(charged, tat, now).after(tat)
        if after is not None:
            tat = after
            spent = min(wanted, charged)
            used.append((now, spent))
            open_calls.append((now + lasts_s * S, charged - spent, after))
    for first, (began, _) in enumerate(used):
        total = 0
        for at, units in used[first:]:
            total += units
            assert total <= 60 + (at - began) / S
